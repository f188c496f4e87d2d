"""The command ``recognizer lm``: `recognizer.cli.main` looks for it under this name."""

from recognizer.cli.lm.main import lm as lm
