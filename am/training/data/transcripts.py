"""Transcripts as targets of networks that spell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from recognizer.am.training.criteria.targets import TokenSequence
from recognizer.data.errors import SpeechError
from recognizer.data.text.characters import CharacterSet
from recognizer.data.text.rules import TextRules


@dataclass(frozen=True)
class SpelledTranscripts:
    """Targets by utterance.

    Attributes:
        targets: the outputs that spell each transcript.
        dropped: one line for each utterance that has none, with the reason.
    """

    targets: dict[str, TokenSequence]
    dropped: tuple[str, ...]


def spell_transcripts(
    transcripts: Mapping[str, str], characters: CharacterSet, rules: TextRules
) -> SpelledTranscripts:
    """The targets of those transcripts that the characters can spell.

    Whether an utterance is long enough for its target is for
    `recognizer.am.training.data.checked_data.CheckedData` to say, which knows its frames.

    Args:
        transcripts: by utterance, as they are in a corpus.
        characters: of the network.
        rules: how the language is written.
    """
    targets: dict[str, TokenSequence] = {}
    dropped = []
    for utterance, transcript in transcripts.items():
        try:
            text = rules.normalize(transcript)
            if not text:
                raise SpeechError("expected words, found none")
            targets[utterance] = TokenSequence(characters.encode(text))
        except SpeechError as error:
            dropped.append(f"{utterance}: {error}")
    return SpelledTranscripts(targets, tuple(dropped))
