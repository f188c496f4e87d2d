"""One utterance's way from scores to words: both passes, and what they return."""
