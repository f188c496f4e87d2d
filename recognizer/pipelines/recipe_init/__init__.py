"""A first recipe for speech of one's own, written by `recognizer recipe init`."""
