"""An index searched for keywords and scored against a reference with times."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from typing import Any

from recognizer.data.alignments.ctm import read_ctm
from recognizer.data.errors import SpeechError
from recognizer.decoding.keywords.index import KeywordIndex
from recognizer.keywords.detections import DetectionOptions, detections, keyword_words
from recognizer.keywords.term_weighted_value import (
    TermWeightedValues,
    compared,
    find_occurrences,
    reference_words,
    term_weighted_values,
)


def score_keywords(
    index: KeywordIndex,
    reference: str | os.PathLike[str],
    keywords: Iterable[str],
    options: DetectionOptions | None = None,
) -> TermWeightedValues:
    """Search for keywords and compare what is found with what was said.

    Args:
        index: the index.
        reference: a CTM file of the words of the index's recordings.
        keywords: words and phrases.
        options: how detections are scored and decided.

    Raises:
        UsageError: a keyword without words.
        SpeechError: a damaged reference, or one of recordings that the index has not; no keyword
            that occurs in it.
    """
    options = options or DetectionOptions()
    # CTM that recognizer align writes has "_" in the place of white space.
    recordings = {"_".join(one.recording.split()): one.recording for one in index.utterances}
    recordings |= {one.recording: one.recording for one in index.utterances}
    alignments = {}
    for name, alignment in read_ctm(reference).items():
        if name not in recordings:
            raise SpeechError(
                f"{reference}: expected recordings of the index, found {name!r}, which it has not"
            )
        alignments[recordings[name]] = alignment
    words = reference_words(alignments, index.settings.text_rules)
    found = []
    for keyword in keywords:
        occurrences = find_occurrences(keyword_words(index, keyword), words, options.max_gap)
        found.append(compared(keyword, detections(index, keyword, options), occurrences))
    return term_weighted_values(found, index.duration, options.beta)


def table(values: TermWeightedValues, *, each: bool) -> str:
    """The values as Markdown.

    Args:
        values: what was found.
        each: a table of all keywords before that of the values.
    """
    lines = []
    if each:
        lines += [
            "| keyword | occurrences | detected | false alarms | value |",
            "| --- | ---: | ---: | ---: | ---: |",
        ]
        for one in values.keywords:
            value = one.value(one.correct, one.false_alarms, values.seconds, values.beta)
            lines.append(
                f"| {one.keyword} | {one.occurrences:,} | {one.correct:,} | "
                f"{one.false_alarms:,} | {value:.4f} |"
            )
        lines.append("")
    threshold = f"{values.threshold:.4f}"
    lines += [
        "| keywords | absent | hours | ATWV | MTWV | at score | OTWV | STWV |",
        "| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |",
        f"| {len(values.keywords):,} | {len(values.absent):,} | {values.seconds / 3600:.2f} | "
        f"{values.actual:.4f} | {values.maximum:.4f} | {threshold} | {values.optimum:.4f} | "
        f"{values.supreme:.4f} |",
    ]
    return "\n".join(lines) + "\n"


def result(values: TermWeightedValues) -> str:
    """The values as a JSON object with all keywords."""
    found: dict[str, Any] = {
        "atwv": round(values.actual, 6),
        "mtwv": round(values.maximum, 6),
        "threshold": values.threshold if values.threshold < float("inf") else None,
        "otwv": round(values.optimum, 6),
        "stwv": round(values.supreme, 6),
        "seconds": round(values.seconds, 3),
        "beta": values.beta,
        "absent": list(values.absent),
        "keywords": [
            {
                "keyword": one.keyword,
                "occurrences": one.occurrences,
                "detected": one.correct,
                "false_alarms": one.false_alarms,
                "value": round(
                    one.value(one.correct, one.false_alarms, values.seconds, values.beta), 6
                ),
            }
            for one in values.keywords
        ],
    }
    return json.dumps(found, indent=1, ensure_ascii=False) + "\n"
