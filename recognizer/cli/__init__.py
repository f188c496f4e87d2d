"""The console commands ``recognize`` and ``recognizer``."""
