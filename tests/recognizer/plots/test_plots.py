"""Pictures: what is in them, that they are files, and every wrong use in one line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

import toy
from lattice_toys import timed_lattice, word_tree
from recognizer.data.alignments.alignment import Alignment, Segment
from recognizer.data.alignments.ctm import write_ctm
from recognizer.data.alignments.textgrid import write_textgrid
from recognizer.data.errors import SpeechError, UsageError
from recognizer.decoding.lattice.determinization import determinize
from recognizer.decoding.lattice.posteriors import posteriors
from recognizer.evaluation.confidence import reliability
from recognizer.plots.alignment import plot_alignment
from recognizer.plots.lattice import draw_lattice, write_lattice
from recognizer.plots.reliability import plot_reliability
from search_toys import SYMBOLS

pytest.importorskip("matplotlib", reason="plots need matplotlib")


def texts(path: Path) -> list[str]:
    """What is written in an SVG: matplotlib puts each text into a comment beside its outlines."""
    return re.findall(r"<!-- (.*?) -->", path.read_text())


# Lattices ---------------------------------------------------------------------------------------

WEIGHTS = {(1, 2): 0.6, (1, 3): 0.3, (2,): 0.095, (3, 3): 0.005}


def test_the_likely_arcs_of_a_tree_of_words():
    drawing = draw_lattice(word_tree(WEIGHTS), 1.0, 0.01, least_posterior=0.05)
    a, b, c = SYMBOLS[1], SYMBOLS[2], SYMBOLS[3]
    found = {(edge.word, round(edge.posterior, 3), edge.best) for edge in drawing.edges}
    assert found == {(a, 0.9, True), (b, 0.6, True), (c, 0.3, False), (b, 0.095, False)}
    assert [node.time for node in drawing.nodes] == [0.0, 0.01, 0.02, 0.02, 0.01]
    lanes = [node.lane for node in drawing.nodes]
    assert lanes[:3] == [0, 0, 0]
    assert sorted(lanes[3:]) == [-1, 1]
    assert len(draw_lattice(word_tree(WEIGHTS), 1.0, 0.01, least_posterior=0.0).edges) == 6


@given(st.integers(0, 200), st.sampled_from([0.0, 0.1, 0.4, 1.0]))
def test_every_drawn_arc_is_on_a_whole_drawn_path(seed: int, least: float):
    lattice = determinize(timed_lattice(seed), 1.0, 20.0)
    drawing = draw_lattice(lattice, 1.0, 0.01, least_posterior=least)
    entered = {0} | {edge.target for edge in drawing.edges}
    assert entered == set(range(len(drawing.nodes)))
    likely = int((posteriors(lattice, 1.0).arcs >= least).sum())
    best = [edge for edge in drawing.edges if edge.best]
    assert len(best) <= len(drawing.edges) <= max(likely, 0) + len(best)
    for edge in best:
        assert drawing.nodes[edge.source].lane == drawing.nodes[edge.target].lane == 0
    if least == 0.0:
        assert len(drawing.edges) == lattice.num_arcs
    for node in range(len(drawing.nodes)):
        for other in range(node):  # at one time and in one lane there is one state only
            one, two = drawing.nodes[node], drawing.nodes[other]
            assert (one.lane, one.time) != (two.lane, two.time) or one.lane == 0


def test_graphviz_gets_every_arc(tmp_path: Path):
    drawing = draw_lattice(word_tree(WEIGHTS), 1.0, 0.01, least_posterior=0.05)
    write_lattice(drawing, tmp_path / "some.dot", 'say "x"')
    text = (tmp_path / "some.dot").read_text()
    assert text.startswith("digraph lattice {\n")
    assert '  label="say \\"x\\"";\n' in text
    edges = re.findall(r'^  (\d+) -> (\d+) \[label="(\S+) ([\d.]+)"', text, flags=re.MULTILINE)
    assert [(int(s), int(t), w, float(p)) for s, t, w, p in edges] == [
        (e.source, e.target, e.word, pytest.approx(e.posterior, abs=0.005)) for e in drawing.edges
    ]
    assert text.count("color=red") == 2


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_a_lattice_as_a_picture(tmp_path: Path, ending: str):
    drawing = draw_lattice(word_tree(WEIGHTS), 1.0, 0.01)
    path = tmp_path / f"some.{ending}"
    write_lattice(drawing, path, "title")
    first = path.read_bytes()
    assert first[:4] == {"svg": b"<?xm", "png": b"\x89PNG", "pdf": b"%PDF"}[ending]
    if ending == "svg":
        written = texts(path)
        assert {f"{SYMBOLS[1]} 0.90", f"{SYMBOLS[2]} 0.60", "title", "seconds"} <= set(written)


def test_lattices_by_command(command, toy_model, whistled, tmp_path):
    audio = whistled("go left")
    arguments = ["plot", "lattice", audio, "--model", toy_model]
    ran = command("recognizer", *arguments, "-o", tmp_path / "a.svg")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert any(text.startswith("go ") for text in texts(tmp_path / "a.svg"))
    data = tmp_path / "data"
    data.mkdir()
    (data / "wav.scp").write_text(f"some {audio}\n")
    (data / "text").write_text("some GO LEFT\n")
    lattices = tmp_path / "lattices"
    options = ["--output-dir", lattices, "--model", toy_model, "--format", "slf"]
    assert command("recognizer", "lattice", data, *options).code == 0
    for source, name in ((audio, "b.dot"), (lattices / "some.slf.gz", "c.dot")):
        arguments = ["plot", "lattice", source, "--model", toy_model, "-o", tmp_path / name]
        assert command("recognizer", *arguments).code == 0
    # The file says the same as the recording that it was made from.
    assert (tmp_path / "b.dot").read_text() == (tmp_path / "c.dot").read_text()


# Alignments -------------------------------------------------------------------------------------

ALIGNMENT = Alignment(
    "u1",
    words=(Segment("go", 0.1, 0.4), Segment("left", 0.5, 0.9)),
    phones=(Segment("G", 0.1, 0.2), Segment("OW", 0.2, 0.4), Segment("LEFT", 0.5, 0.9)),
)


def test_words_and_phones_stand_below_the_spectrogram(tmp_path: Path):
    samples = toy.whistle("go left")[:16000]
    plot_alignment(samples, ALIGNMENT, tmp_path / "whole.svg")
    assert {"u1", "go", "left", "G", "OW", "LEFT", "words", "phones"} <= set(
        texts(tmp_path / "whole.svg")
    )
    plot_alignment(samples, ALIGNMENT, tmp_path / "part.svg", start=0.25, end=0.45)
    written = texts(tmp_path / "part.svg")
    assert "OW" in written
    assert not {"G", "left", "LEFT"} & set(written)
    with pytest.raises(UsageError, match=r"expected a part of the 1 s, found 0\.5 to 0\.5 s"):
        plot_alignment(samples, ALIGNMENT, tmp_path / "no.svg", start=0.5, end=0.5)
    with pytest.raises(SpeechError, match="utterance u2: expected words or phones, found none"):
        plot_alignment(samples, Alignment("u2"), tmp_path / "no.svg")
    assert not (tmp_path / "no.svg").exists()


def test_alignments_by_command(command, tmp_path):
    audio = tmp_path / "u1.wav"
    soundfile.write(audio, toy.whistle("go left")[:16000], 16000)
    write_textgrid(ALIGNMENT, tmp_path / "other.TextGrid")
    arguments = ["plot", "alignment", audio, tmp_path / "other.TextGrid", "-o", tmp_path / "a.svg"]
    ran = command("recognizer", *arguments)
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert "left" in texts(tmp_path / "a.svg")
    two = tmp_path / "two"
    two.mkdir()
    other = Alignment("u2", words=(Segment("stop", 0.0, 0.5),))
    write_ctm([ALIGNMENT, other], two / "words.ctm")
    # The recording's name tells which, --utterance even of a corpus.
    output = ["-o", tmp_path / "b.svg"]
    assert command("recognizer", "plot", "alignment", audio, two, *output).code == 0
    assert "left" in texts(tmp_path / "b.svg")
    (two / "wav.scp").write_text(f"u2 {audio}\n")
    (two / "text").write_text("u2 STOP\n")
    ran = command("recognizer", "plot", "alignment", two, two, "--utterance", "u2", *output)
    assert (ran.code, ran.err) == (0, "")
    assert "stop" in texts(tmp_path / "b.svg")
    for arguments, message in (
        ([audio, two, "--utterance", "u9"], "expected an alignment of utterance 'u9'"),
        ([two, two], "2 utterances: expected --utterance to name one"),
        ([two, two, "--utterance", "u1"], "expected utterance 'u1', found none of this name"),
    ):
        ran = command("recognizer", "plot", "alignment", *arguments, "-o", tmp_path / "c.svg")
        assert (ran.code, ran.out) == (1, "")
        assert message in ran.err
        assert ran.err.count("\n") == 1


# Confidences ------------------------------------------------------------------------------------


def test_the_reliability_of_two_results(tmp_path: Path):
    sure = reliability(np.array([0.95, 0.95, 0.35]), np.array([True, False, False]))
    true = reliability(np.array([1.0, 1.0]), np.array([True, True]))
    plot_reliability({"sure": sure, "true": true}, tmp_path / "some.svg")
    written = texts(tmp_path / "some.svg")
    assert f"sure: calibration error {(2 * 0.45 + 0.35) / 3:.3f}" in written
    assert "true: calibration error 0.000" in written
    nothing = reliability(np.zeros(0), np.zeros(0, bool))
    with pytest.raises(SpeechError, match="none: expected words with confidences, found none"):
        plot_reliability({"none": nothing}, tmp_path / "no.svg")
    assert not (tmp_path / "no.svg").exists()


def test_reliability_by_command(command, toy_model, whistled, tmp_path):
    data, out = tmp_path / "data", tmp_path / "out" / ("long" * 40)  # wraps in the legend
    data.mkdir()
    (data / "wav.scp").write_text(f"some {whistled('go left')}\n")
    (data / "text").write_text("some GO STOP\n")
    assert command("recognizer", "evaluate", data, "--model", toy_model, "--out", out).code == 0
    ran = command("recognizer", "plot", "reliability", out, "-o", tmp_path / "r.svg")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    error = json.loads((out / "result.json").read_text())["confidence"]
    expected = f"calibration error {error['expected_calibration_error']:.3f}"
    assert expected in " ".join(texts(tmp_path / "r.svg"))
    (out / "result.json").write_text("{}")
    ran = command("recognizer", "plot", "reliability", out, "-o", tmp_path / "r.svg")
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "expected a result of recognizer evaluate with bins of confidences" in ran.err


@pytest.mark.parametrize("kind", ["alignment", "lattice", "reliability"])
def test_other_endings_are_refused(command, whistled, tmp_path, toy_model, kind):
    audio = whistled("go left")
    write_textgrid(ALIGNMENT, tmp_path / "u1.TextGrid")
    bins = [{"low": 0.0, "high": 1.0, "words": 1, "confidence": 0.5, "accuracy": 1.0}]
    (tmp_path / "result.json").write_text(json.dumps({"confidence": {"bins": bins}}))
    arguments = {
        "alignment": [audio, tmp_path / "u1.TextGrid"],
        "lattice": [audio, "--model", toy_model],
        "reliability": [tmp_path],
    }[kind]
    ran = command("recognizer", "plot", kind, *arguments, "-o", tmp_path / "x.gif")
    assert (ran.code, ran.out) == (2, "")
    assert "x.gif: expected a name ending in .svg, .png, .pdf" in ran.err
    assert ran.err.count("\n") == 1
