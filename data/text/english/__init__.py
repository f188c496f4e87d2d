"""English text: normalisation, numbers, abbreviations, sentences, books."""
