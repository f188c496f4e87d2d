# What the builder and the estimate share: sorting on disk, compiled once.
add_library(lm_sorting STATIC lm/csrc/files/external_sort.cc lm/csrc/files/background_task.cc)
set_target_properties(lm_sorting PROPERTIES POSITION_INDEPENDENT_CODE ON CXX_VISIBILITY_PRESET hidden)
target_include_directories(lm_sorting PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}")
target_compile_options(lm_sorting PRIVATE -Wall -Wextra -Wshadow -Werror)

add_native_module(lm _automaton lm/csrc/automaton/automaton_module.cc)
add_native_module(lm _arpa lm/csrc/arpa/arpa_module.cc lm/csrc/arpa/arpa_parser.cc
                  lm/csrc/arpa/arpa_format.cc)
add_native_module(lm _builder lm/csrc/builder/builder_module.cc lm/csrc/builder/ngram_sorter.cc
                  lm/csrc/builder/automaton_builder.cc lm/csrc/builder/compact_builder.cc
                  lm/csrc/builder/automaton_ngrams.cc)
add_native_module(lm _pronunciation lm/csrc/pronunciation/pronunciation_module.cc
                  lm/csrc/pronunciation/alignment.cc)
target_link_libraries(lm__builder PRIVATE lm_sorting)
if(SANITIZE)
  target_compile_options(lm_sorting PRIVATE -fsanitize=address,undefined -fno-omit-frame-pointer -g)
endif()

# Estimation and building wait for memory and disk, not for what -O3 unrolls: -O2 is as fast, and
# compiles in two thirds of the time. Queries and the parser of ARPA files keep -O3.
target_compile_options(lm_sorting PRIVATE -O2)
target_compile_options(lm__builder PRIVATE -O2)

if(NOT RECOGNITION_ONLY)
  add_native_module(lm _estimate lm/csrc/estimation/estimate_module.cc
                    lm/csrc/estimation/tokens.cc lm/csrc/estimation/ngram_counts.cc
                    lm/csrc/estimation/adjusted_counts.cc lm/csrc/estimation/smoothing.cc)
  target_link_libraries(lm__estimate PRIVATE lm_sorting)
  target_compile_options(lm__estimate PRIVATE -O2)

  add_native_module(lm _neural lm/csrc/neural/neural_module.cc lm/csrc/neural/memory_step.cc)
  # Sums may be taken in any order, so that they are taken many at a time.
  set_source_files_properties(lm/csrc/neural/memory_step.cc PROPERTIES COMPILE_OPTIONS
    "-Wall;-Wextra;-Wshadow;-Werror;-fno-math-errno;-fno-trapping-math;-fno-signed-zeros;-fassociative-math")
endif()
