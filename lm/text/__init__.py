"""Text files and vocabularies for language models."""
