"""Level 0: audio, corpora, alignments, lexicons and text; imports none of the other packages."""
