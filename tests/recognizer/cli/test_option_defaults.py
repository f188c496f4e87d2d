"""A command's defaults are those of the options class that owns them, also in its help."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, fields
from typing import Any

import click
import pytest

from recognizer.alignment.corpus.noise_words import MAX_NOISE
from recognizer.alignment.corpus.validation import ValidationOptions
from recognizer.cli.alignment.align import align
from recognizer.cli.alignment.validate import validate
from recognizer.cli.g2p import g2p
from recognizer.cli.lattices.keywords import index, score, search
from recognizer.cli.lm.estimate import estimate
from recognizer.cli.lm.neural import train as train_neural
from recognizer.cli.lm.units import train as train_pieces
from recognizer.cli.recognize import recognize
from recognizer.cli.serve import serve
from recognizer.cli.transcribe import transcribe
from recognizer.decoding.keywords.index import IndexSettings
from recognizer.formats.cues import SubtitleOptions
from recognizer.keywords.detections import DetectionOptions
from recognizer.live.pcm import PcmFormat
from recognizer.lm.estimation.options import EstimateOptions
from recognizer.lm.neural.word_options import WordNetworkOptions
from recognizer.lm.pronunciation.training import PronunciationOptions
from recognizer.lm.units.pieces import PieceOptions
from recognizer.pipelines.language_model.options import WordTrainingOptions
from recognizer.serving.shared.options import ServerOptions
from recognizer.transcription.selection import SelectionOptions


def own_defaults(kind: type, names: Mapping[str, str] = {}) -> dict[str, Any]:
    """Defaults of a class's fields by the parameters that set them."""
    given = {one.name: one.default for one in fields(kind) if one.default is not MISSING}
    return {names.get(key, key): value for key, value in given.items()}


@pytest.mark.parametrize(
    ("command", "defaults"),
    [
        (search, own_defaults(DetectionOptions)),
        (score, own_defaults(DetectionOptions)),
        (index, {"min_posterior": IndexSettings(0.01).min_posterior}),
        (train_pieces, own_defaults(PieceOptions)),
        (train_neural, own_defaults(WordNetworkOptions)),
        (train_neural, own_defaults(WordTrainingOptions)),
        (estimate, {"order": EstimateOptions().order}),
        (g2p, {"order": PronunciationOptions().order}),
        (align, {"max_noise": 100 * MAX_NOISE}),
        (
            validate,
            {
                "max_noise": 100 * ValidationOptions().max_noise,
                "max_wer": ValidationOptions().word_error_rate,
            },
        ),
        (
            recognize,
            own_defaults(SubtitleOptions, {"max_characters_per_second": "characters_per_second"}),
        ),
        (recognize, own_defaults(PcmFormat)),
        (serve, own_defaults(ServerOptions)),
        (transcribe, own_defaults(SelectionOptions)),
    ],
)
def test_defaults_are_those_of_the_options(
    command: click.Command, defaults: dict[str, Any]
) -> None:
    compared = 0
    for option in command.params:
        if not isinstance(option, click.Option) or option.name not in defaults:
            continue
        own, found = defaults[option.name], option.to_info_dict()["default"]
        named = re.search(r"\[default: ([^\s\],]+)( MiB| hours)?", option.help or "")
        if isinstance(own, tuple) and found is not None:
            found = tuple(int(part) for part in found.split(","))
        elif found is None and named is not None:
            found = type(own)(named[1])
            found *= {None: 1, " MiB": 1 << 20, " hours": 3600}[named[2]]
        if found is not None:
            assert found == own, option.name
            compared += 1
    assert compared
