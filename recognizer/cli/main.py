"""``recognizer``: everything but transcribing, as sub-commands loaded when they are asked for."""

from __future__ import annotations

import importlib

import click

from recognizer.cli.run import run

COMMANDS = {
    "align": "Find when each word and phone of known transcripts is spoken.",
    "align-one": "Find when each word and phone of one recording is spoken.",
    "alignments": "Read, check and convert alignments of other programs.",
    "augment": "Write augmented copies of recordings, to listen to.",
    "combine": "Combine systems by their lattices.",
    "compare": "Compare the errors of two systems.",
    "conditions": "Word error rates in noise and rooms, by telephone, after codecs.",
    "curves": "Plot how trainings went.",
    "evaluate": "Recognise a test set and print its word error rates.",
    "experiment": "Compare networks that are trained alike.",
    "g2p": "Print pronunciations of words, known or not.",
    "keywords": "Find words and phrases in recordings.",
    "lattice": "Write the lattices of a data set.",
    "lm": "Estimate, prune, mix, test and convert n-gram language models.",
    "model": "Show, check or change a model directory.",
    "plot": "Draw alignments, lattices and the reliability of confidences.",
    "readable": "Train the tagger that makes transcripts readable.",
    "recipe": "Build a model from corpora and text, stage by stage.",
    "retrain": "Train a model's network anew; all else of it stays.",
    "score": "Compare two transcript files.",
    "serve": "Serve a page, OpenAI's transcription API and Vosk's websocket.",
    "train": "Train a network from alignments.",
    "transcribe": "Transcribe speech that has no transcripts, to train on it.",
    "tune": "Choose scales and penalty on development sets.",
    "validate": "Find what aligning a corpus would meet.",
}
"""Sub-commands with their short help: module ``recognizer.cli.NAME`` holds the command NAME."""

_FOLDERS = {
    "alignment": ("align", "align-one", "alignments", "validate"),
    "lattices": ("combine", "keywords", "lattice"),
    "training": (
        "augment",
        "curves",
        "experiment",
        "readable",
        "recipe",
        "retrain",
        "train",
    ),
}
"""Those of modules ``recognizer.cli.FOLDER.NAME``."""


class _Commands(click.Group):
    """Imports a sub-command's module only when it is run: listing them stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        folder = next((f"{one}." for one, names in _FOLDERS.items() if cmd_name in names), "")
        name = cmd_name.replace("-", "_")
        module = importlib.import_module(f"recognizer.cli.{folder}{name}")
        command: click.Command = getattr(module, name)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="recognizer")
def recognizer() -> None:
    """Train, tune, evaluate and inspect speech recognisers.

    \b
    Examples:
      recognizer evaluate data/test --out exp/test
      recognizer model show
      recognizer score ref.trn hyp.trn

    To transcribe recordings there is the command recognize.
    """


def main() -> None:
    """Entry point of the console command."""
    run(recognizer, "recognizer")
