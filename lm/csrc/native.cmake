add_native_module(lm _automaton lm/csrc/automaton_module.cc lm/csrc/compact_builder.cc)
