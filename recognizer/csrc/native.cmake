add_native_module(recognizer _word_alignment recognizer/csrc/evaluation/word_alignment_module.cc
                  recognizer/csrc/evaluation/word_alignment.cc)
