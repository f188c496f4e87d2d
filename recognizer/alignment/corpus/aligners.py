"""Aligners for a corpus: read or trained, with a pronunciation for as many words as possible."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from recognizer.alignment.aligned_set import CorpusAligner
from recognizer.alignment.corpus.noise_words import MAX_NOISE, check_noise
from recognizer.alignment.flat_start import flat_start
from recognizer.alignment.flat_start_options import FlatStartOptions
from recognizer.alignment.gmm_aligner import FlatStartModel
from recognizer.alignment.lexicons import (
    GRAPHEMES,
    chosen_rules,
    transcript_lexicon,
    with_derived,
)
from recognizer.alignment.network_aligner import NetworkAligner, align_options
from recognizer.am.hmm.fmllr import FmllrOptions
from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.data.lexicon.reading import read_lexicon
from recognizer.data.text.rules import text_rules
from recognizer.decoding.alignment.align import AlignOptions
from recognizer.lm.pronunciation.training import train_pronunciations
from recognizer.model.bundle import ModelBundle

LEAST_ENTRIES = 300
"""A lexicon needs so many words for a pronunciation model to be trained on it."""


def train_aligner(
    corpus: Corpus,
    lexicon: str | None = None,
    *,
    text_rules: str | None = None,
    derive: bool = True,
    max_noise: float = MAX_NOISE,
    options: FlatStartOptions | None = None,
    work_dir: str | Path | None = None,
    jobs: int | None = None,
    report: Callable[[str], None] = lambda line: None,
) -> tuple[FlatStartModel, Corpus]:
    """Train an aligner on a corpus itself, from a flat start.

    Args:
        corpus: audio and transcripts.
        lexicon: a file, "graphemes", or None for the dictionary of the rule set
            (`recognizer.alignment.lexicons`).
        text_rules: name of the rule set (`recognizer.data.text.rules`); None is "english" without
            a lexicon, else "unicode".
        derive: give words outside the lexicon pronunciations: those that the rule set derives, and
            else those of a pronunciation model that is trained on the lexicon if it has at least
            `LEAST_ENTRIES` words.
        max_noise: share of the words that may be without a pronunciation, 0 to 1.
        options: sizes and numbers of passes of the flat start.
        work_dir: where each finished stage is kept, so that an interrupted training goes on.
        jobs: threads; None for one a core.
        report: called with each line of progress.

    Returns:
        The aligner, and the corpus with the words of the rule set.

    Raises:
        SpeechError: a faulty lexicon or transcript, more words without a pronunciation, or nothing
            that can be aligned.
        UsageError: an impossible rule set.
    """
    rules = chosen_rules(text_rules, lexicon)
    chosen = corpus.normalized(rules)
    known = transcript_lexicon(lexicon, rules, Path(), [chosen])
    if derive and lexicon != GRAPHEMES:
        known = _with_guesses(known, rules, list(_words(chosen)), report)
    check_noise(chosen, known, max_noise)
    return (
        flat_start(chosen.utterances, known, options, work_dir, jobs=jobs, report=report),
        chosen,
    )


def open_model(model: str | Path | None) -> ModelBundle | FlatStartModel:
    """A model directory, or what `FlatStartModel.write` wrote; None is the English model.

    Raises:
        SpeechError: a missing or damaged model.
    """
    if model is not None and (Path(model) / "gmm.safetensors").exists():
        return FlatStartModel.read(model)
    return ModelBundle(model)


def read_aligner(
    model: str | Path | ModelBundle | FlatStartModel | None,
    corpus: Corpus,
    *,
    derive: bool = True,
    add_lexicon: str | Path | None = None,
    beam: float | None = None,
    retry_beam: float | None = None,
) -> tuple[CorpusAligner, Corpus]:
    """Read an aligner for a corpus.

    Args:
        model: a model directory, or what `FlatStartModel.write` wrote, or one of these opened;
            None is the English model of this package. Its own rule set makes the words of the
            transcripts. A model of pieces of words can spell any word.
        corpus: what is to be aligned.
        derive: give words outside the lexicon pronunciations: those of the rule set's dictionary or
            that it derives, and else those of the model's pronunciation model (of an aligner
            without one: of one that is trained on its lexicon).
        add_lexicon: a file of further pronunciations, in phones of the model.
        beam: of alignment, in place of the model's (`AlignOptions`).
        retry_beam: of the second attempt, likewise.

    Returns:
        The aligner, and the corpus with the words of the model's rule set.

    Raises:
        SpeechError: a missing or damaged model or lexicon, a phone that the model lacks, or a
            transcript that its rules refuse.
        UsageError: an impossible beam.
    """
    bundle = model if isinstance(model, ModelBundle | FlatStartModel) else open_model(model)
    if isinstance(bundle, FlatStartModel):
        trained = bundle
        chosen = corpus.normalized(trained.text_rules)
        lexicon = _with_added(
            trained.lexicon, add_lexicon, trained.text_rules, trained.phones.base_phones
        )
        if derive:
            lexicon = _with_guesses(lexicon, trained.text_rules, list(_words(chosen)))
        align = with_beams(trained.options.align, beam, retry_beam)
        options = replace(trained.options, align=align)
        return replace(trained, lexicon=lexicon, options=options), chosen
    rules = bundle.config.text_rules
    chosen = corpus.normalized(rules)
    if bundle.config.units == "pieces":  # its lexicon has no words, but any word can be spelled
        lexicon = transcript_lexicon(GRAPHEMES, rules, Path(), [chosen])
    else:
        lexicon = bundle.lexicon
    lexicon = _with_added(lexicon, add_lexicon, rules, bundle.phones.base_phones)
    if derive and bundle.config.units != "pieces":
        words = {word for word in _words(chosen) if word not in lexicon}
        lexicon = lexicon.merged_with(bundle.pronouncer.lexicon(words))
    beams = with_beams(align_options(bundle.config), beam, retry_beam)
    return NetworkAligner(bundle, lexicon, beams), chosen


def speaker_adapted(aligner: CorpusAligner, options: FmllrOptions | None = None) -> CorpusAligner:
    """The same aligner, adapting features to each speaker by fMLLR.

    Raises:
        UsageError: it is a network, whose features fMLLR is not for.
    """
    if not isinstance(aligner, FlatStartModel):
        raise UsageError(
            "adaptation to speakers: expected an aligner of Gaussian mixtures (--train), found a "
            "network"
        )
    chosen = replace(aligner.options, fmllr=options or FmllrOptions())
    return replace(aligner, options=chosen)


def with_beams(options: AlignOptions, beam: float | None, retry_beam: float | None) -> AlignOptions:
    """Options with the beams that are given."""
    return replace(
        options,
        beam=options.beam if beam is None else beam,
        retry_beam=options.retry_beam if retry_beam is None else retry_beam,
    )


def _with_added(
    lexicon: Lexicon, path: str | Path | None, rules: str, phones: Sequence[str]
) -> Lexicon:
    """A lexicon with the entries of a file, all of whose phones a model has."""
    if path is None:
        return lexicon
    added = read_lexicon(path, text_rules(rules)).lexicon
    unknown = sorted(set(added.phones) - set(phones))
    if unknown:
        first = next(entry for entry in added if unknown[0] in entry.phones)
        near = {one: difflib.get_close_matches(one, phones, n=1, cutoff=0.5) for one in unknown}
        named = ", ".join(
            f"{one} ({near[one][0]}?)" if near[one] else one for one in unknown[:10]
        ) + (", ..." if len(unknown) > 10 else "")
        raise SpeechError(
            f"{path}: expected phones of the model ({' '.join(phones)}), found {len(unknown)} "
            f"others: {named}; the first is in the word {first.word!r}"
        )
    return lexicon.merged_with(added)


def _with_guesses(
    lexicon: Lexicon,
    rules: str,
    words: Sequence[str],
    report: Callable[[str], None] = lambda line: None,
) -> Lexicon:
    """A lexicon with pronunciations for words that it lacks, by rule or by a trained model."""
    known = with_derived(lexicon, rules, words)
    missing = {word for word in words if word not in known}
    if not missing or len(lexicon) < LEAST_ENTRIES:
        return known
    report(f"{len(missing)} words outside the lexicon: training a pronunciation model on it")
    return known.merged_with(train_pronunciations(lexicon).lexicon(sorted(missing)))


def _words(utterances: Iterable[Utterance]) -> Iterable[str]:
    return (word for utterance in utterances for word in utterance.words)
