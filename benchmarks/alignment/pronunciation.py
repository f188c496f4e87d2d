"""Whether pronunciation scores find phones that were not said as the dictionary has them.

In correct transcripts, some phones of the dictionary are replaced by others, so that the audio has
another phone than the aligner is told; whatever else is mispronounced stays as it is. Printed is
the area under the ROC curve of the phone scores: the probability that a replaced phone scores below
one that is as it was; 0.5 is chance. Replacements are any other phone of the same class (vowels,
consonants), which is hardest where the two are close::

    python -m benchmarks.alignment.pronunciation DATA --utterances 200 --share 0.1
"""

from __future__ import annotations

import argparse
import random

import numpy as np

from benchmarks.common.report import add_json_option, print_rows, write_json
from recognizer.alignment.aligned_set import parallel
from recognizer.alignment.corpus.pronunciation import pronunciation_scores
from recognizer.alignment.network_aligner import NetworkAligner
from recognizer.am.features.fbank import fbank
from recognizer.data.corpora.corpus import Utterance, read_corpus
from recognizer.data.lexicon.lexicon import Lexicon, Pronunciation
from recognizer.data.text.english.dictionary import ARPABET_VOWELS
from recognizer.decoding.alignment.align import AlignmentError, path_alignment
from recognizer.model.bundle import ModelBundle


def damaged(
    phones: tuple[str, ...], every: tuple[str, ...], share: float, rng: random.Random
) -> tuple[tuple[str, ...], tuple[bool, ...]]:
    """Phones with some of them replaced, and which."""
    changed = tuple(rng.random() < share for _ in phones)
    kinds = {
        kind: [phone for phone in every if (phone in ARPABET_VOWELS) == kind]
        for kind in (True, False)
    }
    made = tuple(
        rng.choice([one for one in kinds[phone in ARPABET_VOWELS] if one != phone])
        if wrong
        else phone
        for phone, wrong in zip(phones, changed, strict=True)
    )
    return made, changed


def area(wrong: np.ndarray, right: np.ndarray) -> float:
    """Probability that one of the wrong scores is below one of the right ones; ties count half."""
    order = np.sort(right)
    below = np.searchsorted(order, wrong, side="left")
    upto = np.searchsorted(order, wrong, side="right")
    return float(1.0 - (below + upto).mean() / (2 * len(right)))


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", help="corpus with correct transcripts")
    parser.add_argument("--model", help="model directory [default: English]")
    parser.add_argument("--utterances", type=int, default=200)
    parser.add_argument("--share", type=float, default=0.1, help="of phones that are replaced")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int)
    add_json_option(parser)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    bundle = ModelBundle(arguments.model)
    every = tuple(phone for phone in bundle.lexicon.phones if phone != "SPN")
    corpus = read_corpus(arguments.data).spread(arguments.utterances)
    entries: list[Pronunciation] = []
    changes: dict[str, tuple[bool, ...]] = {}
    utterances: list[tuple[Utterance, list[str]]] = []
    for utterance in corpus:
        if not all(word in bundle.lexicon for word in utterance.words):
            continue
        words = []
        for index, word in enumerate(utterance.words):
            name = f"{utterance.id}:{index}"
            phones, changed = damaged(bundle.lexicon[word][0].phones, every, arguments.share, rng)
            entries.append(Pronunciation(name, phones))
            changes[name] = changed
            words.append(name)
        utterances.append((utterance, words))
    parts = bundle.alignment
    model = parts.acoustic_model
    aligner = NetworkAligner(bundle, Lexicon(entries)).aligner()

    def scored(index: int) -> list[tuple[bool, float]]:
        utterance, words = utterances[index]
        likelihoods = model.scores(fbank(utterance.samples(), model.features))
        try:
            path = aligner.path(words, likelihoods, scored=True)
        except AlignmentError:
            return []
        assert path.scores is not None
        alignment = path_alignment(
            utterance.id,
            words,
            path.tids,
            parts.transitions,
            bundle.phones,
            model.output_frame_shift,
        )
        found = pronunciation_scores(alignment, path.scores, model.output_frame_shift)
        return [
            (wrong, phone.score)
            for word in found
            for wrong, phone in zip(changes[word.segment.label], word.phones, strict=True)
        ]

    all_scores = [
        one for some in parallel(scored, range(len(utterances)), arguments.jobs) for one in some
    ]
    wrong = np.array([score for changed, score in all_scores if changed])
    right = np.array([score for changed, score in all_scores if not changed])
    row = {
        "data": arguments.data,
        "phones": len(all_scores),
        "replaced": len(wrong),
        "area": round(area(wrong, right), 4),
        "median_right": round(float(np.median(right)), 3),
        "median_replaced": round(float(np.median(wrong)), 3),
    }
    print_rows("Phones that were not said", [row])
    write_json(arguments.json, row)


if __name__ == "__main__":
    main()
