add_native_module(lm _automaton lm/csrc/automaton/automaton_module.cc)
add_native_module(lm _arpa lm/csrc/arpa/arpa_module.cc lm/csrc/arpa/arpa_parser.cc)
add_native_module(lm _builder lm/csrc/builder/builder_module.cc lm/csrc/builder/ngram_sorter.cc
                  lm/csrc/builder/automaton_builder.cc lm/csrc/builder/compact_builder.cc)
add_native_module(lm _estimate lm/csrc/estimation/estimate_module.cc lm/csrc/estimation/tokens.cc
                  lm/csrc/estimation/ngram_counts.cc lm/csrc/estimation/adjusted_counts.cc lm/csrc/estimation/smoothing.cc
                  lm/csrc/estimation/arpa_writer.cc)
