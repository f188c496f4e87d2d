"""Transcribes a set slowly, to be killed: ``transcribing.py DATA MODEL FILE``."""

from __future__ import annotations

import sys
import time

from recognizer.data.corpora.corpus import read_corpus
from recognizer.transcription.teachers import TeacherOptions
from recognizer.transcription.transcribe import transcribe


def main(data: str, model: str, path: str) -> None:
    corpus = read_corpus(data, transcripts=False)
    teacher = TeacherOptions("model", model)
    transcribe(corpus, teacher, path, progress=lambda: time.sleep(0.05))


if __name__ == "__main__":
    main(*sys.argv[1:])
