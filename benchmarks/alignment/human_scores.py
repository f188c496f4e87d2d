"""How pronunciation scores agree with those of experts, on speechocean762.

The corpus is aligned with its transcripts, and the scores of its phones and words (goodness of
pronunciation, `recognizer align --pronunciation`) are compared with the means of five experts, by
the correlations of Pearson and of Spearman. SCORES is ``scores.json``, ``scores-detail.json`` or
``utt2score`` of the corpus's repository, https://github.com/jimbozhang/speechocean762::

    python -m benchmarks.alignment.human_scores speechocean762/dev --scores scores.json

Goodness of pronunciation has another scale than the experts, and another spread for each phone.
Therefore the scores are also mapped to those of the experts, as Kaldi's recipe
``gop_speechocean762`` does it: by a quadratic function for each phone, here fitted on the other
half of the speakers.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from benchmarks.alignment.expert_scores import ExpertWord, read_expert_scores
from benchmarks.common.report import Row, add_json_option, print_rows, write_json
from recognizer.alignment.corpus.aligners import read_aligner
from recognizer.alignment.corpus.corpus_alignment import align_corpus
from recognizer.alignment.corpus.pronunciation import WordScore
from recognizer.data.corpora.corpus import Corpus, read_corpus
from recognizer.data.errors import SpeechError
from recognizer.data.text.english.dictionary import ARPABET_VOWELS

FloatArray = npt.NDArray[np.float64]

_LEAST = 30
"""A phone has a function of its own where so many of it are fitted to."""


@dataclass(frozen=True)
class Scored:
    """A phone or a word with both scores.

    Attributes:
        speaker: who said it.
        label: the phone; for all words the same.
        ours: goodness of pronunciation, at most 0, natural log.
        human: mean of the experts.
    """

    speaker: str
    label: str
    ours: float
    human: float


def expert_phones(phones: Sequence[str], word: ExpertWord) -> list[float | None]:
    """The experts' mean score of each phone of a pronunciation; None where no expert has it.

    Experts may write other phones than the dictionary: the sequences are matched first.
    """
    given: list[list[float]] = [[] for _ in phones]
    for expert in word.phones:
        for index, theirs in _matched(phones, [name for name, _ in expert]):
            given[index].append(expert[theirs][1])
    return [sum(scores) / len(scores) if scores else None for scores in given]


def _matched(phones: Sequence[str], others: Sequence[str]) -> list[tuple[int, int]]:
    """Pairs of the cheapest alignment; a vowel and a consonant are never a pair."""

    @cache
    def best(i: int, j: int) -> tuple[int, tuple[tuple[int, int], ...]]:
        if not i or not j:
            return i + j, ()
        ways = [(cost + 1, pairs) for cost, pairs in (best(i - 1, j), best(i, j - 1))]
        ours, theirs = phones[i - 1], others[j - 1]
        if (ours in ARPABET_VOWELS) == (theirs in ARPABET_VOWELS):
            cost, pairs = best(i - 1, j - 1)
            ways.append((cost + (ours != theirs), (*pairs, (i - 1, j - 1))))
        return min(ways, key=lambda way: way[0])

    return list(best(len(phones), len(others))[1])


def compared(
    corpus: Corpus,
    pronunciation: Mapping[str, Sequence[WordScore]],
    experts: Mapping[str, Sequence[ExpertWord]],
) -> dict[str, list[Scored]]:
    """Phones and words that both have scored.

    Utterances are matched by the end of their ids, as a corpus may put something before.
    """
    found: dict[str, list[Scored]] = {"phones": [], "words": []}
    for utterance in corpus:
        known = experts.get(utterance.id, experts.get(utterance.id.split("-")[-1]))
        ours = pronunciation.get(utterance.id)
        if known is None or ours is None:
            continue
        if [word.segment.label for word in ours] != [word.text for word in known]:
            continue
        for word, expert in zip(ours, known, strict=True):
            found["words"].append(Scored(utterance.speaker, "", word.score, expert.accuracy))
            labels = [phone.segment.label for phone in word.phones]
            for phone, human in zip(word.phones, expert_phones(labels, expert), strict=True):
                if human is not None:
                    label = phone.segment.label
                    found["phones"].append(Scored(utterance.speaker, label, phone.score, human))
    return found


def mapped(scored: Sequence[Scored]) -> FloatArray:
    """Our scores on the experts' scale, by functions fitted on the other half of the speakers."""
    speakers = sorted({one.speaker for one in scored})
    if len(speakers) < 2:
        raise SpeechError(f"expected at least 2 speakers, found {len(speakers)}")
    half = {speaker: index % 2 for index, speaker in enumerate(speakers)}
    made = np.zeros(len(scored))
    for part in (0, 1):
        rest: dict[str, list[Scored]] = defaultdict(list)
        for one in scored:
            if half[one.speaker] != part:
                rest[one.label].append(one)
        together = _fitted(one for some in rest.values() for one in some)
        own = {label: _fitted(some) for label, some in rest.items() if len(some) >= _LEAST}
        for index, one in enumerate(scored):
            if half[one.speaker] == part:
                made[index] = own.get(one.label, together)(one.ours)
    human = [one.human for one in scored]
    return np.clip(made, min(human), max(human))


def _fitted(scored: Iterable[Scored]) -> Callable[[float], float]:
    chosen = list(scored)
    ours, human = np.array([one.ours for one in chosen]), np.array([one.human for one in chosen])
    fitted: Callable[[float], float] = np.polynomial.Polynomial.fit(ours, human, 2)
    return fitted


def correlation(ours: FloatArray, human: FloatArray) -> float:
    """Pearson's."""
    return float(np.corrcoef(ours, human)[0, 1])


def ranks(values: FloatArray) -> FloatArray:
    """The rank of each value from 0 on; equal values share their mean rank."""
    _, which, counts = np.unique(values, return_inverse=True, return_counts=True)
    ends = np.cumsum(counts)
    found: FloatArray = (ends - 0.5 * (counts + 1))[which]
    return found


def rows(found: Mapping[str, Sequence[Scored]]) -> list[Row]:
    """A row for phones and one for words.

    Raises:
        SpeechError: nothing was scored by both.
    """
    made: list[Row] = []
    for tier, scored in found.items():
        if not scored:
            raise SpeechError("expected utterances that the experts have scored, found none")
        ours = np.array([one.ours for one in scored])
        human = np.array([one.human for one in scored])
        fitted = mapped(scored)
        made.append(
            {
                "tier": tier,
                "compared": len(scored),
                "pearson": round(correlation(ours, human), 4),
                "spearman": round(correlation(ranks(ours), ranks(human)), 4),
                "pearson_mapped": round(correlation(fitted, human), 4),
                "mean_square_error_mapped": round(float(np.mean((fitted - human) ** 2)), 4),
            }
        )
    return made


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="speechocean762, or a part of it")
    parser.add_argument("--scores", type=Path, required=True, metavar="FILE", help="of the experts")
    parser.add_argument("--model", type=Path, help="model directory or aligner [default: English]")
    parser.add_argument("--utterances", type=int, metavar="N", help="so many [default: all]")
    parser.add_argument("--jobs", type=int, metavar="N", help="threads [default: cores]")
    add_json_option(parser)
    arguments = parser.parse_args()
    experts = read_expert_scores(arguments.scores)
    corpus = read_corpus(arguments.data)
    if arguments.utterances:
        corpus = corpus.spread(arguments.utterances)
    aligner, corpus = read_aligner(arguments.model, corpus)
    aligned = align_corpus(corpus, aligner, jobs=arguments.jobs)
    found = rows(compared(corpus, aligned.pronunciation, experts))
    print_rows(f"Scores beside those of experts, {len(corpus)} utterances", found)
    write_json(arguments.json, {"data": str(arguments.data), "rows": found})


if __name__ == "__main__":
    main()
