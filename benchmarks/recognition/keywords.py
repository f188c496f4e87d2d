r"""Keyword search on sets with transcripts: term-weighted values, time and size of the index.

    python -m benchmarks.recognition.keywords mini-librispeech/dev excerpts80/dev \
        --corpora CORPORA --json k.json

Keywords are what occurs in the transcripts: all words of five letters and more, and all pairs of
neighbours that have eight letters and more together. What was said when is the model's forced
alignment of the transcripts. The row "best paths" has an index of each utterance's best path with
its words' confidences, which is what a search in transcripts would find.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

if __name__ == "__main__":
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

import numpy as np

from benchmarks.common.report import Row, add_json_option, print_rows, write_json
from recognizer.alignment.corpus.aligners import read_aligner
from recognizer.alignment.corpus.corpus_alignment import align_corpus
from recognizer.data.audio.reading import SAMPLE_RATE
from recognizer.data.corpora.corpus import Corpus, read_corpus
from recognizer.data.errors import SpeechError
from recognizer.data.io.console import progress_bar
from recognizer.decoding.keywords.index import (
    IndexBuilder,
    IndexedUtterance,
    IndexSettings,
    KeywordIndex,
)
from recognizer.decoding.keywords.postings import Postings, lattice_postings
from recognizer.decoding.lattice.arc_times import arc_times
from recognizer.decoding.lattice.lattice import CompactLattice
from recognizer.decoding.lattice.paths import best_path
from recognizer.keywords.detections import DetectionOptions, detections
from recognizer.keywords.indexing import MIN_POSTERIOR
from recognizer.keywords.scoring import score_keywords
from recognizer.lattices.settings import LatticeSettings
from recognizer.recognizer import Recognizer


def best_path_alone(lattice: CompactLattice, postings: Postings, acoustic_scale: float) -> Postings:
    """Only the postings of the best path; what follows on it is certain."""
    on_path = np.zeros(lattice.num_arcs, dtype=np.bool_)
    offsets, state = lattice.arc_offsets, 0
    for word in best_path(lattice, acoustic_scale).word_ids.tolist():
        first, end = int(offsets[state]), int(offsets[state + 1])
        arc = first + int(np.flatnonzero(lattice.words[first:end] == word)[0])
        on_path[arc], state = True, int(lattice.targets[arc])
    kept = postings.part(on_path)
    return replace(kept, continuations=np.ones_like(kept.continuations))


def keywords_of(corpus: Corpus) -> list[str]:
    """The words and the pairs of words that are searched for."""
    found: set[str] = set()
    for utterance in corpus:
        words = utterance.words
        found.update(word for word in words if len(word) >= 5)
        pairs = pairwise(words)
        found.update(f"{one} {two}" for one, two in pairs if len(one) + len(two) >= 8)
    return sorted(found)


def run(recognizer: Recognizer, corpus: Corpus, directory: Path) -> list[Row]:
    """Recognise, index, align, search and score one set."""
    known = LatticeSettings.of_recognizer(recognizer)
    boundaries, scale = known.boundaries, known.confidence_scale
    assert boundaries is not None
    settings = IndexSettings(known.frame_shift, MIN_POSTERIOR, known.text_rules, known.model)
    symbols = recognizer.decoder.graph.words
    builders = {name: IndexBuilder(settings, symbols) for name in ("lattices", "best paths")}
    audio = recognition = indexing = 0.0
    with progress_bar(corpus.name, len(corpus)) as advance:
        for utterance in corpus:
            samples = utterance.samples()
            began = time.process_time()
            scores = recognizer.acoustic_scores(samples)
            lattice = recognizer.second_pass(recognizer.first_pass(scores)).lattice
            recognised = time.process_time()
            times = arc_times(lattice, boundaries, known.acoustic_scale)
            arguments = (lattice, times, scale * known.acoustic_scale, scale)
            postings = lattice_postings(*arguments, MIN_POSTERIOR)
            named = IndexedUtterance(
                utterance.id, utterance.recording, utterance.start, len(samples) / SAMPLE_RATE
            )
            builders["lattices"].add(named, postings, lattice.symbols, lattice.num_states)
            indexing += time.process_time() - recognised
            recognition += recognised - began
            audio += named.duration
            single = best_path_alone(lattice, lattice_postings(*arguments), known.acoustic_scale)
            builders["best paths"].add(named, single, lattice.symbols, lattice.num_states)
            advance()
    aligner, transcribed = read_aligner(recognizer.bundle, corpus)
    aligned = align_corpus(transcribed, aligner)
    aligned.write(directory / "aligned", ("ctm",))
    wanted = keywords_of(corpus)
    rows = []
    for name, builder in builders.items():
        began = time.process_time()
        builder.build().write(directory / name)
        written = time.process_time() - began + (indexing if name == "lattices" else 0.0)
        index = KeywordIndex.open(directory / name)
        began = time.process_time()
        for keyword in wanted:
            detections(index, keyword)
        searched = time.process_time() - began
        size = sum(path.stat().st_size for path in (directory / name).iterdir())
        for thresholds in ("single", "keyword"):
            options = DetectionOptions(thresholds)
            values = score_keywords(index, directory / "aligned" / "words.ctm", wanted, options)
            row: Row = {
                "data": corpus.name,
                "index": name,
                "thresholds": thresholds,
                "hours": round(audio / 3600.0, 3),
                "keywords": len(values.keywords),
                "occurrences": sum(one.occurrences for one in values.keywords),
                "ATWV": round(values.actual, 4),
                "MTWV": round(values.maximum, 4),
                "OTWV": round(values.optimum, 4),
                "STWV": round(values.supreme, 4),
                "postings": len(index.postings),
                "MB": round(size / 1e6, 2),
                "recognition seconds": round(recognition, 1),
                "indexing seconds": round(written, 2),
                "search milliseconds": round(1000.0 * searched / len(wanted), 3),
            }
            rows.append(row)
    return rows


def main() -> None:
    """Search, print the table and write the file."""
    parser = argparse.ArgumentParser(
        description=(__doc__ or "").split("\n")[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    parser.add_argument("data", nargs="+", metavar="DATA", help="sets with transcripts")
    parser.add_argument("--corpora", type=Path, default=Path(), metavar="DIR", help="of the sets")
    parser.add_argument("--model", type=Path, metavar="DIR", help="default: the shipped model")
    parser.add_argument("--every", type=int, default=1, help="take every Nth utterance")
    add_json_option(parser)
    arguments = parser.parse_args()
    try:
        recognizer = Recognizer(arguments.model)
        rows: list[Row] = []
        for name in arguments.data:
            corpus = read_corpus(arguments.corpora / name)
            corpus = corpus.normalized(recognizer.bundle.config.text_rules)
            kept = corpus.utterances[:: arguments.every]
            with tempfile.TemporaryDirectory() as directory:
                rows += run(
                    recognizer, replace(corpus, name=name, utterances=kept), Path(directory)
                )
    except SpeechError as error:
        sys.exit(f"Error: {error}")
    print_rows("Keyword search", rows)
    write_json(arguments.json, {"rows": rows})


if __name__ == "__main__":
    main()
