set(dir decoding/csrc)
add_native_module(decoding _search
  ${dir}/graph/graph_packing.cc ${dir}/graph/mapped_graph.cc
  ${dir}/lattice/determinize.cc ${dir}/lattice/incremental_determinizer.cc
  ${dir}/lattice/word_closure.cc
  ${dir}/on_the_fly/arc_words.cc ${dir}/on_the_fly/composition.cc
  ${dir}/on_the_fly/hcl_graph.cc ${dir}/look_ahead/look_ahead.cc
  ${dir}/on_the_fly/on_the_fly_binding.cc ${dir}/on_the_fly/on_the_fly_search.cc
  ${dir}/on_the_fly/phrases.cc ${dir}/on_the_fly/transition_cache.cc ${dir}/look_ahead/word_classes.cc
  ${dir}/bindings/search_module.cc ${dir}/search/static_search.cc ${dir}/search/trellis.cc
  ${dir}/search/word_histories.cc)
add_native_module(decoding _lattice
  ${dir}/lattice/best_path.cc ${dir}/lattice/determinize.cc ${dir}/lattice/lattice_module.cc
  ${dir}/lattice/mbr.cc ${dir}/lattice/oracle.cc ${dir}/lattice/posteriors.cc
  ${dir}/lattice/word_closure.cc)
add_native_module(decoding _rescore
  ${dir}/rescore/rescore_module.cc ${dir}/rescore/rescoring.cc)
add_native_module(decoding _vocabulary
  ${dir}/vocabulary/extension.cc ${dir}/vocabulary/vocabulary_module.cc
  ${dir}/vocabulary/word_boundaries.cc)
