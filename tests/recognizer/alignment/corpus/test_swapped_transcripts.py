"""Real speech in MFA's layout: transcripts that were swapped are the most suspicious."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from recognizer import align_corpus, read_aligner, read_corpus, validate_corpus
from recognizer.data.corpora.corpus import Corpus, Utterance
from recognizer.model.bundle import ModelBundle
from recognizer.model.files import DEFAULT_MODEL


def short_ones(corpus: Corpus) -> Iterator[Utterance]:
    """The shortest utterance of at least eight words of each speaker."""
    for speaker in corpus.speakers:
        those = [one for one in corpus if one.speaker == speaker and len(one.words) >= 8]
        if those:
            yield min(those, key=lambda one: len(one.words))


def test_swapped_transcripts_are_the_most_suspicious(corpora: Path, tmp_path: Path) -> None:
    if not (DEFAULT_MODEL / "model.toml").is_file():
        pytest.skip(f"no model at {DEFAULT_MODEL}")
    chosen = list(islice(short_ones(read_corpus(corpora / "mini-librispeech" / "train")), 8))
    said = {one.id: one.text for one in chosen}
    first, second = chosen[2].id, chosen[5].id
    said[first], said[second] = said[second], said[first]
    for one in chosen:
        folder = tmp_path / one.speaker
        folder.mkdir()
        (folder / f"{one.id}{one.audio.suffix}").symlink_to(one.audio.resolve())
        (folder / f"{one.id}.lab").write_text(said[one.id])
    model = ModelBundle()
    checked = validate_corpus(read_corpus(tmp_path), model, jobs=1)
    assert set(checked.unfitting) == {first, second}
    aligner, corpus = read_aligner(model, read_corpus(tmp_path))
    aligned = align_corpus(corpus, aligner, jobs=1)
    assert {*aligned.failed, *aligned.suspicious} == {first, second}
    kept = [one.suspicion for key, one in aligned.quality.items() if key not in (first, second)]
    assert max(kept) < 1.0
