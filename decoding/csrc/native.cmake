add_native_module(decoding _align decoding/csrc/align_module.cc decoding/csrc/align.cc)
add_native_module(decoding _search decoding/csrc/search_module.cc decoding/csrc/search_graph.cc
                  decoding/csrc/search.cc decoding/csrc/search_lattice.cc)
add_native_module(decoding _lattice decoding/csrc/lattice_module.cc decoding/csrc/determinize.cc
                  decoding/csrc/word_closure.cc decoding/csrc/lattice_path.cc)
add_native_module(decoding _rescore decoding/csrc/rescore_module.cc decoding/csrc/rescore.cc)
