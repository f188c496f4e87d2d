"""Labels of frames from alignments of states."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from kaldi_archives import write_int_vectors
from places import KALDI
from recognizer.alignment.sources import AlignmentSource, SourceOptions
from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.alignments.exclusions import Exclusions
from recognizer.data.corpora.corpus import Utterance
from recognizer.data.errors import SpeechError
from recognizer.pipelines.acoustic.state_labels import (
    StateInventory,
    label_corpus,
    label_frames,
    state_inventory,
)

STATES = Alignment(
    "u",
    (),
    (Segment("SIL", 0.0, 0.05), Segment("AH", 0.05, 0.1)),
    (Segment("sil.s2", 0.0, 0.02), Segment("sil.s3", 0.02, 0.05), Segment("ah.s2", 0.05, 0.1)),
)


def kaldi(directory: Path) -> AlignmentSource:
    directory.mkdir()
    for name in ("final.mdl", "tree", "phones.txt"):
        shutil.copyfile(KALDI / name, directory / name)
    write_int_vectors(directory / "ali.1.gz", {})
    return AlignmentSource(directory)


def test_names_that_occur_are_the_classes_and_those_only_in_silence_are_silent() -> None:
    mlf = AlignmentSource(Path("a.mlf"), SourceOptions(kind="mlf"))
    inventory = state_inventory([mlf], [STATES])
    assert inventory == StateInventory(("ah.s2", "sil.s2", "sil.s3"), frozenset({1, 2}))
    both = Alignment("v", (), (Segment("AH", 0.0, 0.1),), (Segment("sil.s3", 0.0, 0.1),))
    assert state_inventory([mlf], [STATES, both]).silence == {1}
    with pytest.raises(SpeechError, match=r"^a\.mlf: expected alignments of states, found none$"):
        state_inventory([mlf], [Alignment("u")])


def test_kaldi_has_as_many_classes_as_its_tree(tmp_path: Path) -> None:
    source = kaldi(tmp_path / "a")
    inventory = state_inventory([source, kaldi(tmp_path / "b")], [])
    assert inventory.names == tuple(map(str, range(20)))
    assert inventory.silence == set(range(10))
    larger = kaldi(tmp_path / "c")
    tree = (KALDI / "tree.txt").read_text().replace("CE 19", "CE 25")
    (larger.path / "tree").write_text(tree)
    with pytest.raises(SpeechError, match="expected sets aligned with one model, found pdfs of"):
        state_inventory([source, larger], [])
    with pytest.raises(SpeechError, match=r"x\.mlf: expected Kaldi's alignments as in the other"):
        state_inventory([source, AlignmentSource(Path("x.mlf"), SourceOptions(kind="mlf"))], [])


def test_frames_between_the_rounded_edges() -> None:
    numbers = {"ah.s2": 0, "sil.s2": 1, "sil.s3": 2}
    assert label_frames(STATES, numbers, 0.01).tolist() == [1, 1, 2, 2, 2, 0, 0, 0, 0, 0]
    assert label_frames(STATES, numbers, 0.0125).tolist() == [1, 1, 2, 2, 0, 0, 0, 0]
    for alignment, expected in [
        (Alignment("u"), "u: expected states, found none"),
        (
            Alignment("u", states=(Segment("ah.s2", 0.1, 0.2),)),
            "u: expected a state at 0 s, found the next one at 0.1 s",
        ),
        (
            Alignment("u", states=(Segment("x", 0.0, 0.2),)),
            "u: at 0 s: expected one of 3 states, found 'x'",
        ),
    ]:
        with pytest.raises(SpeechError) as caught:
            label_frames(alignment, numbers, 0.01)
        assert str(caught.value) == expected


def test_a_corpus_keeps_what_has_labels_and_counts_the_rest() -> None:
    utterances = [Utterance(key, Path("a.wav"), "s", "") for key in ("u", "v", "w")]
    inventory = StateInventory(("ah.s2", "sil.s2", "sil.s3"), frozenset())
    found = [Alignment("w"), STATES]
    exclusions = Exclusions()
    corpus = label_corpus("set", utterances, found, inventory, 0.01, exclusions)
    assert [u.id for u in corpus.utterances] == ["u"] == list(corpus.labels)
    assert exclusions.counts == {"states that give no labels": 1}
    with pytest.raises(SpeechError, match="set: w: expected states, found none"):
        label_corpus("set", utterances, found, inventory, 0.01)


def test_the_inventory_in_a_file(tmp_path: Path) -> None:
    inventory = StateInventory(("a", "b"), frozenset({1}))
    inventory.write(tmp_path / "states.json")
    assert StateInventory.read(tmp_path / "states.json") == inventory
    StateInventory(("a",), frozenset({1})).write(tmp_path / "states.json")
    with pytest.raises(SpeechError, match="expected names of states and indices of silence"):
        StateInventory.read(tmp_path / "states.json")
