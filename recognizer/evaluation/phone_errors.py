"""Phone error rates: what a network hears without any words, against what the transcript says.

The reference is the forced alignment of the transcript: of each word the pronunciation that fits
best. Phones are heard by a loop over all phones, without context and without a language model of
phones (`recognizer.decoding.alignment.tolerance`), so that the rate is that of the acoustic model
alone. A network that was trained with lattice-free MMI is heard beside the phone language model
that it was trained against (`recognizer.decoding.alignment.phone_recognition`), without which its
scores mean little. Silence and noise do not count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from recognizer.alignment.aligned_set import collect_heard
from recognizer.alignment.lexicons import GRAPHEMES, transcript_lexicon
from recognizer.alignment.network_aligner import AlignerParts, NetworkAligner, PartsAligner
from recognizer.am.features.fbank import fbank
from recognizer.am.hmm.phones import SILENCE, SPOKEN_NOISE
from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.data.errors import SpeechError
from recognizer.decoding.alignment.align import AlignOptions
from recognizer.decoding.alignment.phone_recognition import PhoneRecognizer
from recognizer.decoding.alignment.tolerance import Tolerance
from recognizer.evaluation.error_counts import ErrorCounts
from recognizer.evaluation.transcript_files import write_trn
from recognizer.evaluation.word_alignment import align, count_errors
from recognizer.lm.estimation.acceptor import NgramAcceptor
from recognizer.model.bundle import ModelBundle

LOOP = Tolerance(garbage_cost=0.0, phone_cost=0.5)
"""The costs of the loop, beside scores after the model's acoustic scale."""

Phones = tuple[str, ...]


@dataclass(frozen=True)
class PhoneEvaluation:
    """Phones that were said and that were heard.

    Attributes:
        references: phones of the transcript, by utterance.
        heard: phones that the network hears, by utterance.
        failed: why, by the id of each utterance without these.
    """

    references: dict[str, Phones]
    heard: dict[str, Phones]
    failed: dict[str, str]

    @cached_property
    def errors(self) -> ErrorCounts:
        """Pooled over the utterances; its words are phones."""
        counts = (count_errors(self.references[key], self.heard[key]) for key in self.references)
        return sum(counts, start=ErrorCounts())

    @cached_property
    def confusions(self) -> Counter[tuple[str, str]]:
        """How often a phone (first) was heard as another."""
        return Counter(
            (pair.reference, pair.hypothesis)
            for key in self.references
            for pair in align(self.references[key], self.heard[key])
            if pair.operation == "S" and pair.reference is not None and pair.hypothesis is not None
        )

    def lines(self) -> Iterator[str]:
        """For people: the most frequent confusions, then a line as Kaldi's, with %PER."""
        most = (f"{one} as {other} ({n})" for (one, other), n in self.confusions.most_common(10))
        if self.confusions:
            yield f"most often heard as another phone: {', '.join(most)}"
        yield str(self.errors).replace("%WER", "%PER", 1)

    def write(self, directory: str | Path) -> None:
        """Write ref.trn and hyp.trn with the phones, for sclite and `recognizer score`.

        Raises:
            SpeechError: a file that cannot be written.
        """
        target = Path(directory)
        target.mkdir(parents=True, exist_ok=True)
        for name, phones in (("ref.trn", self.references), ("hyp.trn", self.heard)):
            write_trn(target / name, phones.items())


def evaluate_phones(
    corpus: Corpus, model: str | Path | None = None, *, jobs: int | None = None
) -> PhoneEvaluation:
    """Find what a model's network hears of a corpus, phone by phone.

    Args:
        corpus: recordings with transcripts.
        model: a model directory; None is the English model of this package.
        jobs: threads; None for one a core.

    Raises:
        SpeechError: a damaged model, or no utterance that can be aligned.
        UsageError: there is no such model directory.
    """
    bundle = ModelBundle(model)
    config = bundle.config
    corpus = corpus.normalized(config.text_rules)
    if config.units == "pieces":  # whose phones are letters
        lexicon = transcript_lexicon(GRAPHEMES, config.text_rules, Path(), [corpus])
    else:
        words = {word for utterance in corpus for word in utterance.words}
        lexicon = bundle.pronouncer.lexicon(sorted(words))
    said, failed = _phones(NetworkAligner(bundle, lexicon), corpus.utterances, None, jobs)
    kept = [replace(utterance, text="") for utterance in corpus if utterance.id in said]
    if bundle.phone_model is not None:
        heard, deaf = _chain_phones(bundle, bundle.phone_model, kept, jobs)
    else:
        options = AlignOptions(acoustic_scale=config.search.acoustic_scale, graph=config.graph)
        parts = bundle.acoustic_model, bundle.phones, bundle.tree, bundle.transitions
        loop = PartsAligner(AlignerParts(*parts, lexicon, options))
        heard, deaf = _phones(loop, kept, LOOP, jobs)
    failed |= deaf
    if not heard:
        reason = next(iter(failed.values()), "no utterances")
        raise SpeechError(f"{corpus.name}: expected utterances to evaluate, found none: {reason}")
    return PhoneEvaluation({key: said[key] for key in heard}, heard, failed)


def _chain_phones(
    bundle: ModelBundle, phone_model: NgramAcceptor, utterances: Sequence[Utterance],
    jobs: int | None,
) -> tuple[dict[str, Phones], dict[str, str]]:  # fmt: skip
    """The phones that a network of lattice-free MMI hears, and why, where it hears none."""
    recogniser = PhoneRecognizer(phone_model, bundle.tree)
    network, scale = bundle.acoustic_model, np.float32(bundle.config.search.acoustic_scale)

    def hear(index: int) -> Phones:
        features = fbank(utterances[index].samples(), network.features)
        labels = map(bundle.phones.base, recogniser.phones(scale * network.scores(features)))
        return tuple(label for label in labels if label not in (SILENCE, SPOKEN_NOISE))

    return collect_heard([utterance.id for utterance in utterances], hear, jobs)


def _phones(
    aligner: PartsAligner,
    utterances: Sequence[Utterance],
    tolerance: Tolerance | None,
    jobs: int | None,
) -> tuple[dict[str, Phones], dict[str, str]]:
    """The phones of utterances' paths, and why, of those without a path."""
    aligned = aligner.align(utterances, jobs, tolerance)
    phones = {
        utterance.id: tuple(
            phone.label
            for phone in aligner.segments(utterance, aligned.found[utterance.id]).phones
            if phone.label not in (SILENCE, SPOKEN_NOISE)
        )
        for utterance in utterances
        if utterance.id in aligned.found
    }
    return phones, dict(aligned.failed)
