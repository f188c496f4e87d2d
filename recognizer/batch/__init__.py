"""Many recordings: recognised side by side, their results in files."""
