r"""Word and phone boundaries of several models beside those of a reference, on real speech.

Models with outputs every 30 ms put boundaries on a coarser grid than those with outputs every
10 ms. How much that matters, and which model `recognizer align` should use::

    python -m benchmarks.alignment.models mini-librispeech/dev --reference TEN_MS_MODEL \
        --models THIRTY_MS_MODEL ANOTHER --json boundaries.json

With ``--recognition`` the models align with the network that recognises, even where they have an
aligner beside it: ``--reference MODEL --models MODEL --recognition`` compares the two of one model.
The reference is a model directory, an aligner that `recognizer align --train` left, or a directory
with words.ctm and phones.ctm. On synthetic speech, whose true boundaries are known,
``python -m benchmarks.alignment --models ...`` does the same.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.alignment.boundaries import boundary_errors, summary, word_boundary_errors
from benchmarks.common.report import Row, add_json_option, print_rows, write_json
from recognizer.alignment.corpus.aligners import open_model, read_aligner
from recognizer.alignment.corpus.corpus_alignment import align_corpus
from recognizer.data.alignments.alignment import Alignment
from recognizer.data.alignments.ctm import read_ctm
from recognizer.data.corpora.corpus import Corpus, read_corpus
from recognizer.data.errors import SpeechError
from recognizer.model.bundle import ModelBundle

WORDS, PHONES = "words.ctm", "phones.ctm"

Alignments = Mapping[str, Alignment]


def aligned_with(
    model: Path, corpus: Corpus, jobs: int | None, *, recognition: bool = False
) -> Alignments:
    """What a model, or files, say of a corpus, by utterance; without those that failed.

    Args:
        model: a model directory, a trained aligner, or a directory with CTM files.
        corpus: what is aligned.
        jobs: threads.
        recognition: align with the network that recognises.
    """
    if (model / WORDS).exists():
        return read_ctm(model / WORDS, model / PHONES)
    opened = open_model(model)
    if recognition and isinstance(opened, ModelBundle):
        opened.config = replace(opened.config, aligner=None)
        opened.alignment = opened.recognition
    aligner, corpus = read_aligner(opened, corpus)
    found = align_corpus(corpus, aligner, jobs=jobs).alignments
    return {alignment.utterance: alignment for alignment in found}


def compare(name: str, reference: Alignments, found: Alignments, corpus: Corpus) -> list[Row]:
    """A row for the words and one for the phones of the utterances that the reference has.

    Raises:
        SpeechError: no boundary is in both.
    """
    ids = [utterance.id for utterance in corpus if utterance.id in reference]
    both = [key for key in ids if key in found]
    errors = {
        "words": [word_boundary_errors(reference[key].words, found[key].words) for key in both],
        "phones": [boundary_errors(reference[key].phones, found[key].phones) for key in both],
    }
    boundaries = {
        "words": sum(2 * len(reference[key].words) for key in ids),
        "phones": sum(max(len(reference[key].phones) - 1, 0) for key in ids),
    }
    rows: list[Row] = []
    for tier, lists in errors.items():
        every = np.array([error for one in lists for error in one])
        if not len(every):
            raise SpeechError(
                f"{name}: expected boundaries of {tier} that the reference has, too, found none in "
                f"{len(both)} utterances"
            )
        rows.append(
            {
                "model": name,
                "tier": tier,
                "utterances": len(ids),
                "failed": len(ids) - len(both),
                "boundaries": boundaries[tier],
                "compared": len(every),
                **summary(every),
            }
        )
    return rows


def run(
    corpus: Corpus,
    reference: Path,
    models: Sequence[Path],
    jobs: int | None = None,
    *,
    recognition: bool = False,
) -> list[Row]:
    """The rows of all models; see `aligned_with`."""
    expected = aligned_with(reference, corpus, jobs)
    rows: list[Row] = []
    for model in models:
        found = aligned_with(model, corpus, jobs, recognition=recognition)
        rows += compare(str(model), expected, found, corpus)
    return rows


def main() -> None:
    """Measures, prints, writes."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("data", type=Path, help="corpus with correct transcripts")
    parser.add_argument(
        "--reference", type=Path, required=True, metavar="DIR", help="model, aligner or CTM files"
    )
    parser.add_argument(
        "--models", type=Path, nargs="+", required=True, metavar="DIR", help="models or aligners"
    )
    parser.add_argument(
        "--recognition", action="store_true", help="models align with the network that recognises"
    )
    parser.add_argument("--utterances", type=int, metavar="N", help="the first N [default: all]")
    parser.add_argument("--jobs", type=int, metavar="N", help="threads [default: cores]")
    add_json_option(parser)
    arguments = parser.parse_args()
    corpus = read_corpus(arguments.data)
    corpus = replace(corpus, utterances=corpus.utterances[: arguments.utterances])
    rows = run(
        corpus,
        arguments.reference,
        arguments.models,
        arguments.jobs,
        recognition=arguments.recognition,
    )
    print_rows(f"Boundaries less those of {arguments.reference}", rows)
    write_json(arguments.json, {"reference": str(arguments.reference), "rows": rows})


if __name__ == "__main__":
    main()
