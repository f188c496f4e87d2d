"""Recurrent networks with and without an external memory, in torch."""
