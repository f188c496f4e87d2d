"""A corpus aligned with its transcripts: words and phones with their times, and their files."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from recognizer.alignment.aligned_set import CorpusAligner
from recognizer.alignment.flat_start import flat_start
from recognizer.alignment.flat_start_options import FlatStartOptions
from recognizer.alignment.gmm_aligner import FlatStartModel
from recognizer.alignment.lexicons import (
    GRAPHEMES,
    chosen_rules,
    transcript_lexicon,
    with_derived,
)
from recognizer.alignment.network_aligner import NetworkAligner
from recognizer.data.alignments.alignment import Alignment
from recognizer.data.alignments.ctm import write_ctm
from recognizer.data.alignments.textgrid import write_textgrid
from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.data.errors import SpeechError
from recognizer.data.io.files import replace_text
from recognizer.decoding.alignment.tolerance import GARBAGE, Tolerance
from recognizer.model.bundle import ModelBundle

AlignmentFormat = Literal["textgrid", "ctm"]
FORMATS: tuple[AlignmentFormat, ...] = ("textgrid", "ctm")


@dataclass(frozen=True)
class Departure:
    """Where tolerant alignment departs from a transcript.

    Attributes:
        skipped: index and word of each word of the transcript that was not said.
        garbage: start and end in seconds of each stretch of speech that the transcript lacks.
    """

    skipped: tuple[tuple[int, str], ...]
    garbage: tuple[tuple[float, float], ...]

    def to_json(self) -> dict[str, Any]:
        """As `departures.json` has it, times to the millisecond."""
        return {
            "skipped": [{"index": index, "word": word} for index, word in self.skipped],
            "garbage": [
                {"start": round(start, 3), "end": round(end, 3)} for start, end in self.garbage
            ],
        }


@dataclass(frozen=True)
class CorpusAlignment:
    """A corpus aligned with its transcripts.

    Attributes:
        alignments: words and phones of each utterance that could be aligned, in the corpus's order.
        failed: why, by the id of each utterance that could not be aligned.
        unknown: words outside the lexicon, aligned with spoken noise, and their counts.
        departures: by utterance, where tolerant alignment departs from the transcript; None if
            alignment was not tolerant.
    """

    alignments: tuple[Alignment, ...]
    failed: dict[str, str]
    unknown: Counter[str]
    departures: dict[str, Departure] | None = None

    def write(self, directory: str | Path, formats: Sequence[AlignmentFormat] = FORMATS) -> None:
        """Write the alignments, and `departures.json` if alignment was tolerant.

        Args:
            directory: is made if it does not exist.
            formats: "textgrid" for a file UTTERANCE.TextGrid each, "ctm" for words.ctm and
                phones.ctm of all.

        Raises:
            SpeechError: an utterance's id that no file can have as its name, or a file that cannot
                be written.
        """
        target = Path(directory)
        if "textgrid" in formats:
            check_file_names(alignment.utterance for alignment in self.alignments)
        target.mkdir(parents=True, exist_ok=True)
        if "textgrid" in formats:
            for alignment in self.alignments:
                write_textgrid(alignment, target / f"{alignment.utterance}.TextGrid")
        if "ctm" in formats:
            write_ctm(self.alignments, target / "words.ctm", tier="words")
            write_ctm(self.alignments, target / "phones.ctm", tier="phones")
        if self.departures is not None:
            table = {key: departure.to_json() for key, departure in self.departures.items()}
            with replace_text(target / "departures.json") as stream:
                json.dump(table, stream, indent=2)
                stream.write("\n")

    def lines(self) -> list[str]:
        """For people: a line for each utterance that failed and each skipped word, then a total."""
        report = [f"{utterance}: {reason}" for utterance, reason in self.failed.items()]
        for utterance, departure in (self.departures or {}).items():
            report += [
                f"{utterance}: word {index + 1}, {word}: skipped"
                for index, word in departure.skipped
            ]
        unknown = ", ".join(f"{word} ({count})" for word, count in self.unknown.most_common(10))
        total = (
            f"{len(self.alignments)} of {len(self.alignments) + len(self.failed)} utterances "
            f"aligned; {self.unknown.total()} words outside the lexicon"
            + (f", most often {unknown}" if unknown else "")
        )
        if self.departures is not None:
            total += f"; {len(self.departures)} depart from their transcripts"
        return [*report, total]


def check_file_names(utterances: Iterable[str]) -> None:
    """Refuse utterances whose ids cannot be names of files.

    Raises:
        SpeechError: there is such an id (names the first).
    """
    for utterance in utterances:
        if Path(utterance).name != utterance:
            raise SpeechError(
                f"utterance {utterance}: expected an id that can be a file's name, or the format "
                "ctm alone"
            )


def align_corpus(
    corpus: Corpus,
    aligner: CorpusAligner,
    *,
    tolerance: Tolerance | None = None,
    jobs: int | None = None,
) -> CorpusAlignment:
    """Find when each word and phone of a corpus is spoken.

    Args:
        corpus: its transcripts in words of the aligner's rule set, as `read_aligner` and
            `train_aligner` return it.
        aligner: a model.
        tolerance: lets words be skipped and garbage be said; None for transcripts as they are.
        jobs: threads; None for one a core.
    """
    aligned = aligner.align(corpus.utterances, jobs=jobs, tolerance=tolerance)
    alignments = []
    departures: dict[str, Departure] = {}
    for utterance in corpus:
        path = aligned.found.get(utterance.id)
        if path is None:
            continue
        alignment = aligner.segments(utterance, path)
        alignments.append(alignment)
        words = utterance.tokens
        departure = Departure(
            tuple((index, words[index]) for index in path.skipped(words)),
            tuple((one.start, one.end) for one in alignment.words if one.label == GARBAGE),
        )
        if departure.skipped or departure.garbage:
            departures[utterance.id] = departure
    return CorpusAlignment(
        tuple(alignments),
        {one.id: aligned.failed[one.id] for one in corpus if one.id in aligned.failed},
        aligned.unknown,
        None if tolerance is None else departures,
    )


def train_aligner(
    corpus: Corpus,
    lexicon: str | None = None,
    *,
    text_rules: str | None = None,
    derive: bool = False,
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
        derive: add the pronunciations that the rule set derives for words outside the lexicon.
        options: sizes and numbers of passes of the flat start.
        work_dir: where each finished stage is kept, so that an interrupted training goes on.
        jobs: threads; None for one a core.
        report: called with each line of progress.

    Returns:
        The aligner, and the corpus with the words of the rule set.

    Raises:
        SpeechError: a faulty lexicon or transcript, or nothing that can be aligned.
        UsageError: an impossible rule set.
    """
    rules = chosen_rules(text_rules, lexicon)
    chosen = corpus.normalized(rules)
    known = transcript_lexicon(lexicon, rules, Path(), [chosen])
    if derive:
        known = with_derived(known, rules, _words(chosen))
    return (
        flat_start(chosen.utterances, known, options, work_dir, jobs=jobs, report=report),
        chosen,
    )


def read_aligner(
    model: str | Path | None, corpus: Corpus, *, derive: bool = False
) -> tuple[CorpusAligner, Corpus]:
    """Read an aligner for a corpus.

    Args:
        model: a model directory, or what `FlatStartModel.write` wrote; None is the English model
            of this package. Its own rule set makes the words of the transcripts. A model of pieces
            of words can spell any word.
        corpus: what is to be aligned.
        derive: add pronunciations for words outside the lexicon: those that the rule set derives,
            and else those of the model's pronunciation model.

    Returns:
        The aligner, and the corpus with the words of the model's rule set.

    Raises:
        SpeechError: a missing or damaged model, or a transcript that its rules refuse.
    """
    if model is not None and (Path(model) / "gmm.safetensors").exists():
        trained = FlatStartModel.read(model)
        chosen = corpus.normalized(trained.text_rules)
        if derive:
            lexicon = with_derived(trained.lexicon, trained.text_rules, _words(chosen))
            trained = replace(trained, lexicon=lexicon)
        return trained, chosen
    bundle = ModelBundle(model)
    rules = bundle.config.text_rules
    chosen = corpus.normalized(rules)
    if bundle.config.units == "pieces":  # its lexicon has no words, but any word can be spelled
        return NetworkAligner(
            bundle, transcript_lexicon(GRAPHEMES, rules, Path(), [chosen])
        ), chosen
    lexicon = bundle.lexicon
    if derive:
        words = {word for word in _words(chosen) if word not in lexicon}
        lexicon = lexicon.merged_with(bundle.pronouncer.lexicon(words))
    return NetworkAligner(bundle, lexicon), chosen


def _words(utterances: Iterable[Utterance]) -> Iterable[str]:
    return (word for utterance in utterances for word in utterance.words)
