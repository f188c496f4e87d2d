add_native_module(decoding _align decoding/csrc/align_module.cc decoding/csrc/align.cc)
add_native_module(decoding _search decoding/csrc/search_module.cc)
