"""What training draws from: utterances, their features, and parallel streams of chunks."""
