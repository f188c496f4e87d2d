"""Training of the pronunciation model: alignment of a lexicon, and an n-gram model of graphones."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from recognizer.data.errors import UsageError
from recognizer.data.lexicon.lexicon import Pronunciation
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.estimation.estimate import estimate_ngrams
from recognizer.lm.estimation.options import DISCOUNT_FALLBACK, EstimateOptions
from recognizer.lm.model.prune import prune_ngrams
from recognizer.lm.pronunciation.alignment import align_lexicon
from recognizer.lm.pronunciation.model import PronunciationModel


@dataclass(frozen=True)
class PronunciationOptions:
    """How a pronunciation model is trained.

    Attributes:
        order: graphones in the longest n-gram.
        iterations: of expectation maximisation over the alignments.
        ngrams: n-grams above unigrams that pruning leaves; None: all.
        bits: of a quantised log probability or back-off weight, 8 to 16; None: exact.
    """

    order: int = 8
    iterations: int = 12
    ngrams: int | None = None
    bits: int | None = 8

    def __post_init__(self) -> None:
        """Check the values; those of the order are `EstimateOptions`'s."""
        EstimateOptions(order=self.order)
        if self.iterations < 1:
            raise UsageError(f"iterations: expected at least 1, found {self.iterations}")
        if self.ngrams is not None and self.ngrams < 1:
            raise UsageError(f"ngrams: expected at least 1, found {self.ngrams}")
        if self.bits is not None and not 8 <= self.bits <= 16:
            raise UsageError(f"bits: expected 8 to 16, found {self.bits}")


def train_pronunciations(
    entries: Iterable[Pronunciation],
    options: PronunciationOptions | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> PronunciationModel:
    """Train a pronunciation model on a lexicon.

    The entries are aligned, and a modified Kneser-Ney model is estimated of their graphones. A
    CMU-like dictionary of 130,000 entries takes about 20 seconds and 1 GB.

    Phones may have marks, as those of stress that `TextRules.with_stress` makes: vowels of another
    stress are other graphones, so that a word's stress, which its letters hint at, says how its
    vowels are spoken. Phones without marks come out.

    Args:
        entries: a lexicon, or some of its entries. Their probabilities are not used.
        options: see `PronunciationOptions`.
        report: is told what was done.

    Raises:
        SpeechError: as `recognizer.lm.pronunciation.alignment.align_lexicon`.
    """
    options = options or PronunciationOptions()
    aligned = align_lexicon(entries, iterations=options.iterations)
    lines = (" ".join(graphone.token for graphone in one) for one in aligned.entries)
    smoothing = EstimateOptions(order=options.order, discount_fallback=DISCOUNT_FALLBACK)
    model = estimate_ngrams(lines, None, smoothing).model
    found = sum(model.counts)
    if options.ngrams is not None and found - model.counts[0] > options.ngrams:
        model = prune_ngrams(model, ngrams=options.ngrams)
    left_out = f", {len(aligned.left_out)} without an alignment" if aligned.left_out else ""
    report(
        f"{len(aligned.entries)} entries aligned{left_out}; {model.counts[0] - 3} graphones, "
        f"{sum(model.counts)} of {found} n-grams"
    )
    return PronunciationModel(NgramAutomaton.from_model(model).compact(bits=options.bits))
