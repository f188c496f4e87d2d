"""How languages are written: rule sets, and transcripts."""
