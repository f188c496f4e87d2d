"""Memory and time of the first pass of one utterance of hours, whose lattice grows as it goes on.

    python -m benchmarks.search.long --data corpora/mini-librispeech/dev --hours 1

searches the corpus's scores one after the other, again and again, without an endpoint, in pieces
of 200 ms each of which is followed by a partial result, and prints what is held in the meantime.
"""

from __future__ import annotations

import argparse
import time
from itertools import cycle, islice
from pathlib import Path

import numpy as np

from benchmarks.common.report import add_json_option, print_rows, write_json
from recognizer.data.corpora.corpus import read_corpus
from recognizer.model.files import DEFAULT_MODEL
from recognizer.recognition.passes import Passes

_PIECE_SECONDS = 0.2
_ROWS = 12
_MEBIBYTE = 1 << 20


def main() -> None:
    """Search and print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--data", type=Path, required=True, help="corpus")
    parser.add_argument("--model", type=Path, default=DEFAULT_MODEL, help="model directory")
    parser.add_argument("--hours", type=float, default=1.0, help="length of the utterance")
    parser.add_argument("--utterances", type=int, default=40, help="of the corpus, from the first")
    add_json_option(parser)
    arguments = parser.parse_args()
    passes = Passes(arguments.model)
    shift = passes.acoustic_model.output_frame_shift
    piece = max(1, round(_PIECE_SECONDS / shift))
    scores = np.concatenate(
        [
            passes.acoustic_scores(utterance.samples())
            for utterance in islice(read_corpus(arguments.data), arguments.utterances)
        ]
    )
    total = round(arguments.hours * 3600 / shift)
    decoding = passes.start()
    rows: list[dict[str, float]] = []
    words, began, updating = 0, time.process_time(), 0.0
    for start in cycle(range(0, len(scores), piece)):
        decoding.advance(scores[start : start + piece])
        before = time.process_time()
        words += len(decoding.update().committed)
        updating += time.process_time() - before
        frames = decoding.num_frames
        if frames * _ROWS >= (len(rows) + 1) * total:
            rows.append(
                {
                    "minutes": frames * shift / 60,
                    "committed words": words,
                    "cpu s": time.process_time() - began,
                    "of it partial results s": updating,
                    **{f"{name} MiB": n / _MEBIBYTE for name, n in decoding.memory.items()},
                }
            )
        if frames >= total:
            break
    before = time.process_time()
    lattice = decoding.finish()
    end = {"finish s": time.process_time() - before, "arcs": lattice.num_arcs}
    print_rows(f"{arguments.hours} h, {passes.search}", rows)
    print_rows("The lattice", [end])
    write_json(arguments.json, {"rows": rows, "lattice": end})


if __name__ == "__main__":
    main()
