"""Hybrid HMM/NN speech recognition: audio in, words with times out.

>>> from recognizer import Recognizer
>>> Recognizer().recognize("interview.wav").text
'well to begin with ...'

The names below are the public interface; everything else may change. Each is imported when it is
first used, so that ``recognize --help`` need not wait for numpy, and torch is loaded by training
alone.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recognizer.alignment.corpus.aligners import read_aligner as read_aligner
    from recognizer.alignment.corpus.aligners import train_aligner as train_aligner
    from recognizer.alignment.corpus.corpus_alignment import CorpusAlignment as CorpusAlignment
    from recognizer.alignment.corpus.corpus_alignment import align_corpus as align_corpus
    from recognizer.alignment.corpus.corpus_alignment import align_one as align_one
    from recognizer.alignment.corpus.validation import CorpusValidation as CorpusValidation
    from recognizer.alignment.corpus.validation import validate_corpus as validate_corpus
    from recognizer.am.nnet.acoustic_model import AcousticModel as AcousticModel
    from recognizer.am.nnet.acoustic_model import AcousticSession as AcousticSession
    from recognizer.data.alignments.alignment import Alignment as Alignment
    from recognizer.data.audio.reading import read_audio as read_audio
    from recognizer.data.corpora.corpus import Corpus as Corpus
    from recognizer.data.corpora.corpus import Utterance as Utterance
    from recognizer.data.corpora.corpus import read_corpus as read_corpus
    from recognizer.data.errors import SpeechError as SpeechError
    from recognizer.data.errors import UsageError as UsageError
    from recognizer.data.lexicon.lexicon import Lexicon as Lexicon
    from recognizer.data.text.rules import TextRules as TextRules
    from recognizer.data.text.rules import text_rules as text_rules
    from recognizer.decoding.alignment.tolerance import Tolerance as Tolerance
    from recognizer.decoding.keywords.index import KeywordIndex as KeywordIndex
    from recognizer.decoding.lattice.combination import SystemLattice as SystemLattice
    from recognizer.decoding.lattice.combination import combine as combine
    from recognizer.decoding.lattice.kaldi import read_kaldi_lattices as read_kaldi_lattices
    from recognizer.decoding.lattice.kaldi import write_kaldi_lattices as write_kaldi_lattices
    from recognizer.decoding.lattice.lattice import BestPath as BestPath
    from recognizer.decoding.lattice.lattice import CompactLattice as CompactLattice
    from recognizer.decoding.lattice.mbr import MbrResult as MbrResult
    from recognizer.decoding.lattice.mbr import mbr as mbr
    from recognizer.decoding.lattice.oracle import Oracle as Oracle
    from recognizer.decoding.lattice.oracle import oracle as oracle
    from recognizer.decoding.lattice.paths import best_path as best_path
    from recognizer.decoding.lattice.paths import n_best as n_best
    from recognizer.decoding.lattice.posteriors import Posteriors as Posteriors
    from recognizer.decoding.lattice.posteriors import posteriors as posteriors
    from recognizer.decoding.lattice.slf import read_slf as read_slf
    from recognizer.decoding.lattice.slf import write_slf as write_slf
    from recognizer.decoding.rescoring.neural import (
        NeuralRescoringOptions as NeuralRescoringOptions,
    )
    from recognizer.decoding.rescoring.rescore import RescoringOptions as RescoringOptions
    from recognizer.decoding.search.search import SearchOptions as SearchOptions
    from recognizer.evaluation.bootstrap import Interval as Interval
    from recognizer.evaluation.bootstrap import PairedDifference as PairedDifference
    from recognizer.evaluation.bootstrap import paired_difference as paired_difference
    from recognizer.evaluation.bootstrap import wer_interval as wer_interval
    from recognizer.evaluation.compare import SystemComparison as SystemComparison
    from recognizer.evaluation.compare import SystemErrors as SystemErrors
    from recognizer.evaluation.compare import compare as compare
    from recognizer.evaluation.compare import errors_of_result as errors_of_result
    from recognizer.evaluation.error_counts import ErrorCounts as ErrorCounts
    from recognizer.evaluation.evaluate import CorpusEvaluation as CorpusEvaluation
    from recognizer.evaluation.evaluate import evaluate as evaluate
    from recognizer.evaluation.tune import tune as tune
    from recognizer.evaluation.word_alignment import count_errors as count_errors
    from recognizer.evaluation.word_alignment import word_error_rate as word_error_rate
    from recognizer.formats.cues import SubtitleOptions as SubtitleOptions
    from recognizer.formats.subtitles import srt as srt
    from recognizer.formats.subtitles import vtt as vtt
    from recognizer.keywords.detections import Detection as Detection
    from recognizer.keywords.detections import DetectionOptions as DetectionOptions
    from recognizer.keywords.detections import detections as detections
    from recognizer.keywords.indexing import index_corpus as index_corpus
    from recognizer.keywords.indexing import index_lattices as index_lattices
    from recognizer.keywords.scoring import score_keywords as score_keywords
    from recognizer.keywords.term_weighted_value import TermWeightedValues as TermWeightedValues
    from recognizer.lm.automaton.automaton import NgramAutomaton as NgramAutomaton
    from recognizer.lm.estimation.estimate import Estimate as Estimate
    from recognizer.lm.estimation.estimate import estimate_ngrams as estimate_ngrams
    from recognizer.lm.estimation.estimate import (
        estimate_ngrams_of_files as estimate_ngrams_of_files,
    )
    from recognizer.lm.estimation.options import EstimateOptions as EstimateOptions
    from recognizer.lm.model.interpolate import interpolate_ngrams as interpolate_ngrams
    from recognizer.lm.model.interpolate import tune_weights as tune_weights
    from recognizer.lm.model.language_model import LanguageModel as LanguageModel
    from recognizer.lm.model.language_model import read_language_model as read_language_model
    from recognizer.lm.model.model_files import WriteOptions as WriteOptions
    from recognizer.lm.model.model_files import read_ngrams as read_ngrams
    from recognizer.lm.model.model_files import write_ngrams as write_ngrams
    from recognizer.lm.model.perplexity import Perplexity as Perplexity
    from recognizer.lm.model.perplexity import perplexity as perplexity
    from recognizer.lm.model.prune import prune_ngrams as prune_ngrams
    from recognizer.lm.neural.word_model import NeuralLanguageModel as NeuralLanguageModel
    from recognizer.lm.ngram.model import NgramModel as NgramModel
    from recognizer.lm.pronunciation.model import Guess as Guess
    from recognizer.lm.pronunciation.model import PronunciationModel as PronunciationModel
    from recognizer.lm.pronunciation.pronouncer import Pronouncer as Pronouncer
    from recognizer.lm.pronunciation.training import PronunciationOptions as PronunciationOptions
    from recognizer.lm.pronunciation.training import train_pronunciations as train_pronunciations
    from recognizer.lm.resources import Resources as Resources
    from recognizer.long.recognition import BrokenRecordingError as BrokenRecordingError
    from recognizer.long.segmentation import SegmentationOptions as SegmentationOptions
    from recognizer.model.bundle import ModelBundle as ModelBundle
    from recognizer.pipelines.build import build_model as build_model
    from recognizer.pipelines.build import retrain_model as retrain_model
    from recognizer.pipelines.train import train_from_file as train_from_file
    from recognizer.readable.writer import ReadableWriter as ReadableWriter
    from recognizer.recognition.result import Hypothesis as Hypothesis
    from recognizer.recognition.result import Result as Result
    from recognizer.recognition.result import TranscriptSegment as TranscriptSegment
    from recognizer.recognition.result import Word as Word
    from recognizer.recognizer import Recognizer as Recognizer
    from recognizer.streaming.aio import AsyncStream as AsyncStream
    from recognizer.streaming.endpointing import EndpointOptions as EndpointOptions
    from recognizer.streaming.endpointing import EndpointRule as EndpointRule
    from recognizer.streaming.events import Final as Final
    from recognizer.streaming.events import Partial as Partial
    from recognizer.streaming.group import DeadlineError as DeadlineError
    from recognizer.streaming.group import GroupStream as GroupStream
    from recognizer.streaming.group import StreamGroup as StreamGroup
    from recognizer.streaming.scheduler import BacklogError as BacklogError
    from recognizer.streaming.scheduler import GroupOptions as GroupOptions
    from recognizer.streaming.stream import Stream as Stream
    from recognizer.vocabulary.adaptation import Adaptation as Adaptation
    from recognizer.vocabulary.grammar import Grammar as Grammar
    from recognizer.vocabulary.grammar import read_grammar as read_grammar
    from recognizer.vocabulary.phrases import Phrase as Phrase
    from recognizer.vocabulary.phrases import read_phrases as read_phrases
    from recognizer.vocabulary.words import NewWord as NewWord
    from recognizer.vocabulary.words import read_words as read_words

_MODULES = {
    "alignment.corpus.aligners": "read_aligner train_aligner",
    "alignment.corpus.corpus_alignment": "CorpusAlignment align_corpus align_one",
    "alignment.corpus.validation": "CorpusValidation validate_corpus",
    "am.nnet.acoustic_model": "AcousticModel AcousticSession",
    "data.alignments.alignment": "Alignment",
    "data.audio.reading": "read_audio",
    "data.corpora.corpus": "Corpus Utterance read_corpus",
    "data.errors": "SpeechError UsageError",
    "data.lexicon.lexicon": "Lexicon",
    "data.text.rules": "TextRules text_rules",
    "decoding.alignment.tolerance": "Tolerance",
    "decoding.keywords.index": "KeywordIndex",
    "decoding.lattice.combination": "SystemLattice combine",
    "decoding.lattice.kaldi": "read_kaldi_lattices write_kaldi_lattices",
    "decoding.lattice.lattice": "BestPath CompactLattice",
    "decoding.lattice.mbr": "MbrResult mbr",
    "decoding.lattice.oracle": "Oracle oracle",
    "decoding.lattice.paths": "best_path n_best",
    "decoding.lattice.posteriors": "Posteriors posteriors",
    "decoding.lattice.slf": "read_slf write_slf",
    "decoding.rescoring.neural": "NeuralRescoringOptions",
    "decoding.rescoring.rescore": "RescoringOptions",
    "decoding.search.search": "SearchOptions",
    "evaluation.bootstrap": "Interval PairedDifference paired_difference wer_interval",
    "evaluation.compare": "SystemComparison SystemErrors compare errors_of_result",
    "evaluation.error_counts": "ErrorCounts",
    "evaluation.evaluate": "CorpusEvaluation evaluate",
    "evaluation.tune": "tune",
    "evaluation.word_alignment": "count_errors word_error_rate",
    "formats.cues": "SubtitleOptions",
    "formats.subtitles": "srt vtt",
    "keywords.detections": "Detection DetectionOptions detections",
    "keywords.indexing": "index_corpus index_lattices",
    "keywords.scoring": "score_keywords",
    "keywords.term_weighted_value": "TermWeightedValues",
    "lm.automaton.automaton": "NgramAutomaton",
    "lm.estimation.estimate": "Estimate estimate_ngrams estimate_ngrams_of_files",
    "lm.estimation.options": "EstimateOptions",
    "lm.model.interpolate": "interpolate_ngrams tune_weights",
    "lm.model.language_model": "LanguageModel read_language_model",
    "lm.model.model_files": "WriteOptions read_ngrams write_ngrams",
    "lm.model.perplexity": "Perplexity perplexity",
    "lm.model.prune": "prune_ngrams",
    "lm.neural.word_model": "NeuralLanguageModel",
    "lm.ngram.model": "NgramModel",
    "lm.pronunciation.model": "Guess PronunciationModel",
    "lm.pronunciation.training": "PronunciationOptions train_pronunciations",
    "lm.pronunciation.pronouncer": "Pronouncer",
    "lm.resources": "Resources",
    "long.recognition": "BrokenRecordingError",
    "long.segmentation": "SegmentationOptions",
    "model.bundle": "ModelBundle",
    "pipelines.build": "build_model retrain_model",
    "pipelines.train": "train_from_file",
    "readable.writer": "ReadableWriter",
    "recognition.result": "Hypothesis Result TranscriptSegment Word",
    "recognizer": "Recognizer",
    "streaming.aio": "AsyncStream",
    "streaming.endpointing": "EndpointOptions EndpointRule",
    "vocabulary.adaptation": "Adaptation",
    "vocabulary.grammar": "Grammar read_grammar",
    "vocabulary.phrases": "Phrase read_phrases",
    "vocabulary.words": "NewWord read_words",
    "streaming.events": "Final Partial",
    "streaming.group": "DeadlineError GroupStream StreamGroup",
    "streaming.scheduler": "BacklogError GroupOptions",
    "streaming.stream": "Stream",
}
"""Where each public name is defined; the imports above say the same to type checkers."""

_MODULE_OF = {
    name: f"{__name__}.{module}" for module, names in _MODULES.items() for name in names.split()
}

__all__ = sorted(_MODULE_OF)


def __getattr__(name: str) -> Any:
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULE_OF[name]), name)


def __dir__() -> list[str]:
    return [*globals(), *_MODULE_OF]
