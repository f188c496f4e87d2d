add_native_module(lm _automaton lm/csrc/automaton_module.cc)
add_native_module(lm _arpa lm/csrc/arpa_module.cc lm/csrc/arpa_parser.cc)
add_native_module(lm _builder lm/csrc/builder_module.cc lm/csrc/ngram_sorter.cc
                  lm/csrc/automaton_builder.cc lm/csrc/compact_builder.cc)
add_native_module(lm _estimate lm/csrc/estimate_module.cc lm/csrc/tokens.cc
                  lm/csrc/ngram_counts.cc lm/csrc/adjusted_counts.cc lm/csrc/smoothing.cc
                  lm/csrc/arpa_writer.cc)
