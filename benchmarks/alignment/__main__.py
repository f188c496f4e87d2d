"""How far the aligner's phone boundaries are from those of a speech synthesiser.

flite (http://cmuflite.org) speaks sentences and prints when each of its phones ends. The aligner
gets the audio and the words only: it is flat-started on these very recordings with the CMU
dictionary, aligns them, and its boundaries are compared with flite's wherever both have the same
two phones beside the boundary. Models that were trained on other speech may align it beside::

    python -m benchmarks.alignment --sentences 200 --voices kal,slt,rms,awb --models DIR DIR

What adaptation to the speaker (fMLLR) changes is measured too: of the voices that the aligner was
trained on, and of the last voice with an aligner that was trained on the others.
"""

from __future__ import annotations

import argparse
import random
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.alignment.boundaries import boundary_errors, summary, word_edge_errors
from benchmarks.alignment.models import Alignments, aligned_with
from benchmarks.common.report import Row, add_json_option, print_rows, write_json
from recognizer.alignment.flat_start import flat_start
from recognizer.alignment.flat_start_options import FlatStartOptions, PassOptions
from recognizer.alignment.gmm_aligner import FlatStartModel
from recognizer.am.hmm.fmllr import FmllrOptions
from recognizer.data.alignments.alignment import Segment
from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.data.text.english.dictionary import english_lexicon

SUBJECTS = """the farmer|my sister|a young doctor|the old captain|our neighbour|the quiet teacher
his brother|every child|the tall stranger|the baker|a clever thief|the busy nurse|her uncle
the little girl|a hungry dog|the judge|their cousin|the painter|a famous singer|the grey horse"""
VERBS = """found|carried|watched|painted|bought|followed|remembered|opened|washed|chose|measured
borrowed|noticed|forgot|lifted|repaired|described|admired|guarded|moved"""
OBJECTS = """the yellow basket|a broken clock|seven wooden chairs|the heavy door|an empty bottle
some fresh bread|the narrow bridge|a pair of shoes|the green umbrella|a long letter
the kitchen table|his father's boat|three silver coins|the garden wall|a bag of apples
the village church|a thick rope|the last photograph|a cup of coffee|the northern road"""
ENDINGS = """before the storm came|in the early morning|without saying a word|near the river
after breakfast|for the first time|on a cold winter evening|behind the school|with great pleasure
while the children were asleep|at the edge of the forest|just as the train arrived|last thursday
to everyone's surprise|under a cloudless sky|because nobody else would|during the music
as quickly as possible|from the other side|until the sun went down"""

PHONES = {"pau": "SIL", "ax": "AH", "axr": "ER", "ix": "IH"}
"""flite's phones that are called otherwise in the CMU dictionary."""


def sentences(count: int, seed: int = 1) -> list[str]:
    """Distinct sentences made from the lists above."""
    rng = random.Random(seed)
    parts = [text.replace("\n", "|").split("|") for text in (SUBJECTS, VERBS, OBJECTS, ENDINGS)]
    found: dict[str, None] = {}
    while len(found) < count:
        found[" ".join(rng.choice(part) for part in parts)] = None
    return list(found)


def speak(text: str, voice: str, path: Path) -> list[Segment]:
    """Let flite speak into a WAV file; returns its phones."""
    command = ["flite", "-voice", voice, "-psdur", "-t", text, "-o", str(path)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    segments, start = [], 0.0
    for item in printed.split():
        phone, end = item.rsplit(":", 1)
        segments.append(Segment(PHONES.get(phone, phone.upper()), start, float(end)))
        start = float(end)
    return segments


def small_options() -> FlatStartOptions:
    """Sizes for a quarter of an hour of speech of a few voices."""
    mono = PassOptions(
        passes=20, realign=(*range(1, 11), 13, 16), gaussians=600, growing=14, utterances=0
    )
    triphones = PassOptions(passes=12, realign=(4, 8), gaussians=1500, growing=8, leaves=300)
    return FlatStartOptions(mono=mono, triphone=(triphones,))


def measure(
    count: int, voices: list[str], work: Path, models: Sequence[Path] = ()
) -> dict[str, Any]:
    """Speak, flat-start, align and compare."""
    utterances, reference = [], {}
    for index, text in enumerate(sentences(count)):
        voice = voices[index % len(voices)]
        key = f"{voice}-{index:04d}"
        reference[key] = speak(text, voice, work / f"{key}.wav")
        utterances.append(Utterance(key, work / f"{key}.wav", voice, text))
    begin = time.monotonic()
    words = {word for utterance in utterances for word in utterance.words}
    model = flat_start(utterances, english_lexicon().restricted_to(words), small_options())
    aligned = model.align(utterances)
    seconds = time.monotonic() - begin
    errors: dict[str, list[float]] = {voice: [] for voice in voices}
    for utterance in utterances:
        if utterance.id in aligned.found:
            segments = model.segments(utterance, aligned.found[utterance.id]).phones
            errors[utterance.speaker] += boundary_errors(reference[utterance.id], segments)
    every = np.concatenate([np.array(found) for found in errors.values()])
    adaptation: list[Row] = [
        {"voices": "all", "trained_on": "all", "adapted": said, **found}
        for said, found in (
            ("no", summary(every)),
            ("yes", _errors(_adapted(model), utterances, reference)),
        )
    ]
    if len(voices) > 1:
        last = [one for one in utterances if one.speaker == voices[-1]]
        rest = [one for one in utterances if one.speaker != voices[-1]]
        apart = flat_start(rest, english_lexicon().restricted_to(words), small_options())
        adaptation += [
            {
                "voices": voices[-1],
                "trained_on": "the others",
                "adapted": said,
                **_errors(aligner, last, reference),
            }
            for said, aligner in (("no", apart), ("yes", _adapted(apart)))
        ]
    corpus = Corpus("flite", tuple(utterances))
    alignments = {
        one.id: model.segments(one, aligned.found[one.id])
        for one in utterances
        if one.id in aligned.found
    }
    made: list[tuple[str, Alignments]] = [("flat start on these recordings", alignments)]
    made += [(str(directory), aligned_with(directory, corpus, None)) for directory in models]
    others: list[Row] = []
    for name, some in made:
        for tier in ("words", "phones"):
            differences = [
                error
                for key, alignment in some.items()
                for error in (
                    word_edge_errors(reference[key], alignment)
                    if tier == "words"
                    else boundary_errors(reference[key], alignment.phones)
                )
            ]
            facts = {"model": name, "tier": tier, "failed": count - len(some)}
            others.append({**facts, "compared": len(differences), **summary(np.array(differences))})
    return {
        "sentences": count,
        "failed": len(aligned.failed),
        "unknown_words": sum(aligned.unknown.values()),
        "boundaries": sum(len(segments) - 1 for segments in reference.values()),
        "compared": len(every),
        "training_and_alignment_seconds": round(seconds, 1),
        **summary(every),
        "voices": {voice: summary(np.array(found)) for voice, found in errors.items()},
        "adaptation": adaptation,
        "models": others,
    }


def _adapted(model: FlatStartModel) -> FlatStartModel:
    """The aligner, adapting to each voice."""
    return replace(model, options=replace(model.options, fmllr=FmllrOptions()))


def _errors(
    model: FlatStartModel, utterances: Sequence[Utterance], reference: dict[str, list[Segment]]
) -> dict[str, float]:
    """How far a model's phone boundaries are from flite's."""
    found = model.align(utterances).found
    errors = [
        error
        for one in utterances
        if one.id in found
        for error in boundary_errors(reference[one.id], model.segments(one, found[one.id]).phones)
    ]
    return summary(np.array(errors))


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--sentences", type=int, default=200)
    parser.add_argument("--voices", default="kal,slt,rms,awb", help="flite's names, comma between")
    parser.add_argument("--models", type=Path, nargs="+", default=[], metavar="DIR")
    add_json_option(parser)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as work:
        result = measure(
            arguments.sentences, arguments.voices.split(","), Path(work), arguments.models
        )
    voices = result["voices"]
    parts = ("voices", "adaptation", "models")
    every = {name: value for name, value in result.items() if name not in parts}
    print_rows("Phone boundaries, ours less flite's", [every])
    print_rows("By voice", [{"voice": name} | found for name, found in voices.items()])
    print_rows("Adaptation to the speaker", result["adaptation"])
    print_rows("Words and phones", result["models"])
    write_json(arguments.json, result)


if __name__ == "__main__":
    main()
