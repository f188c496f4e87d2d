"""Decoding graphs of networks that were trained with CTC."""
