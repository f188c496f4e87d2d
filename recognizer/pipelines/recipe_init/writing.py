"""The file that `recognizer recipe init` writes: a recipe with comments, and what it needs."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from recognizer.alignment.flat_start_options import FlatStartOptions, PassOptions
from recognizer.alignment.lexicons import GRAPHEMES, load_lexicon
from recognizer.data.corpora.corpus import Corpus
from recognizer.data.corpora.kaldi_writing import write_kaldi_dir
from recognizer.data.errors import SpeechError, UsageError
from recognizer.data.io.files import check_directory, read_lines, replace_text
from recognizer.data.io.options import from_table, parse_toml, to_table
from recognizer.pipelines.recipe import Recipe
from recognizer.pipelines.recipe_init.sizes import RecipeSizes
from recognizer.pipelines.recipe_init.survey import Survey, survey

ENGLISH = "english"
"""Stands for CMU's dictionary, which this package has."""

RECIPE, TRANSCRIPTS = "recipe.toml", "transcripts.txt"

TRANSCRIPTS_SHARE = 0.1
"""Weight of the transcripts' language model beside that of a much larger text."""

_LARGER = 10
"""So many times the words of the transcripts make a text much larger."""

_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*")


@dataclass(frozen=True)
class InitOptions:
    """What a recipe is written for.

    Attributes:
        data: directories of speech with transcripts.
        language: BCP 47 tag.
        name: of the model.
        output: directory of the recipe and of the files that it needs.
        corpora: directory that the recipe's paths are relative to, where they lie in it.
        dev: directories of development sets; none: speakers are held out.
        lexicon: a file, `GRAPHEMES`, or `ENGLISH`.
        text: files with a sentence a line, for the language models.
        licence: of speech and model, as the model records it.
    """

    data: tuple[Path, ...]
    language: str
    name: str
    output: Path
    corpora: Path = Path()
    dev: tuple[Path, ...] = ()
    lexicon: str = GRAPHEMES
    text: tuple[Path, ...] = ()
    licence: str = "unknown"

    def __post_init__(self) -> None:
        if not self.data:
            raise UsageError("expected a directory of speech, found none")
        if not _LANGUAGE.fullmatch(self.language):
            raise UsageError(
                f"language: expected a tag such as de or en-US, found {self.language!r}"
            )
        if not self.name.strip():
            raise UsageError("name: expected the name of a model, found none")
        twice = {path for path in self.data if self.data.count(path) > 1}
        if twice:
            raise UsageError(f"{min(twice)}: expected each directory once, found it twice")
        if self.lexicon == ENGLISH and not self.english:
            raise UsageError(
                f"lexicon: expected a file or {GRAPHEMES!r} for the language {self.language}, "
                f"found {ENGLISH!r}"
            )

    @property
    def english(self) -> bool:
        """Whether the language is English."""
        return self.language.lower().split("-")[0] == "en"

    @property
    def rules(self) -> str:
        """Name of the rule set for transcripts, text and lexicon."""
        return "english" if self.english else "unicode"


@dataclass(frozen=True)
class Written:
    """What was written.

    Attributes:
        recipe: the file.
        survey: what it was made for.
        sizes: that suit this.
    """

    recipe: Path
    survey: Survey
    sizes: RecipeSizes


def write_recipe(options: InitOptions) -> Written:
    """Look at the speech, and write a recipe for it with what it needs.

    In the directory: ``recipe.toml``, ``transcripts.txt`` with the sentences of the training sets,
    and for each corpus of which a part is held out the Kaldi data directories ``NAME/train`` and
    ``NAME/dev``, whose audio stays where it is. The recipe is written last.

    Raises:
        UsageError: the directory has a recipe already.
        SpeechError: a corpus, text or lexicon is missing or faulty, or there is nothing to estimate
            language models from.
    """
    target = options.output / RECIPE
    check_directory(options.output)
    if target.exists():
        raise UsageError(f"{target}: expected no recipe there, found one: choose another --output")
    if options.lexicon not in (GRAPHEMES, ENGLISH):
        load_lexicon(options.lexicon, options.rules, Path())
    text_words = sum(len(line.split()) for file in options.text for line in read_lines(file))
    found = survey(options.data, options.dev, options.rules)
    if not found.sentences and not text_words:
        raise SpeechError(
            "expected sentences for the language models that are in no development set, found "
            "none: name a file of them with --text"
        )
    sizes = RecipeSizes.of(found.seconds / 3600, len(found.utterances))
    content = "".join(_lines(options, found, sizes, text_words))
    from_table(Recipe, parse_toml(content, str(target)), str(target))
    for one in found.sets:
        if one.divided:
            for part, corpus in (("train", one.training), ("dev", one.held_out)):
                if len(corpus):
                    write_kaldi_dir(_plain_names(corpus), _part(options, one.name, part))
    options.output.mkdir(parents=True, exist_ok=True)
    with replace_text(options.output / TRANSCRIPTS) as stream:
        stream.writelines(f"{sentence}\n" for sentence in found.sentences)
    with replace_text(target) as stream:
        stream.write(content)
    return Written(target, found, sizes)


def _plain_names(corpus: Corpus) -> Corpus:
    """The same with ids and speakers as Kaldi's lists can have them, without white space.

    Raises:
        SpeechError: two ids differ in white space alone.
    """
    utterances = [
        replace(
            one, id="_".join(one.id.split()), speaker="_".join(one.speaker.split()) or "speaker"
        )
        for one in corpus
    ]
    if len({one.id for one in utterances}) < len(utterances):
        raise SpeechError(f"{corpus.name}: expected ids that differ without their white space")
    return replace(corpus, utterances=tuple(utterances))


def building(options: InitOptions) -> str:
    """The command that builds the model."""
    paths = options.output / RECIPE, options.corpora, options.output / "work"
    recipe, corpora, work = (shlex.quote(str(path)) for path in paths)
    return f"recognizer recipe {recipe} --corpora {corpora} --work {work}"


def _part(options: InitOptions, name: str, part: str) -> Path:
    return options.output / name / part


def _path(options: InitOptions, path: Path) -> str:
    """As the recipe writes it: relative to the corpora where it lies in them."""
    # A link in the corpora's directory is in it, wherever it leads.
    full, root = (Path(os.path.abspath(one)) for one in (path, options.corpora))  # noqa: PTH100
    return full.relative_to(root).as_posix() if full.is_relative_to(root) else full.as_posix()


def _pattern(options: InitOptions, path: Path) -> str:
    """The same as a pattern that matches this file alone."""
    return re.sub(r"([*?[])", r"[\1]", _path(options, path))


def _entry(key: str, value: Any) -> str:
    """One line of TOML."""
    return f"{key} = {_value(value)}\n"


def _value(value: Any) -> str:
    import tomli_w  # recognition writes none

    if isinstance(value, (list, tuple)):
        return f"[{', '.join(map(_value, value))}]"
    return tomli_w.dumps({"v": value}).removeprefix("v = ").rstrip("\n")


def _lines(
    options: InitOptions, found: Survey, sizes: RecipeSizes, text_words: int
) -> Iterator[str]:
    minutes, number = found.seconds / 60, len(found.utterances)
    yield (
        f"# Written by `recognizer recipe init` for {minutes:.0f} minutes of speech in {number} "
        "utterances.\n"
        "#\n"
        f"#   {building(options)}\n"
        "#\n"
        "# Numbers follow the amount of speech (docs/guides/training.md); all keys are in\n"
        "# docs/guides/recipe-keys.md. What is left out has a default.\n"
    )
    yield _entry("name", options.name)
    yield _entry("language", options.language)
    yield "# Of the model: an SPDX expression.\n"
    yield _entry("licence", options.licence)
    yield from _lexicon(options)
    for one in found.sets:
        if not len(one.training):
            continue
        path = _part(options, one.name, "train") if one.divided else one.path
        yield "\n[[training]]\n"
        yield _entry("data", _path(options, path))
        yield _entry("licence", options.licence)
        yield "bootstrap = true  # the flat start learns from it\n"
    yield from _language_models(options, found, text_words)
    yield from _flat_start(sizes)
    yield from _network(sizes, minutes)
    yield from _tuning(options, found)


def _lexicon(options: InitOptions) -> Iterator[str]:
    if options.lexicon == ENGLISH:
        yield "# Pronunciations: CMU's dictionary, as no lexicon is named.\n"
    elif options.lexicon == GRAPHEMES:
        yield "# Words are spelled: their letters are the phones. Otherwise a lexicon file.\n"
        yield _entry("lexicon", GRAPHEMES)
        if options.english:
            yield "# English has a dictionary here: without the line above it is taken.\n"
    else:
        yield _entry("lexicon", _path(options, Path(options.lexicon)))
    yield "# How transcripts and text are read.\n"
    yield _entry("text_rules", options.rules)


def _language_models(options: InitOptions, found: Survey, text_words: int) -> Iterator[str]:
    transcripts = _pattern(options, options.output / TRANSCRIPTS)
    texts = [_pattern(options, path) for path in options.text]
    mixed = bool(found.sentences) and text_words >= _LARGER * found.words
    words = text_words if mixed else text_words + found.words
    pooled = texts if mixed or not found.sentences else [transcripts, *texts]
    order = 3 if words < 1_000_000 else 4 if words < 10_000_000 else 5
    yield f"\n[lm]\n# {words:,} words, a sentence a line.\n"
    if not options.text:
        yield "# These are the transcripts alone: more text (--text) helps most.\n"
    if found.shared:
        yield (
            f"# {found.shared} different sentences are left out, as they are in a development set "
            "too.\n"
        )
    yield _entry("text", pooled)
    yield "books = false\n"
    yield f"order = {order}\n"
    yield f"min_count = {1 if words < 1_000_000 else 2 if words < 10_000_000 else 3}\n"
    yield "# Counts of a small text may not determine discounts.\n"
    yield "discount_fallback = true\n"
    if mixed:
        yield "\n[[lm.mixed]]\n"
        yield _entry("text", [transcripts])
        yield f"weight = {TRANSCRIPTS_SHARE}\n"
        yield "order = 3\n"


def _flat_start(sizes: RecipeSizes) -> Iterator[str]:
    usual = FlatStartOptions()
    yield "\n[flat_start.mono]\n"
    yield from _passes(replace(usual.mono, gaussians=sizes.monophones.gaussians))
    for passes, size in zip(usual.triphone, sizes.triphones, strict=True):
        yield "\n[[flat_start.triphone]]\n"
        if sizes.flat_start_utterances:
            yield "# The shortest utterances, no more than about ten hours of them.\n"
        yield from _passes(
            replace(
                passes,
                gaussians=size.gaussians,
                leaves=size.leaves,
                utterances=sizes.flat_start_utterances,
            )
        )


def _passes(options: PassOptions) -> Iterator[str]:
    for key, value in to_table(options).items():
        yield _entry(key, value)


def _network(sizes: RecipeSizes, minutes: float) -> Iterator[str]:
    small = sizes.cells <= 256
    yield (
        "\n[acoustic]\n"
        "# Each pass hears an utterance at one of these speeds.\n"
        "speeds = [1.0, 0.9, 1.1]\n"
        "\n[acoustic.tree]\n"
        f"num_leaves = {sizes.leaves}\n"
        "\n[acoustic.network]\n"
        "# LSTM layers with projections.\n"
        f"layers = {sizes.layers}\n"
        f"cells = {sizes.cells}\n"
        f"projection = {sizes.projection}\n"
        "\n[acoustic.training]\n"
        f"# Passes over the {minutes:.0f} minutes.\n"
        f"epochs = {sizes.epochs}\n"
        f"streams = {sizes.streams}\n"
        + ("threads = 1  # matrices as small as these gain nothing from more\n" if small else "")
        + 'optimizer = "adam"\n'
        "learning_rate = 1e-3\n"
        "final_learning_rate = 5e-5\n"
        f"warmup_frames = {sizes.warmup_frames}\n"
        "max_gradient_norm = 5.0\n"
        "dropout = 0.2\n"
        f"average_frames = {sizes.average_frames}\n"
        f"held_out_fraction = {sizes.held_out_fraction}\n"
        '# precision = "bfloat16"  # faster where the processor has AMX or AVX-512 BF16\n'
        '# device = "cuda"  # on a GPU\n'
        "\n[acoustic.training.augment]\n"
        "gain_std = 0.6\n"
        "tilt_std = 0.4\n"
        "frequency_masks = 1\n"
        "frequency_width = 6\n"
        "time_masks = 2\n"
        "time_width = 12\n"
        "\n[search]\n"
        "beam = 13.5\n"
        "max_active = 2500\n"
    )


def _tuning(options: InitOptions, found: Survey) -> Iterator[str]:
    yield "\n[tuning]\n"
    paths: Sequence[Path] = found.dev
    if not paths:
        paths = [_part(options, one.name, "dev") for one in found.sets if one.divided]
        seconds = sum(u.duration for one in found.sets for u in one.held_out)
        if found.by_sentence:
            kept = "Sentences of known voices, as there are too few speakers to hold out any"
        else:
            speakers = sum(len(one.held_out.speakers) for one in found.sets)
            kept = f"Speakers held out: {speakers}"
        yield f"# {kept}; {seconds / 60:.1f} minutes.\n"
    yield _entry("data", [_path(options, path) for path in paths])
    yield (
        "\n[tuning.grid]\n"
        "acoustic_scales = [0.07, 0.1, 0.14]\n"
        "lm_scales = [0.6, 0.8, 1.0, 1.2, 1.4]\n"
        "word_insertion_penalties = [-1.0, -0.5, 0.0, 0.5, 1.0]\n"
    )
