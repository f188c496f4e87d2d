r"""What a narrower beam costs and saves: error rates of both passes, processor time of each part.

    python -m benchmarks.recognition.beams mini-librispeech/dev excerpts80/dev \
        --beams 15 13.5 12 --json b.json

Every beam recognises the same utterances, utterance by utterance in turn, on one thread. Times are
those of the processor, so that other work on the machine disturbs little; the real-time factor
holds features, network, search, lattice and rescoring, but not the start.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


from benchmarks.common.report import add_json_option, print_rows, write_json
from recognizer.am.features.fbank import fbank
from recognizer.am.nnet.acoustic_model import HybridModel
from recognizer.am.nnet.native import PRECISIONS, NativeNetwork
from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.corpora.corpus import read_corpus
from recognizer.data.errors import SpeechError
from recognizer.evaluation.error_counts import ErrorCounts
from recognizer.evaluation.word_alignment import count_errors
from recognizer.model.bundle import ModelBundle
from recognizer.recognizer import Recognizer

Result = TypeVar("Result")


class Contestant:
    """A recogniser with its beams, its errors and its times."""

    def __init__(self, bundle: ModelBundle, beam: float, lattice_beam: float) -> None:
        self.beam, self.lattice_beam = beam, lattice_beam
        given = bundle.config
        search = replace(given.search, beam=beam, lattice_beam=lattice_beam)
        bundle.config = replace(given, search=search)
        self.recognizer = Recognizer(bundle)  # which keeps the options of now
        bundle.config = given
        self.first: dict[str, ErrorCounts] = {}
        self.second: dict[str, ErrorCounts] = {}
        self.seconds = {"search and lattice": 0.0, "rescoring": 0.0}

    def recognize(self, name: str, reference: tuple[str, ...], scores: Any) -> None:
        """One utterance."""
        recognizer = self.recognizer
        lattice = self._timed("search and lattice", lambda: recognizer.first_pass(scores))
        rescored = self._timed("rescoring", lambda: recognizer.second_pass(lattice))
        for counts, path in (
            (self.first, recognizer.first_best(lattice)),
            (self.second, rescored.best),
        ):
            found = count_errors(reference, recognizer.path_words(path))
            counts[name] = counts.get(name, ErrorCounts()) + found

    def _timed(self, part: str, work: Callable[[], Result]) -> Result:
        began = time.process_time()
        result = work()
        self.seconds[part] += time.process_time() - began
        return result


def main() -> None:
    """Recognise, print the table and write the file."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0], formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    parser.add_argument("data", nargs="+", type=Path)
    parser.add_argument("--model", type=Path, help="model directory (default: the package's)")
    parser.add_argument("--beams", type=float, nargs="+", default=[15.0, 14.0, 13.0, 12.0])
    parser.add_argument("--lattice-beams", type=float, nargs="+", default=[8.0])
    parser.add_argument("--precision", choices=PRECISIONS, help="instead of the model's own")
    parser.add_argument("--every", type=int, default=1, help="take every Nth utterance")
    add_json_option(parser)
    arguments = parser.parse_args()
    if arguments.every < 1:
        parser.error(f"--every: expected a number above 0, found {arguments.every}")
    try:
        run(arguments)
    except SpeechError as error:
        sys.exit(f"Error: {error}")


def run(arguments: argparse.Namespace) -> None:
    """Recognise with what the command line asks for."""
    bundle = ModelBundle(arguments.model)
    precision = arguments.precision or bundle.config.acoustic.precision
    model = HybridModel(NativeNetwork(bundle.network, precision), bundle.config.features)
    pairs = [(beam, lattice) for beam in arguments.beams for lattice in arguments.lattice_beams]
    contestants = [Contestant(bundle, *pair) for pair in pairs]
    before, audio = 0.0, 0.0
    for data in arguments.data:
        corpus = read_corpus(data).normalized(bundle.config.text_rules)
        for utterance in list(corpus)[:: arguments.every]:
            samples = utterance.samples()
            began = time.process_time()
            scores = model.scores(fbank(samples, model.features))
            before += time.process_time() - began
            audio += len(samples) / SAMPLE_RATE
            contestants.append(contestants.pop(0))  # nobody is always the first
            for contestant in contestants:
                contestant.recognize(str(data), utterance.words, scores)
    contestants.sort(key=lambda one: (-one.beam, -one.lattice_beam))
    rows = [row(contestant, before, audio) for contestant in contestants]
    print_rows(f"{audio / 60:.1f} minutes, {precision}", rows)
    write_json(arguments.json, {"rows": rows})


def row(contestant: Contestant, before: float, audio: float) -> dict[str, Any]:
    """The figures of one contestant."""
    result: dict[str, Any] = {"beam": contestant.beam, "lattice beam": contestant.lattice_beam}
    for name in contestant.first:
        first, second = contestant.first[name], contestant.second[name]
        result[f"{name}, first pass"] = f"{first.wer:.2f} ({first.errors})"
        result[f"{name}, rescored"] = f"{second.wer:.2f} ({second.errors})"
    times = {"features and network": before, **contestant.seconds}
    for part, seconds in times.items():
        result[f"{part}, RTF"] = round(seconds / audio, 4)
    result["RTF"] = round(sum(times.values()) / audio, 4)
    return result


if __name__ == "__main__":
    main()
