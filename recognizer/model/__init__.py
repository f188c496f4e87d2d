"""The model directory: its options, its parts, reading and checking it."""
