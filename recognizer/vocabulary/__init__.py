"""Words and phrases that a recogniser is given at run time."""
