"""Recognises a long recording; `benchmarks.long` measures the process.

    python -m benchmarks.long.worker RECORDING SEGMENTS [--model DIR] [--threads N]

Writes each segment as a line of JSON as soon as it is recognised: start, end and words with times.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from recognizer.recognizer import Recognizer


def main() -> None:
    """Recognises, writes."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("recording")
    parser.add_argument("segments", type=Path)
    parser.add_argument("--model")
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    recognizer = Recognizer(arguments.model)
    with arguments.segments.open("w", encoding="utf-8") as file:
        for segment in recognizer.recognize_long(arguments.recording, threads=arguments.threads):
            words = [(word.word, word.start, word.end) for word in segment.words]
            file.write(json.dumps([segment.start, segment.end, words]) + "\n")


if __name__ == "__main__":
    main()
