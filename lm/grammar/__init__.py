"""Grammars that are written by hand: JSGF and lists of sentences, as weighted acceptors."""
