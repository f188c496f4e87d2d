"""Words that are added to a decoding graph at run time."""
