r"""How often a tolerant alignment finds exactly what is wrong with a transcript.

Words of correct transcripts are deleted, inserted or replaced at random; then the recordings are
aligned with what is left. A word that was put in should be skipped; a word that was taken out
should be covered by garbage where it was spoken, which an ordinary alignment of the correct
transcript tells. Correct transcripts show how often something is found that is not there. Several
settings of the costs share the network's scores.

A network knows the recordings it was trained on too well to tell how it takes others. --speed
changes their speed, and pitch and formants with it, which makes other speakers of them::

    python -m benchmarks.alignment.tolerance DATA --utterances 200 --speed 1.15 \
        --costs 1,1,1 2,2,1 4,4,2
"""

from __future__ import annotations

import argparse
import os
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


import numpy as np

from benchmarks.common.report import add_json_option, print_rows, write_json
from recognizer.alignment.network_aligner import align_options
from recognizer.am.features.fbank import fbank
from recognizer.data.augmentation.speed import speed_perturb
from recognizer.data.corpora.corpus import read_corpus
from recognizer.decoding.alignment.align import Aligner, AlignmentError, ForcedPath
from recognizer.decoding.alignment.tolerance import Tolerance
from recognizer.model.bundle import ModelBundle


@dataclass(frozen=True)
class Damaged:
    """A transcript after edits.

    Attributes:
        words: what is left.
        origin: for each of them its index in the correct transcript, -1 for one that was put in.
        removed: indices in the correct transcript of words that are not in it any more.
    """

    words: tuple[str, ...]
    origin: tuple[int, ...]
    removed: frozenset[int]


def damage(words: Sequence[str], others: Sequence[str], rate: float, rng: random.Random) -> Damaged:
    """Deletes, inserts before, or replaces each word with a probability of a third of the rate."""
    result: list[str] = []
    origin: list[int] = []
    removed = set()
    for index, word in enumerate(words):
        kind = rng.random() / rate * 3
        if kind < 2:  # deleted or replaced
            removed.add(index)
        if 1 <= kind < 3:  # replaced, or one more
            # Nothing that is said here anyway: then it could not be told which one is wrong.
            near = words[max(0, index - 2) : index + 3]
            result.append(rng.choice([other for other in others if other not in near]))
            origin.append(-1)
        if kind >= 2:
            result.append(word)
            origin.append(index)
    return Damaged(tuple(result), tuple(origin), frozenset(removed))


class Measured:
    """Counts over utterances for one setting."""

    def __init__(self, aligner: Aligner) -> None:
        self.aligner = aligner
        self.counts: Counter[str] = Counter()
        self.seconds = 0.0

    def add(self, words: Sequence[str], scores: np.ndarray, strict: Aligner, case: Damaged) -> None:
        """Align one utterance with its correct and with its damaged transcript."""
        counts = self.counts
        reference = strict.path(words, scores)
        times = strict.segments(words, reference).words
        clean = self._path(words, scores)
        counts["words"] += len(words)
        counts["clean_skips"] += len(clean.skipped(words))
        counts["clean_garbage"] += clean.spoken.count(-1)
        begin = time.perf_counter()
        path = self._path(case.words, scores)
        self.seconds += time.perf_counter() - begin
        skipped = set(path.skipped(case.words))
        wrong = {i for i, origin in enumerate(case.origin) if origin < 0}
        counts["skips_right"] += len(skipped & wrong)
        counts["skips_found"] += len(skipped)
        counts["skips_true"] += len(wrong)
        found = self.aligner.segments(case.words, path).words
        removed = np.zeros(len(scores), dtype=bool)
        garbage = np.zeros(len(scores), dtype=bool)
        for index in case.removed:
            removed[times[index].start : times[index].end] = True
        for segment, index in zip(found, path.spoken, strict=True):
            if index < 0:
                garbage[segment.start : segment.end] = True
                counts["garbage_found"] += 1
                counts["garbage_right"] += removed[segment.start : segment.end].mean() >= 0.5
            elif case.origin[index] >= 0:
                true = times[case.origin[index]]
                counts["boundaries"] += 2
                counts["boundaries_near"] += abs(segment.start - true.start) <= 2
                counts["boundaries_near"] += abs(segment.end - true.end) <= 2
        counts["removed"] += len(case.removed)
        counts["removed_covered"] += sum(
            garbage[times[index].start : times[index].end].mean() >= 0.5 for index in case.removed
        )
        counts["frames"] += len(scores)

    def _path(self, words: Sequence[str], scores: np.ndarray) -> ForcedPath:
        try:
            return self.aligner.path(words, scores)
        except AlignmentError:
            self.counts["failed"] += 1
            return ForcedPath(np.zeros(0, np.int32), 0.0, tuple(range(len(words))))

    def row(self, frame_shift: float) -> dict[str, object]:
        """What was measured, as precisions, recalls and shares."""
        counts, tolerance = self.counts, self.aligner.tolerance
        assert tolerance is not None

        def share(part: str, whole: str) -> float:
            return round(counts[part] / max(counts[whole], 1), 4)

        return {
            "skip_cost": tolerance.skip_cost,
            "garbage_cost": tolerance.garbage_cost,
            "phone_cost": tolerance.phone_cost,
            "beam": tolerance.beam,
            "failed": counts["failed"],
            "skip_precision": share("skips_right", "skips_found"),
            "skip_recall": share("skips_right", "skips_true"),
            "garbage_precision": share("garbage_right", "garbage_found"),
            "garbage_recall": share("removed_covered", "removed"),
            "other_boundaries_within_20_ms": share("boundaries_near", "boundaries"),
            "correct_transcripts": {
                "words": counts["words"],
                "skipped": counts["clean_skips"],
                "garbage": counts["clean_garbage"],
            },
            "real_time_factor": round(self.seconds / (counts["frames"] * frame_shift), 5),
        }


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="corpus with correct transcripts")
    parser.add_argument("--model", help="model directory [default: English]")
    parser.add_argument("--utterances", type=int, default=100)
    parser.add_argument("--rate", type=float, default=0.15, help="share of words that are damaged")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--beam", type=float, default=Tolerance().beam)
    parser.add_argument(
        "--speed", type=float, default=1.0, metavar="FACTOR", help="perturb the audio's speed"
    )
    default = Tolerance()
    parser.add_argument(
        "--costs",
        nargs="+",
        metavar="SKIP,GARBAGE,PHONE",
        default=[f"{default.skip_cost},{default.garbage_cost},{default.phone_cost}"],
    )
    add_json_option(parser)
    arguments = parser.parse_args()
    bundle = ModelBundle(arguments.model)
    acoustic = bundle.alignment
    parts = bundle.lexicon, bundle.phones, acoustic.tree, acoustic.transitions
    options = align_options(bundle.config)
    strict = Aligner(*parts, options)
    settings = []
    for costs in arguments.costs:
        tolerance = replace(Tolerance(*map(float, costs.split(","))), beam=arguments.beam)
        settings.append(Measured(Aligner(*parts, options, tolerance)))
    rng = random.Random(arguments.seed)
    utterances = [
        utterance
        for utterance in read_corpus(arguments.data)
        if utterance.words and not strict.unknown(utterance.words)
    ]
    utterances = rng.sample(utterances, min(arguments.utterances, len(utterances)))
    spoken = [word for utterance in utterances for word in utterance.words]
    for utterance in utterances:
        samples = speed_perturb(utterance.samples(), arguments.speed)
        model = acoustic.acoustic_model
        scores = model.scores(fbank(samples, model.features))
        case = damage(utterance.words, spoken, arguments.rate, rng)
        for setting in settings:
            setting.add(utterance.words, scores, strict, case)
    rows = [setting.row(acoustic.acoustic_model.output_frame_shift) for setting in settings]
    result = {
        "utterances": len(utterances),
        "put_in": settings[0].counts["skips_true"],
        "taken_out": settings[0].counts["removed"],
        "rows": rows,
    }
    print_rows(
        "{utterances} utterances, {put_in} words put in, {taken_out} taken out".format(**result),
        rows,
    )
    write_json(arguments.json, result)


if __name__ == "__main__":
    main()
