"""Alignments of a corpus in every format: found, read, mapped, and what is left out counted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from kaldi_archives import write_int_vectors
from places import KALDI
from recognizer.alignment.sources import KINDS, AlignmentSource, SourceOptions
from recognizer.am.kaldi.model import read_kaldi_transitions
from recognizer.data.alignments.alignment import Alignment, Segment, Tier
from recognizer.data.alignments.ctm import write_ctm
from recognizer.data.alignments.exclusions import Exclusions
from recognizer.data.alignments.mlf import write_mlf
from recognizer.data.alignments.textgrid import write_textgrid
from recognizer.data.alignments.timit import write_timit
from recognizer.data.errors import SpeechError, UsageError

ONE = Alignment(
    "one",
    (Segment("ka", 0.1, 0.3),),
    (Segment("sil", 0.0, 0.1), Segment("K", 0.1, 0.2), Segment("AA", 0.2, 0.3)),
)
NAMED = Alignment("one", ONE.words, (Segment("SIL", 0.0, 0.1), *ONE.phones[1:]))


def write(kind: str, directory: Path, alignment: Alignment = ONE) -> None:
    """An alignment in a format, as another program would leave it."""
    directory.mkdir(parents=True, exist_ok=True)
    name = alignment.utterance
    if kind == "ctm":
        write_ctm([alignment], directory / "words.ctm")
        write_ctm([alignment], directory / "phones.ctm", tier="phones")
    elif kind == "textgrid":
        write_textgrid(alignment, directory / f"{name}.TextGrid")
    elif kind == "timit":
        write_timit(alignment.phones, directory / f"{name}.phn")
        write_timit(alignment.words, directory / f"{name}.wrd")
    elif kind == "mlf":
        write_mlf([alignment], directory / "all.mlf")
    elif kind == "lhotse":
        tiers = {
            kind: [[s.label, s.start + 1.0, s.duration] for s in segments]
            for kind, segments in (("word", alignment.words), ("phone", alignment.phones))
        }
        line = json.dumps({"id": name, "start": 1.0, "duration": 9.0, "alignment": tiers})
        (directory / "supervisions.jsonl").write_text(line + "\n")


@pytest.mark.parametrize("kind", ["ctm", "textgrid", "timit", "mlf", "lhotse"])
def test_every_format_is_found_and_becomes_one_form(tmp_path: Path, kind: str) -> None:
    write(kind, tmp_path)
    source = AlignmentSource(tmp_path)
    assert source.kind == kind
    assert source.alignments() == {"one": NAMED}
    files = sorted(path for path in tmp_path.iterdir() if path.suffix != ".wrd")
    if len(files) == 1 and kind != "textgrid":
        assert AlignmentSource(files[0]).alignments() == {"one": NAMED}


def kaldi_directory(directory: Path) -> Path:
    """What Kaldi's alignment scripts leave: AA_B of two frames a state, twice in another file."""
    directory.mkdir()
    for name in ("final.mdl", "tree", "phones.txt"):
        shutil.copyfile(KALDI / name, directory / name)
    model = read_kaldi_transitions(directory / "final.mdl")
    # The first transition-state of each HMM state; its self-loop comes first in the topology.
    first = [np.flatnonzero((model.phone == 3) & (model.hmm_state == i))[:2] for i in range(3)]
    path = [int(tid) for loop, arc in first for tid in (arc, loop)]
    write_int_vectors(directory / "ali.1.gz", {"one": path})
    write_int_vectors(directory / "ali.2.gz", {"two": path * 2, "bad": [500]})
    return directory


def test_kaldi_directories(tmp_path: Path) -> None:
    directory = kaldi_directory(tmp_path / "ali")
    source = AlignmentSource(directory)
    exclusions = Exclusions()
    found = source.alignments(exclusions)
    assert source.kind == "kaldi" and source.kaldi_num_pdfs() == 20
    assert list(found) == ["one", "two"] and exclusions.counts == {"alignments of another model": 1}
    assert [phone.label for phone in found["two"].phones] == ["AA_B", "AA_B"]
    assert found["two"].end == pytest.approx(0.12)
    with pytest.raises(SpeechError, match=r"ali\.2\.gz: bad: frame 0: expected a transition-id"):
        source.alignments()
    (directory / "phones.txt").unlink()
    with pytest.raises(SpeechError, match=r"phones\.txt: no such file: expected it beside Kaldi's"):
        source.alignments()
    options = SourceOptions(phones="names.txt", model="m.mdl", frame_shift=0.03)
    shutil.copyfile(KALDI / "phones.txt", tmp_path / "names.txt")
    shutil.copyfile(KALDI / "final.mdl.txt", tmp_path / "m.mdl")
    renamed = AlignmentSource(directory, options, tmp_path).alignments(Exclusions())
    assert renamed["one"].end == pytest.approx(0.18)


def test_two_files_of_one_name_are_called_after_their_directories(tmp_path: Path) -> None:
    for speaker in ("FCJF0", "MDAB0"):
        write("timit", tmp_path / speaker, Alignment("SA1", ONE.words, ONE.phones))
    assert list(AlignmentSource(tmp_path).alignments()) == ["FCJF0_SA1", "MDAB0_SA1"]


def test_mapping_and_what_is_left_out(tmp_path: Path) -> None:
    write("textgrid", tmp_path / "ali")
    write("textgrid", tmp_path / "ali", Alignment("two", ONE.words, (Segment("Q", 0.0, 1.0),)))
    (tmp_path / "ali" / "three.TextGrid").write_text("nonsense")
    (tmp_path / "a.map").write_text("sil pause\nK G\nAA A\n")
    options = SourceOptions(phone_map="a.map", silence=("pause",))
    source = AlignmentSource(tmp_path / "ali", options, tmp_path)
    exclusions = Exclusions()
    (found,) = source.alignments(exclusions).values()
    assert [phone.label for phone in found.phones] == ["SIL", "G", "A"]
    assert exclusions.counts == {"files that cannot be read": 1, "phones that the table lacks": 1}
    report = "\n".join(exclusions.lines())
    assert "three.TextGrid: expected a Praat TextGrid" in report
    assert f"two: at 0 s: expected a phone of {tmp_path / 'a.map'}, found 'Q'" in report
    with pytest.raises(SpeechError, match=r"three\.TextGrid: expected a Praat TextGrid"):
        source.alignments()


def test_tiers_and_levels_by_other_names(tmp_path: Path) -> None:
    (tmp_path / "words.mlf").write_text('#!MLF!#\n"*/u.lab"\n0 10000000 hello\n.\n')
    options = SourceOptions(level="words")
    assert AlignmentSource(tmp_path, options).alignments()["u"].words[0].label == "hello"
    path = tmp_path / "grids" / "u.TextGrid"
    path.parent.mkdir()
    write_textgrid(ONE, path)
    path.write_text(path.read_text().replace('"words"', '"ORT"').replace('"phones"', '"MAU"'))
    options = SourceOptions(words_tier="ORT", phones_tier="MAU")
    assert AlignmentSource(path.parent, options).alignments()["u"].words == ONE.words


@pytest.mark.parametrize(
    ("name", "tier"), [("talk.ctm", "words"), ("words.ctm", "words"), ("phones.ctm", "phones")]
)
@pytest.mark.parametrize("kind", [None, "ctm"])
def test_a_ctm_of_any_name_may_be_given(
    tmp_path: Path, name: str, tier: Tier, kind: str | None
) -> None:
    path = tmp_path / name
    write_ctm([ONE], path, tier=tier)
    found = AlignmentSource(path, SourceOptions(kind=kind)).alignments()[ONE.utterance]
    assert [s.start for s in found.tier(tier)] == [s.start for s in ONE.tier(tier)]
    assert len(found.words) + len(found.phones) == len(ONE.tier(tier))


def test_a_file_of_an_unknown_name(tmp_path: Path) -> None:
    (tmp_path / "talk.txt").write_text("u 1 0.0 0.5 hello\n")
    with pytest.raises(SpeechError, match=r"found another: the option kind says which of ctm"):
        AlignmentSource(tmp_path / "talk.txt").alignments()
    options = SourceOptions(kind="ctm")
    found = AlignmentSource(tmp_path / "talk.txt", options).alignments()
    assert [segment.label for segment in found["u"].words] == ["hello"]


def test_impossible_sources(tmp_path: Path) -> None:
    with pytest.raises(SpeechError, match=r"expected alignments \(words\.ctm.*in it, found none"):
        AlignmentSource(tmp_path).alignments()
    with pytest.raises(SpeechError, match="no such file or directory"):
        AlignmentSource(tmp_path / "no").alignments()
    with pytest.raises(SpeechError, match=r"expected \*\.phn or \*\.PHN, found none"):
        AlignmentSource(tmp_path, SourceOptions(kind="timit")).alignments()
    with pytest.raises(UsageError, match="kind: expected one of ctm, textgrid, timit, kaldi"):
        SourceOptions(kind="praat")
    with pytest.raises(UsageError, match="frame_shift"):
        SourceOptions(frame_shift=10)
    with pytest.raises(UsageError, match="sample_rate"):
        SourceOptions(sample_rate=0)
    assert set(KINDS) == {"ctm", "textgrid", "timit", "kaldi", "mlf", "lhotse"}


def test_an_utterance_twice_is_counted(tmp_path: Path) -> None:
    write("mlf", tmp_path)
    shutil.copyfile(tmp_path / "all.mlf", tmp_path / "again.mlf")
    exclusions = Exclusions()
    assert list(AlignmentSource(tmp_path).alignments(exclusions)) == ["one"]
    assert exclusions.counts == {"a second alignment of an utterance": 1}
