"""Errors of a network that spells, without graph and language models: its best path of characters.

Graves et al. 2006, "Connectionist Temporal Classification", section 3.2 (best path decoding).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from recognizer.am.features.fbank import fbank
from recognizer.am.nnet.ctc import greedy_tokens
from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.data.errors import SpeechError
from recognizer.data.parallel.threads import thread_map
from recognizer.data.text.characters import spelled
from recognizer.evaluation.error_counts import ErrorCounts, total
from recognizer.evaluation.transcript_files import write_trn
from recognizer.evaluation.word_alignment import count_errors
from recognizer.model.bundle import ModelBundle

Words = tuple[str, ...]


@dataclass(frozen=True)
class GreedyEvaluation:
    """What was said, and what the network spells.

    Attributes:
        references: words of the transcript, by utterance.
        heard: words of the best path's characters, by the model's text rules, by utterance.
        failed: why, by the id of each utterance that could not be read.
    """

    references: Mapping[str, Words]
    heard: Mapping[str, Words]
    failed: Mapping[str, str]

    @property
    def words(self) -> ErrorCounts:
        """Errors of words, pooled; those of utterances that could not be read are deleted."""
        return total(
            count_errors(words, self.heard.get(key, ())) for key, words in self.references.items()
        )

    @property
    def characters(self) -> ErrorCounts:
        """Errors of characters, spaces between words among them, pooled likewise."""
        return total(
            count_errors(_characters(words), _characters(self.heard.get(key, ())))
            for key, words in self.references.items()
        )

    def lines(self) -> Iterator[str]:
        """Two lines as Kaldi's, with %CER and %WER."""
        yield f"{self.characters} greedy".replace("%WER", "%CER", 1)
        yield f"{self.words} greedy"

    def write(self, directory: str | Path) -> None:
        """Write ref.trn and hyp.trn, for sclite and `recognizer score`.

        Raises:
            SpeechError: a file that cannot be written.
        """
        target = Path(directory)
        target.mkdir(parents=True, exist_ok=True)
        heard = {key: self.heard.get(key, ()) for key in self.references}
        for name, words in (("ref.trn", self.references), ("hyp.trn", heard)):
            write_trn(target / name, words.items())


def evaluate_greedy(
    corpus: Corpus, model: str | Path | None = None, *, jobs: int = 1
) -> GreedyEvaluation:
    """Spell every utterance of a corpus.

    Args:
        corpus: recordings with transcripts.
        model: a model directory of acoustic kind "ctc".
        jobs: threads.

    Raises:
        SpeechError: a damaged model, or no utterance that can be read.
        UsageError: there is no such model directory, or it is of another kind.
    """
    bundle = ModelBundle(model)
    characters, acoustic = bundle.characters, bundle.acoustic_model
    corpus = corpus.normalized(bundle.config.text_rules)

    def words(utterance: Utterance) -> Words | str:
        """The words, or why there are none."""
        try:
            features = fbank(utterance.samples(), acoustic.features)
        except SpeechError as error:
            return str(error)
        tokens = greedy_tokens(acoustic.scores(features)).tokens
        return tuple(bundle.text_rules.normalize(characters.decode(tokens.tolist())).split())

    answers = thread_map(words, corpus, jobs)
    found = dict(zip((one.id for one in corpus), answers, strict=True))
    failed = {key: reason for key, reason in found.items() if isinstance(reason, str)}
    if len(failed) == len(found):
        reason = next(iter(failed.values()), "no utterances")
        raise SpeechError(f"{corpus.name}: expected utterances to evaluate, found none: {reason}")
    heard = {key: words for key, words in found.items() if not isinstance(words, str)}
    return GreedyEvaluation({one.id: one.words for one in corpus}, heard, failed)


def _characters(words: Words) -> Words:
    return tuple(spelled(" ".join(words)))
