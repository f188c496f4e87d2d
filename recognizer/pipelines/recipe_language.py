"""The stages of a recipe that make its language models: text, their units, estimation, pruning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from recognizer.alignment.lexicons import load_lexicon, text_lexicon
from recognizer.data.corpora.corpus import read_corpus
from recognizer.data.io.console import console
from recognizer.data.io.files import read_lines, replace_text
from recognizer.data.io.options import to_table
from recognizer.data.text.characters import CharacterSet
from recognizer.data.text.english.books import book_sentences
from recognizer.data.text.rules import text_rules
from recognizer.data.text.transcripts import spoken_words
from recognizer.lm.arpa.files import read_arpa, write_arpa
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.estimation.estimate import DISCOUNT_FALLBACK, EstimateOptions, estimate_ngrams
from recognizer.lm.model.perplexity import perplexity
from recognizer.lm.model.prune import history_probs, prune_ngrams, pruning_losses
from recognizer.lm.ngram.model import NgramModel
from recognizer.lm.pronunciation.model import PronunciationModel
from recognizer.lm.pronunciation.training import train_pronunciations
from recognizer.model import files
from recognizer.model.config import TrainingData
from recognizer.pipelines.acoustic.ctc_stages import CHARACTERS_STAGE
from recognizer.pipelines.recipe import Recipe, TrainingSet, find_text, stages_of
from recognizer.pipelines.recipe_mixture import mix, mixed_file
from recognizer.pipelines.recipe_units import (
    SENTENCES,
    Units,
    make_pieces,
    piece_units,
    require_sentencepiece,
    spelled_units,
    word_units,
)
from recognizer.stages import Stage

FIRST_PASS_ARPA = "first_pass.arpa.gz"
LM_DECIMALS = 3
"""Digits of log10 probabilities: more would make files larger and nothing better."""

# Options of the language models that are compared only where they are used, so that recipes which
# lack them need not run anew.
_ADDED = "mixed", "lexicon_words", "transcripts"


class LanguageStages:
    """Stages ``text``, ``pieces`` or ``pronunciation`` if the recipe has them, and ``lm``.

    Args:
        recipe: what is made.
        sets: all that is trained on, whose transcripts can be text.
        corpora: directory of the corpora and texts that the recipe names.
        work: parent of the stages' directories.
        jobs: processes or threads, where a stage can use several.
    """

    def __init__(
        self, recipe: Recipe, sets: Sequence[TrainingSet], corpora: Path, work: Path, jobs: int
    ) -> None:
        self._recipe = recipe
        self._sets = tuple(sets)
        self._corpora = corpora
        self._work = work
        self._jobs = jobs

    def stages(self) -> list[Stage]:
        """The stages, in order."""
        recipe = self._recipe
        table = to_table(recipe)
        lm, lexicon = table["lm"], {"lexicon": recipe.lexicon}
        language = language_options(recipe)
        mixed = {"mixed": [one["text"] for one in lm["mixed"]]} if recipe.lm.mixed else {}
        spoken = {}
        if recipe.lm.transcripts:
            data = [one.data for one in self._sets]
            spoken = {"transcripts": data, "development": list(recipe.tuning.data)}
        stages = [
            Stage(
                "text",
                {"text": lm["text"], "books": lm["books"]} | language | mixed | spoken,
                stages_of(self._sets) if spoken else (),
                self._text_stage,
                "normalising the text",
                self._check_text,
            )
        ]
        inputs = ["text"]
        if recipe.pieces is not None:
            inputs = ["pieces"]
            stages.append(
                Stage(
                    "pieces",
                    table["pieces"],
                    ("text",),
                    self._pieces_stage,
                    "finding pieces of words",
                    require_sentencepiece,
                )
            )
        elif recipe.pronunciation is not None:
            inputs.append("pronunciation")
            stages.append(
                Stage(
                    "pronunciation",
                    lexicon | language | {"options": table["pronunciation"]},
                    (),
                    self._pronunciation_stage,
                    "training the pronunciation model",
                )
            )
        if recipe.kind == "ctc":
            inputs.append(CHARACTERS_STAGE)
        stages.append(
            Stage(
                "lm",
                {key: value for key, value in lm.items() if value or key not in _ADDED} | lexicon,
                tuple(inputs),
                self._lm_stage,
                "estimating and pruning the language models",
            )
        )
        return stages

    def training_data(self) -> tuple[TrainingData, ...]:
        """What a model records of the texts."""
        lm = self._recipe.lm
        name = " ".join((*lm.text, *(("transcripts",) if lm.transcripts else ())))
        return (
            TrainingData(name, lm.text_licence, words=_count_words(self._text)),
            *(
                TrainingData(
                    " ".join(one.text),
                    one.text_licence,
                    words=_count_words(self._text.parent / mixed_file(index)),
                )
                for index, one in enumerate(lm.mixed)
            ),
        )

    def _check_text(self) -> None:
        for patterns in (self._recipe.lm.text, *(one.text for one in self._recipe.lm.mixed)):
            find_text(patterns, self._corpora)

    def _text_stage(self, directory: Path) -> None:
        with replace_text(directory / SENTENCES) as stream:
            for sentence in self._sentences(find_text(self._recipe.lm.text, self._corpora)):
                stream.write(sentence + "\n")
            for sentence in self._transcripts() if self._recipe.lm.transcripts else ():
                stream.write(sentence + "\n")
        for index, one in enumerate(self._recipe.lm.mixed):
            with replace_text(directory / mixed_file(index)) as stream:
                for sentence in self._normalized(find_text(one.text, self._corpora)):
                    stream.write(sentence + "\n")

    def _pieces_stage(self, directory: Path) -> None:
        assert self._recipe.pieces is not None
        make_pieces(self._text, self._recipe.pieces, directory)

    def _pronunciation_stage(self, directory: Path) -> None:
        assert self._recipe.pronunciation is not None
        lexicon = load_lexicon(self._recipe.lexicon, self._recipe.rules, self._corpora)
        entries = text_rules(self._recipe.rules).with_stress(lexicon)
        model = train_pronunciations(entries, self._recipe.pronunciation, console.print)
        model.save(directory / files.PRONUNCIATION)

    def _lm_stage(self, directory: Path) -> None:
        options = self._recipe.lm
        smoothing = EstimateOptions(
            order=options.order,
            cutoffs=options.cutoffs,
            discount_fallback=DISCOUNT_FALLBACK if options.discount_fallback else None,
        )
        units = self._units()
        sentences, vocabulary = units.sentences, units.vocabulary
        if units.lexicon is not None:
            units.lexicon.write(directory / files.LEXICON)
        # Hard pruning wants lower orders that keep the text's marginals, which Kneser-Ney's are
        # not (Chelba et al. 2010): the first pass's model counts occurrences in all orders.
        absolute = replace(smoothing, continuation_counts=False)
        model = estimate_ngrams(read_lines(sentences), vocabulary, absolute).model
        # Both models have the same n-grams: one's are the other's histories, row by row.
        histories = history_probs(model)
        first = prune_ngrams(
            model,
            ngrams=options.first_pass_ngrams,
            losses=pruning_losses(model, histories),
        )
        if options.mixed:
            first = self._mixed(first, vocabulary, absolute, options.first_pass_ngrams)
        model = estimate_ngrams(read_lines(sentences), vocabulary, smoothing).model
        losses = pruning_losses(model, histories)
        del histories
        large = prune_ngrams(model, ngrams=options.rescoring_ngrams, losses=losses)
        del model, losses
        if options.mixed:
            large = self._mixed(large, vocabulary, smoothing, options.rescoring_ngrams)
        models = {
            files.FIRST_PASS: self._rounded(first, directory / FIRST_PASS_ARPA),
            files.RESCORING: self._rounded(large, directory / files.RESCORING_ARPA).compact(),
        }
        for name, automaton in models.items():
            automaton.save(directory / name)
        table = []
        for data in self._recipe.tuning.data:
            corpus = read_corpus(self._corpora / data).normalized(self._recipe.rules)
            lines = [units.segment(" ".join(u.words)) for u in corpus]
            for name, automaton in models.items():
                result = perplexity(automaton, lines)
                ngrams = [int(count) for count in automaton.metadata["counts"].split()]
                table.append(
                    {
                        "data": data,
                        "model": name,
                        "ngrams": ngrams,
                        "perplexity": round(result.perplexity, 2),
                        "oov": result.oov,
                        "words": result.words,
                    }
                )
                console.print(
                    f"{data}: {name} ({sum(ngrams):,} n-grams): perplexity "
                    f"{result.perplexity:.1f}, {result.oov} of {result.words} words unknown"
                )
        _write_json(directory / "perplexity.json", table)

    def _mixed(
        self,
        model: NgramModel,
        vocabulary: Sequence[str],
        smoothing: EstimateOptions,
        ngrams: int,
    ) -> NgramModel:
        text = self._work / "text"
        return mix(model, self._recipe.lm.mixed, text, vocabulary, smoothing, ngrams)

    def _rounded(self, model: NgramModel, path: Path) -> NgramAutomaton:
        """The automaton of what an ARPA file holds, which is kept for other programs."""
        write_arpa(model, path, decimals=LM_DECIMALS)
        return NgramAutomaton.from_model(read_arpa(path))

    def _sentences(self, files: list[Path]) -> Iterator[str]:
        if self._recipe.lm.books:
            yield from book_sentences(files, processes=self._jobs)
        else:
            yield from self._normalized(files)

    def _transcripts(self) -> Iterator[str]:
        """The transcripts of the training sets that are none of a development set."""
        rules = self._recipe.rules
        development = {
            utterance.words
            for data in self._recipe.tuning.data
            for utterance in read_corpus(self._corpora / data).normalized(rules)
        }
        for one in self._sets:
            for utterance in one.read(self._corpora).normalized(rules):
                if utterance.words and utterance.words not in development:
                    yield " ".join(utterance.words)

    def _normalized(self, files: list[Path]) -> Iterator[str]:
        """The sentences of files that have one a line."""
        rules = text_rules(self._recipe.rules)
        for file in files:
            for line in read_lines(file):
                if words := spoken_words(rules, line):
                    yield " ".join(words)

    @property
    def _text(self) -> Path:
        return self._work / "text" / SENTENCES

    def _units(self) -> Units:
        """What the language models are made of."""
        if self._recipe.pieces is not None:
            return piece_units(self._work / "pieces")
        texts = [self._text]
        texts += [self._text.parent / mixed_file(i) for i in range(len(self._recipe.lm.mixed))]
        if self._recipe.kind == "ctc":
            characters = CharacterSet.read(self._work / CHARACTERS_STAGE / files.CHARACTERS)
            return spelled_units(texts, self._recipe.lm.min_count, characters)
        model = None
        if self._recipe.pronunciation is not None:
            model = PronunciationModel.open(self._work / "pronunciation" / files.PRONUNCIATION)
        pronounce = partial(
            text_lexicon, self._recipe.lexicon, self._recipe.rules, self._corpora, model=model
        )
        known: tuple[str, ...] = ()
        if self._recipe.lm.lexicon_words:
            lexicon = load_lexicon(self._recipe.lexicon, self._recipe.rules, self._corpora)
            is_word = text_rules(self._recipe.rules).is_word
            known = tuple(word for word in lexicon.words if is_word(word))
        return word_units(texts, self._recipe.lm.min_count, pronounce, known)


def language_options(recipe: Recipe) -> dict[str, str]:
    """Plain values that stand for how transcripts are read, where that is not as usual."""
    return {} if recipe.rules == "english" else {"text_rules": recipe.rules}


def _count_words(text: Path) -> int:
    return sum(len(line.split()) for line in read_lines(text))


def _write_json(path: Path, value: object) -> None:
    with replace_text(path) as stream:
        json.dump(value, stream, indent=1)
        stream.write("\n")
