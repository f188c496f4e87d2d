"""Training of the tagger that makes transcripts readable."""
