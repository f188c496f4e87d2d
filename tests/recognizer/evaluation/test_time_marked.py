"""CTM files as references and hypotheses."""

from __future__ import annotations

from pathlib import Path

import pytest

from recognizer.data.errors import SpeechError
from recognizer.evaluation.time_marked import read_ctm_words


@pytest.mark.parametrize("other", ["g 1 0 1 x\n", "f 2 0 1 x\n"], ids=["recording", "channel"])
def test_two_recordings_of_one_name_are_not_made_one(tmp_path: Path, other: str) -> None:
    path = tmp_path / "two.ctm"
    path.write_text(f"f 1 0 .5 hello\nf 1 2 .5 there\n{other}f 1 0 .5 again\n")
    with pytest.raises(SpeechError, match=r"two\.ctm:4: expected recording 'f', channel 1, to go"):
        read_ctm_words(path)


def test_recordings_may_take_turns_and_lines_be_out_of_order(tmp_path: Path) -> None:
    path = tmp_path / "turns.ctm"
    path.write_text("f A 1 .5 b\nf A 0 .5 a\nf B 0 1 x\nf A 2 .5 c\nf B 1 1 y\n")
    words = read_ctm_words(path)
    assert [word.start for word in words["f", "A"]] == [0.0, 1.0, 2.0]
    assert [word.start for word in words["f", "B"]] == [0.0, 1.0]
