"""Pictures of alignments, lattices and confidences."""
