"""The stages of a recipe, see `recognizer.pipelines.recipe`."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

from recognizer.alignment.lexicons import load_lexicon, text_lexicon
from recognizer.data.corpora.corpus import Corpus, read_corpus
from recognizer.data.io.console import console
from recognizer.data.io.files import read_lines, replace_text
from recognizer.data.io.options import to_table
from recognizer.data.lexicon.lexicon import Lexicon
from recognizer.data.text.english.books import book_sentences
from recognizer.data.text.rules import text_rules
from recognizer.data.text.transcripts import spoken_words
from recognizer.decoding.alignment.align import AlignOptions
from recognizer.lm.arpa.files import read_arpa, write_arpa
from recognizer.lm.automaton.automaton import NgramAutomaton
from recognizer.lm.estimation.estimate import EstimateOptions, estimate_ngrams
from recognizer.lm.model.perplexity import perplexity
from recognizer.lm.model.prune import history_probs, prune_ngrams, pruning_losses
from recognizer.lm.ngram.model import NgramModel
from recognizer.lm.pronunciation.model import PronunciationModel
from recognizer.lm.pronunciation.training import train_pronunciations
from recognizer.model import bundle, files
from recognizer.model import config as model_config
from recognizer.model.first_pass_graph import first_pass_graph
from recognizer.pipelines.acoustic.network_stages import NETWORK_FILE, store_network
from recognizer.pipelines.acoustic.realign import NetworkRealigner
from recognizer.pipelines.acoustic.sequence_stages import PHONE_MODEL
from recognizer.pipelines.acoustic.stages import acoustic_stages
from recognizer.pipelines.acoustic.tree_growing import read_tree
from recognizer.pipelines.development import (
    development_sets,
    measure_model,
    training_record,
    tune_model,
)
from recognizer.pipelines.recipe import Recipe, TrainingSet, find_text
from recognizer.pipelines.recipe_alignment import RecipeAlignment, recipe_alignment
from recognizer.pipelines.recipe_mixture import mix, mixed_file
from recognizer.pipelines.recipe_units import (
    SENTENCES,
    Units,
    make_pieces,
    piece_units,
    require_sentencepiece,
    word_units,
)
from recognizer.pipelines.semi_supervised import selected_sets, semi_supervised_stages
from recognizer.stages import Stage

FIRST_PASS_ARPA = "first_pass.arpa.gz"
LM_DECIMALS = 3
"""Digits of log10 probabilities: more would make files larger and nothing better."""

DISCOUNT_FALLBACK = (0.5, 1.0, 1.5)
"""What lmplz's --discount_fallback takes off counts of 1, 2, and 3 or more."""


def recipe_stages(recipe: Recipe, corpora: Path, work: Path, *, jobs: int = 1) -> list[Stage]:
    """All stages of a recipe.

    Args:
        recipe: what is made.
        corpora: directory of the corpora and texts that the recipe names.
        work: parent of the stages' directories.
        jobs: processes or threads, where a stage can use several.
    """
    # Added where they matter, so that other recipes need not run anew.
    language: dict[str, str] = {}
    if recipe.rules != "english":
        language["text_rules"] = recipe.rules
    selected = selected_sets(recipe.untranscribed, work)
    sets = (*recipe.training, *selected)
    alignment = recipe_alignment(recipe, sets, corpora, work, jobs, language)
    steps = _Steps(recipe, sets, corpora, work, alignment, jobs)
    table = to_table(recipe)
    lm, lexicon = table["lm"], {"lexicon": recipe.lexicon}
    mixed = {"mixed": [one["text"] for one in lm["mixed"]]} if recipe.lm.mixed else {}
    added = ("mixed", "lexicon_words")
    put: dict[str, str | bool] = {}
    if recipe.acoustic.precision:
        put["precision"] = recipe.acoustic.precision
    if recipe.acoustic.storage != "float32":
        put["storage"] = recipe.acoustic.storage
    if recipe.keep_aligner:
        put["keep_aligner"] = True
    training = [one.data for one in sets]
    stages = [
        Stage(
            "text",
            {"text": lm["text"], "books": lm["books"]} | language | mixed,
            (),
            steps.text,
            "normalising the text",
            steps.check_text,
        ),
        Stage(
            "lm",
            {key: value for key, value in lm.items() if value or key not in added} | lexicon,
            _lm_inputs(recipe),
            steps.lm,
            "estimating and pruning the language models",
        ),
        *alignment.stages(),
    ]
    if recipe.pronunciation is not None:
        pronunciation = Stage(
            "pronunciation",
            lexicon | language | {"options": table["pronunciation"]},
            (),
            steps.pronunciation,
            "training the pronunciation model",
        )
        stages.insert(1, pronunciation)
    if recipe.pieces is not None:
        pieces = Stage(
            "pieces",
            table["pieces"],
            ("text",),
            steps.pieces,
            "finding pieces of words",
            require_sentencepiece,
        )
        stages.insert(1, pieces)
    stages = [
        *semi_supervised_stages(recipe.untranscribed, recipe.rules, corpora, work, jobs=jobs),
        *stages,
    ]
    stages += acoustic_stages(
        recipe.acoustic,
        alignment.aligned,
        work,
        inputs=training,
        after=("align",),
        realigner=steps.realigner(),
        jobs=jobs,
        root=corpora,
    )
    stages += [
        Stage(
            "graph",
            table["graph"] | {"first_pass": table["first_pass"]},
            ("lm", "tree"),
            steps.graph,
            "building the decoding graph",
        ),
        Stage(
            "model",
            {key: table[key] for key in ("name", "language", "licence", "search", "lattice")}
            | {"description": recipe.description}
            | put,
            ("lm", "tree", "network", "graph"),
            steps.model,
            "putting the model together",
        ),
        Stage(
            "tune",
            table["tuning"],
            ("model",),
            steps.tune,
            "tuning on development sets",
            steps.check_development,
        ),
        Stage("evaluate", {}, ("tune",), steps.evaluate, "measuring on development sets"),
    ]
    return stages


def _lm_inputs(recipe: Recipe) -> tuple[str, ...]:
    """The stages that the language models are made from."""
    if recipe.pieces is not None:
        return ("pieces",)
    return ("text",) if recipe.pronunciation is None else ("text", "pronunciation")


class _Steps:
    """What each stage does; every method writes into the directory that it is given."""

    def __init__(
        self,
        recipe: Recipe,
        sets: tuple[TrainingSet, ...],
        corpora: Path,
        work: Path,
        alignment: RecipeAlignment,
        jobs: int,
    ) -> None:
        self._recipe = recipe
        self._sets = sets
        self._corpora = corpora
        self._work = work
        self._alignment = alignment
        self._jobs = jobs

    def check_text(self) -> None:
        for patterns in (self._recipe.lm.text, *(one.text for one in self._recipe.lm.mixed)):
            find_text(patterns, self._corpora)

    def check_development(self) -> None:
        self._development_sets()

    def text(self, directory: Path) -> None:
        files = find_text(self._recipe.lm.text, self._corpora)
        with replace_text(directory / SENTENCES) as stream:
            for sentence in self._sentences(files):
                stream.write(sentence + "\n")
        for index, one in enumerate(self._recipe.lm.mixed):
            with replace_text(directory / mixed_file(index)) as stream:
                for sentence in self._normalized(find_text(one.text, self._corpora)):
                    stream.write(sentence + "\n")

    def pieces(self, directory: Path) -> None:
        assert self._recipe.pieces is not None
        make_pieces(self._text, self._recipe.pieces, directory)

    def pronunciation(self, directory: Path) -> None:
        assert self._recipe.pronunciation is not None
        lexicon = load_lexicon(self._recipe.lexicon, self._recipe.rules, self._corpora)
        model = train_pronunciations(lexicon, self._recipe.pronunciation, console.print)
        model.save(directory / files.PRONUNCIATION)

    def lm(self, directory: Path) -> None:
        options = self._recipe.lm
        smoothing = EstimateOptions(
            order=options.order,
            cutoffs=options.cutoffs,
            discount_fallback=DISCOUNT_FALLBACK if options.discount_fallback else None,
        )
        units = self._units()
        sentences, vocabulary = units.sentences, units.vocabulary
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

    def realigner(self) -> NetworkRealigner:
        """Aligns with the network by the lexicon of the first alignment."""
        recipe = self._recipe
        options = AlignOptions(acoustic_scale=recipe.search.acoustic_scale, graph=recipe.graph)
        return NetworkRealigner(
            self._alignment.lexicon, recipe.acoustic.features, options, self._jobs
        )

    def graph(self, directory: Path) -> None:
        tree, transitions = read_tree(self._work / "tree")
        graph = first_pass_graph(
            Lexicon.read(self._work / "lm" / files.LEXICON),
            transitions.phones,
            tree,
            transitions,
            NgramAutomaton.open(self._work / "lm" / files.FIRST_PASS),
            self._recipe.first_pass,
            self._recipe.graph,
            allow_missing_words=self._recipe.lm.allow_missing_words,
        )
        graph.save(directory / files.graph_file(self._recipe.first_pass))

    def model(self, directory: Path) -> None:
        recipe, work = self._recipe, self._work
        lf_mmi = recipe.acoustic.lf_mmi is not None
        graph = files.graph_file(recipe.first_pass)
        for stage, source, name in (
            ("tree", "tree.json", files.TREE),
            ("tree", "phones.txt", files.PHONES),
            ("tree", "transitions.json", files.TRANSITIONS),
            ("graph", graph, graph),
            ("lm", files.LEXICON, files.LEXICON),
            ("lm", files.FIRST_PASS, files.FIRST_PASS),
            ("lm", files.RESCORING, files.RESCORING),
        ):
            shutil.copyfile(work / stage / source, directory / name)
        if recipe.pronunciation is not None:
            trained = work / "pronunciation" / files.PRONUNCIATION
            shutil.copyfile(trained, directory / files.PRONUNCIATION)
        if lf_mmi:
            shutil.copyfile(work / "denominator" / PHONE_MODEL, directory / files.PHONE_MODEL)
        aligner = self._alignment.model if recipe.keep_aligner else None
        if aligner is not None:
            aligner.alignment.copy(directory, bundle.ALIGNMENT_FILES)
        network = work / "network" / NETWORK_FILE
        store_network(network, recipe.acoustic, directory / files.ACOUSTIC)
        bundle.write_config(
            directory,
            model_config.ModelConfig(
                name=recipe.name,
                language=recipe.language,
                licence=recipe.licence,
                description=recipe.description,
                acoustic=model_config.AcousticConfig(
                    output_delay=recipe.acoustic.network.output_delay,
                    subsampling=recipe.acoustic.network.subsampling,
                    priors="none" if lf_mmi else recipe.acoustic.priors,
                    silence_weight=recipe.acoustic.recorded_priors["silence_weight"],
                    precision=recipe.acoustic.precision or "float32",
                ),
                features=recipe.acoustic.features,
                text_rules=recipe.rules,
                units="words" if recipe.pieces is None else "pieces",
                graph=recipe.graph,
                aligner=None if aligner is None else aligner.config.alignment,
                first_pass=recipe.first_pass,
                search=recipe.search,
                lattice=recipe.lattice,
                training_data=(
                    *(training_record(one, self._alignment.corpus(one)) for one in self._sets),
                    model_config.TrainingData(
                        " ".join(recipe.lm.text),
                        recipe.lm.text_licence,
                        words=_count_words(self._text),
                    ),
                    *(
                        model_config.TrainingData(
                            " ".join(one.text),
                            one.text_licence,
                            words=_count_words(self._work / "text" / mixed_file(index)),
                        )
                        for index, one in enumerate(recipe.lm.mixed)
                    ),
                ),
                record=to_table(recipe),
            ),
        )

    def tune(self, directory: Path) -> None:
        grid, sets = self._recipe.tuning.grid, self._development_sets()
        tune_model(self._work / "model", sets, grid, directory, jobs=self._jobs)

    def evaluate(self, directory: Path) -> None:
        measure_model(self._work / "model", self._development_sets(), directory, jobs=self._jobs)

    def _development_sets(self) -> list[Corpus]:
        return development_sets(self._recipe.tuning.data, self._corpora)

    def _sentences(self, files: list[Path]) -> Iterator[str]:
        if self._recipe.lm.books:
            yield from book_sentences(files, processes=self._jobs)
        else:
            yield from self._normalized(files)

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
        model = None
        if self._recipe.pronunciation is not None:
            model = PronunciationModel.open(self._work / "pronunciation" / files.PRONUNCIATION)
        pronounce = partial(
            text_lexicon, self._recipe.lexicon, self._recipe.rules, self._corpora, model=model
        )
        texts = [self._text]
        texts += [self._text.parent / mixed_file(i) for i in range(len(self._recipe.lm.mixed))]
        known: tuple[str, ...] = ()
        if self._recipe.lm.lexicon_words:
            lexicon = load_lexicon(self._recipe.lexicon, self._recipe.rules, self._corpora)
            is_word = text_rules(self._recipe.rules).is_word
            known = tuple(word for word in lexicon.words if is_word(word))
        return word_units(texts, self._recipe.lm.min_count, pronounce, known)


def _count_words(text: Path) -> int:
    return sum(len(line.split()) for line in read_lines(text))


def _write_json(path: Path, value: object) -> None:
    with replace_text(path) as stream:
        json.dump(value, stream, indent=1)
        stream.write("\n")
