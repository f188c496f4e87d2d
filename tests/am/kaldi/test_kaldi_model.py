"""Kaldi's transition models and trees, against what kaldi-hmm-gmm says of them."""

from __future__ import annotations

import itertools
import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import kaldi_toys
from places import HELPERS, KALDI
from recognizer.am.kaldi.model import (
    KaldiTransitions,
    KaldiTree,
    read_kaldi_transitions,
    read_kaldi_tree,
    read_symbols,
)
from recognizer.data.errors import SpeechError


def check_ids(transitions: KaldiTransitions, expected: dict[str, Any]) -> None:
    assert transitions.num_transition_ids == len(expected["ids"])
    for tid, row in enumerate(expected["ids"], start=1):
        phone, state, pdf, transition_state, loop, final, log_prob = row
        assert transitions.phone[tid] == phone
        assert transitions.hmm_state[tid] == state
        assert transitions.pdf[tid] == pdf
        assert transitions.transition_state[tid] == transition_state
        assert transitions.is_self_loop[tid] == loop
        assert transitions.ends_phone[tid] == final
        assert transitions.log_prob[tid] == pytest.approx(log_prob, abs=1e-5)


def check_pdfs(tree: KaldiTree, transitions: KaldiTransitions, expected: dict[str, Any]) -> None:
    answers = iter(expected["pdfs"])
    phones = [0, *sorted(transitions.topology)]
    for context in itertools.product(phones, repeat=tree.width):
        states = transitions.topology.get(context[tree.central], ())
        classes = {c for s in states for c in (s.forward_pdf_class, s.self_loop_pdf_class)}
        for pdf_class in sorted(classes - {-1}):
            assert tree.pdf(context, pdf_class) == next(answers), (context, pdf_class)
    assert next(answers, "none left") == "none left"
    assert tree.num_pdfs == expected["num_pdfs"]


@pytest.mark.parametrize(
    ("model", "tree", "expected"),
    [
        ("final.mdl", "tree", "expected.json"),
        ("final.mdl.txt", "tree.txt", "expected.json"),
        ("chain.mdl", "chain.tree", "chain.expected.json"),
    ],
)
def test_what_the_peer_wrote(model: str, tree: str, expected: str) -> None:
    answers = json.loads((KALDI / expected).read_text())
    transitions = read_kaldi_transitions(KALDI / model)
    check_ids(transitions, answers)
    check_pdfs(read_kaldi_tree(KALDI / tree), transitions, answers)


def test_silence_and_symbols() -> None:
    transitions = read_kaldi_transitions(KALDI / "final.mdl")
    assert transitions.pdfs_of([1, 2]) == frozenset(range(10))
    assert transitions.num_pdfs == 20
    symbols = read_symbols(KALDI / "phones.txt")
    assert symbols[1] == "SIL" and symbols[0] == "<eps>" and len(symbols) == 13


def ask_peer(tree: Path, topology: Path) -> dict[str, Any]:
    python = os.environ.get("KALDI_HMM_GMM_PYTHON")
    if not python:
        pytest.skip("KALDI_HMM_GMM_PYTHON names no Python with kaldi-hmm-gmm and kaldifst 1.7.17")
    command = [python, "-B", str(HELPERS / "am" / "kaldi_peer.py"), str(tree), str(topology)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.parametrize(
    ("model", "tree", "topology"),
    [("final.mdl", "tree", "topo"), ("chain.mdl", "chain.tree", "chain.topo")],
)
def test_the_peer_still_says_so(model: str, tree: str, topology: str) -> None:
    answers = ask_peer(KALDI / tree, KALDI / topology)
    transitions = read_kaldi_transitions(KALDI / model)
    check_ids(transitions, answers)
    check_pdfs(read_kaldi_tree(KALDI / tree), transitions, answers)


def random_event(rng: random.Random, depth: int, leaves: list[int]) -> kaldi_toys.Event:
    """A random subtree below a root that knows phone and pdf-class."""
    if depth == 0 or rng.random() < 0.2:
        leaves.append(len(leaves) if rng.random() < 0.8 or not leaves else rng.choice(leaves))
        return leaves[-1]
    key = rng.choice([-1, 0, 1, 2])
    values = sorted(rng.sample(range(5) if key == -1 else range(11), rng.randint(1, 4)))
    return (
        "SE", key, values,
        random_event(rng, depth - 1, leaves), random_event(rng, depth - 1, leaves),
    )  # fmt: skip


@pytest.mark.parametrize("seed", range(3))
def test_random_trees_as_the_peer_answers(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    leaves: list[int] = []
    event = ("TE", 1, [None, *(random_event(rng, 4, leaves) for _ in range(10))])
    renumbered = {old: new for new, old in enumerate(dict.fromkeys(leaves))}
    path = tmp_path / "tree"
    path.write_bytes(kaldi_toys.tree(renumber(event, renumbered)))
    answers = ask_peer(path, KALDI / "topo")
    check_pdfs(read_kaldi_tree(path), read_kaldi_transitions(KALDI / "final.mdl"), answers)


def renumber(event: kaldi_toys.Event, number: dict[int, int]) -> kaldi_toys.Event:
    if isinstance(event, int):
        return number[event]
    if event is None:
        return None
    if event[0] == "TE":
        return ("TE", event[1], [renumber(child, number) for child in event[2]])
    return (*event[:3], renumber(event[3], number), renumber(event[4], number))


@pytest.mark.parametrize(
    ("name", "read"),
    [
        ("final.mdl", read_kaldi_transitions),
        ("final.mdl.txt", read_kaldi_transitions),
        ("chain.mdl", read_kaldi_transitions),
        ("tree", read_kaldi_tree),
        ("tree.txt", read_kaldi_tree),
    ],
)
def test_a_file_cut_anywhere_or_damaged_is_refused(tmp_path: Path, name: str, read: Any) -> None:
    raw = (KALDI / name).read_bytes()
    path = tmp_path / name
    for length in range(0, len(raw) - 2, 3):
        path.write_bytes(raw[:length])
        with pytest.raises(SpeechError) as caught:
            read(path)
        assert str(caught.value).startswith(f"{path}: expected ")
        assert "\n" not in str(caught.value)
    rng = np.random.default_rng(0)
    for _ in range(300):
        broken = bytearray(raw)
        broken[rng.integers(len(raw))] = rng.integers(256)
        path.write_bytes(broken)
        try:
            read(path)
        except SpeechError as error:
            assert str(path) in str(error)


def test_contradictions_are_named(tmp_path: Path) -> None:
    path = tmp_path / "x"

    def refused(text: str, read: Any = read_kaldi_transitions) -> str:
        path.write_text(text)
        with pytest.raises(SpeechError) as caught:
            read(path)
        return str(caught.value).removeprefix(f"{path}: ")

    text = (KALDI / "final.mdl.txt").read_text()
    assert "expected <TransitionModel>, found '<Nnet3>'" in refused("<Nnet3> 1")
    assert "arcs to 0..3" in refused(text.replace("<Transition> 3 0.25", "<Transition> 7 0.25", 1))
    assert "expected state 1, found 9" in refused(text.replace("<State> 1", "<State> 9", 1))
    numbers = text.index("[", text.index("<LogProbs>")) + 1
    assert "expected log probabilities of 116 transition-ids, found 117" in refused(
        f"{text[:numbers]} 0 {text[numbers:]}"
    )
    tree = (KALDI / "tree.txt").read_text()
    assert "expected a context and a position in it, found 3 and 5" in refused(
        tree.replace("3 1 ToPdf", "3 5 ToPdf"), read_kaldi_tree
    )
    assert "a question's key of -1..2, found 4" in refused(
        tree.replace("SE 1", "SE 4", 1), read_kaldi_tree
    )
    assert "a tree with pdf-ids, found none" in refused(
        "ContextDependency 3 1 ToPdf NULL EndContextDependency ", read_kaldi_tree
    )
    assert "a question's values, an integer of 4 bytes, found 99999999999" in refused(
        tree.replace("[ 1 2 ]", "[ 1 99999999999 ]"), read_kaldi_tree
    )
    deep = "SE 0 [ 1 ] { " * 400
    assert "a tree of depth 200 at most" in refused(
        f"ContextDependency 3 1 ToPdf {deep}", read_kaldi_tree
    )
    path.write_text("SIL one\n")
    with pytest.raises(SpeechError, match=r"x:1: expected a symbol and an id of its own"):
        read_symbols(path)
