"""What all paths of the server share: options, errors, counts, the recogniser, uploads."""
