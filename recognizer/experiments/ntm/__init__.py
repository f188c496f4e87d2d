"""The Neural Turing Machine on the five tasks of its paper, beside LSTM networks."""
