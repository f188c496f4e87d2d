# Kernels of one source, vectors_*.h apart: a file for each level of the processor's instructions.
# They are chosen at run time, so no other file may be compiled for more than the platform's least.
set(inference_kernels am/csrc/kernels/kernels_portable.cc)
if(CMAKE_SYSTEM_PROCESSOR MATCHES "^(x86_64|AMD64|amd64)$")
  include(CheckCXXCompilerFlag)
  set(flags_avx2 -mavx2 -mfma)
  set(flags_avx2_vnni -mavx2 -mfma -mavxvnni)
  set(flags_avx512 -mavx2 -mfma -mavx512f -mavx512bw -mavx512vl -mavx512dq)
  set(flags_avx512_vnni ${flags_avx512} -mavx512vnni)
  foreach(level avx2 avx2_vnni avx512 avx512_vnni)
    string(TOUPPER ${level} upper)
    string(REPLACE ";" " " flags "${flags_${level}}")
    check_cxx_compiler_flag("${flags}" HAVE_${upper})  # Older compilers know no VEX-coded VNNI.
    if(HAVE_${upper})
      list(APPEND inference_kernels am/csrc/kernels/kernels_${level}.cc)
      list(APPEND inference_levels HAVE_${upper})
    endif()
  endforeach()
endif()

add_native_module(am _inference am/csrc/network/bidirectional_network.cc am/csrc/kernels/cpu_level.cc
                  am/csrc/layers/convolution_layer.cc am/csrc/layers/lookahead_layer.cc
                  am/csrc/layers/pooling_layer.cc am/csrc/layers/recurrent_layer.cc
                  am/csrc/layers/tdnn_layer.cc am/csrc/network/inference_module.cc am/csrc/network/input_layer.cc am/csrc/layers/lstm_layer.cc
                  am/csrc/network/network.cc am/csrc/layers/output_layer.cc am/csrc/kernels/packed_matrix.cc
                  am/csrc/network/read_network.cc am/csrc/network/stage_schedule.cc am/csrc/network/stream_group.cc
                  am/csrc/network/stream_network.cc ${inference_kernels})
target_compile_definitions(am__inference PRIVATE ${inference_levels})
foreach(level avx2 avx2_vnni avx512 avx512_vnni)
  set_property(SOURCE am/csrc/kernels/kernels_${level}.cc APPEND PROPERTY COMPILE_OPTIONS ${flags_${level}})
endforeach()
# Products and sums are fused where the code says so and nowhere else: a row's result must not
# depend on which copy of a loop the compiler chose to fuse.
set_property(SOURCE ${inference_kernels} APPEND PROPERTY COMPILE_OPTIONS -ffp-contract=off)
find_package(Threads REQUIRED)
target_link_libraries(am__inference PRIVATE Threads::Threads)

if(NOT RECOGNITION_ONLY)
  # Forward-backward of sequence criteria, its inner loops by the same scheme.
  set(sequence_kernels am/csrc/sequence/denominator_kernels_portable.cc)
  foreach(level avx2 avx512)
    string(TOUPPER ${level} upper)
    if(HAVE_${upper})
      list(APPEND sequence_kernels am/csrc/sequence/denominator_kernels_${level}.cc)
      list(APPEND sequence_levels HAVE_${upper})
    endif()
  endforeach()
  add_native_module(am _sequence am/csrc/sequence/sequence_module.cc am/csrc/sequence/denominator.cc
                    am/csrc/sequence/numerator.cc am/csrc/sequence/expected_accuracy.cc ${sequence_kernels})
  target_compile_definitions(am__sequence PRIVATE ${sequence_levels})
  foreach(level avx2 avx512)
    set_property(SOURCE am/csrc/sequence/denominator_kernels_${level}.cc
                 APPEND PROPERTY COMPILE_OPTIONS ${flags_${level}})
  endforeach()
  set_property(SOURCE ${sequence_kernels} APPEND PROPERTY COMPILE_OPTIONS -ffp-contract=off)
  target_link_libraries(am__sequence PRIVATE Threads::Threads)
endif()
