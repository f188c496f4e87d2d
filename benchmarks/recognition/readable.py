r"""Readable text: precision, recall and F1 of each mark and of capital letters.

    python -m benchmarks.recognition.readable --text books.txt speeches.txt \
        --speech cv-english/dev --json readable.json

Texts are as `recognizer readable train` reads them, and must not be those that the tagger was
trained on. They are tagged as running text. Sets of speech are Kaldi data directories whose
transcripts have punctuation; they are tagged twice: the words of the transcripts, and the words
that are recognised, each utterance by itself. Recognised words are aligned with those of the
transcripts as for word error rates. A mark or capital letter counts as found only at the aligned
word; of words that were left out or put in, all tags are errors. Utterances whose words do not
follow from their transcript token by token ("May 3") are left out and counted.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.common.report import Row, add_json_option, print_rows, write_json
from recognizer.data.corpora.corpus import read_corpus
from recognizer.data.io.console import progress_bar
from recognizer.data.text.english.tagged import tagged_sentences
from recognizer.data.text.tags import TaggedWord
from recognizer.evaluation.word_alignment import align
from recognizer.lm.tagging.tag_scores import CLASSES, TagScores
from recognizer.pipelines.tagging.tagged_text import read_tagged
from recognizer.readable.writer import ReadableWriter
from recognizer.recognizer import Recognizer

_NAMES = {
    ",": "comma",
    ".": "period",
    "?": "question mark",
    "!": "exclamation mark",
    ";": "semicolon",
    ":": "colon",
}


def main() -> None:
    """Tag, recognise, count, print, write."""
    arguments = _arguments()
    writer = ReadableWriter(arguments.tagger)
    rows: list[Row] = []
    for path in arguments.text:
        words = list(islice(running_words(path), arguments.words))
        scores = TagScores()
        scores.add(words, writer.tags([one.word for one in words]))
        rows += rows_of(path.name, "text", scores)
    recognizer = Recognizer(arguments.model) if arguments.speech else None
    shown: list[dict[str, str]] = []
    for directory in arguments.speech:
        assert recognizer is not None
        spoken, recognized = TagScores(), TagScores()
        corpus = read_corpus(directory)
        utterances = corpus.utterances[: arguments.utterances or None]
        left_out = 0
        with progress_bar(directory.name, len(utterances)) as advance:
            for utterance in utterances:
                advance()
                reference = [one for part in tagged_sentences(utterance.text) for one in part]
                if not reference:
                    left_out += 1
                    continue
                spoken.add(reference, writer.tags([one.word for one in reference]))
                result = recognizer.recognize_samples(utterance.samples())
                found = writer.tags([word.word for word in result.words])
                recognized.add_pairs(aligned(reference, found))
                shown.append(
                    {"reference": utterance.text, "readable": writer.text([w.word for w in found])}
                )
        name = f"{directory.parent.name}/{directory.name}"
        rows += rows_of(name, "transcripts", spoken) + rows_of(name, "recognised", recognized)
        print(f"{name}: {left_out} of {len(utterances)} utterances left out")
    print_rows("Readable text", rows)
    write_json(arguments.json, {"rows": rows, "shown": shown})


def running_words(path: Path) -> Iterator[TaggedWord]:
    """The words of a text."""
    for sentence in read_tagged(str(path)):
        yield from sentence


def aligned(
    reference: Sequence[TaggedWord], found: Sequence[TaggedWord]
) -> Iterator[tuple[TaggedWord | None, TaggedWord | None]]:
    """Pairs of words as sclite aligns them; one side of a pair is None where a word has none."""
    right, tagged = iter(reference), iter(found)
    for pair in align([one.word for one in reference], [one.word for one in found]):
        yield (
            None if pair.reference is None else next(right),
            None if pair.hypothesis is None else next(tagged),
        )


def rows_of(name: str, kind: str, scores: TagScores, classes: Iterable[str] = CLASSES) -> list[Row]:
    """A row for each class."""
    found: list[Row] = []
    for one in classes:
        score = scores.score(one)
        row: dict[str, Any] = {"set": name, "words of": kind, "words": scores.words}
        row |= {"class": _NAMES.get(one, one), "occurrences": score.reference}
        row |= {"precision": round(score.precision, 3), "recall": round(score.recall, 3)}
        found.append({**row, "f1": round(score.f1, 3)})
    return found


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--text", type=Path, nargs="*", default=[], help="held-out texts")
    parser.add_argument("--speech", type=Path, nargs="*", default=[], help="sets with punctuation")
    parser.add_argument("--tagger", type=Path, help="its file (default: that of this package)")
    parser.add_argument("--model", help="a model directory (default: English)")
    parser.add_argument("--words", type=int, default=100_000, help="of each text, at most")
    parser.add_argument("--utterances", type=int, default=0, help="of each set (default: all)")
    add_json_option(parser)
    return parser.parse_args()


if __name__ == "__main__":
    main()
