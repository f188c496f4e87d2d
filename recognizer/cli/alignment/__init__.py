"""Commands that align recordings with transcripts, and that read alignments."""
