"""Floor 3: the public face: from a recording to words, from a corpus to a model."""
