"""How languages are written."""
