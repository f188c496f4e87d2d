add_native_module(decoding _search decoding/csrc/search_module.cc decoding/csrc/graph_packing.cc
                  decoding/csrc/mapped_graph.cc decoding/csrc/search.cc decoding/csrc/trellis.cc)
add_native_module(decoding _lattice decoding/csrc/lattice_module.cc decoding/csrc/determinize.cc
                  decoding/csrc/word_closure.cc decoding/csrc/lattice_path.cc
                  decoding/csrc/lattice_posteriors.cc decoding/csrc/lattice_mbr.cc
                  decoding/csrc/lattice_oracle.cc)
add_native_module(decoding _fly decoding/csrc/fly_module.cc decoding/csrc/fly_classes.cc
                  decoding/csrc/fly_composition.cc decoding/csrc/fly_graph.cc
                  decoding/csrc/fly_look_ahead.cc decoding/csrc/fly_search.cc
                  decoding/csrc/mapped_graph.cc decoding/csrc/trellis.cc)
add_native_module(decoding _rescore decoding/csrc/rescore_module.cc decoding/csrc/rescore.cc)
