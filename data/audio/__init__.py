"""Reading audio files, and changing recordings for training."""
