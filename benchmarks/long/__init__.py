"""Long recordings: memory, speed and errors beside those of their sentences."""
