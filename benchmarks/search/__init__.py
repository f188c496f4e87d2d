"""The first pass beside other decoders."""
