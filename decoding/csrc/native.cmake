add_native_module(decoding _search decoding/csrc/search/search_module.cc decoding/csrc/graph/graph_packing.cc
                  decoding/csrc/graph/mapped_graph.cc decoding/csrc/search/search.cc decoding/csrc/search/trellis.cc)
add_native_module(decoding _lattice decoding/csrc/lattice/lattice_module.cc decoding/csrc/lattice/determinize.cc
                  decoding/csrc/lattice/word_closure.cc decoding/csrc/lattice/lattice_path.cc
                  decoding/csrc/lattice/lattice_posteriors.cc decoding/csrc/lattice/lattice_mbr.cc
                  decoding/csrc/lattice/lattice_oracle.cc)
add_native_module(decoding _fly decoding/csrc/on_the_fly/fly_module.cc decoding/csrc/on_the_fly/fly_classes.cc
                  decoding/csrc/on_the_fly/fly_composition.cc decoding/csrc/on_the_fly/fly_graph.cc
                  decoding/csrc/on_the_fly/fly_look_ahead.cc decoding/csrc/on_the_fly/fly_search.cc
                  decoding/csrc/graph/mapped_graph.cc decoding/csrc/search/trellis.cc)
add_native_module(decoding _rescore decoding/csrc/rescore/rescore_module.cc decoding/csrc/rescore/rescore.cc)
