"""Recognition while the audio is still coming."""
