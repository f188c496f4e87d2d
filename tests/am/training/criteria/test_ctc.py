"""CTC against a sum over all paths, and trained on whole utterances by the same engine."""

from __future__ import annotations

import dataclasses
from itertools import product
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recognizer.am.nnet.convolution import ConvolutionOptions, LookaheadOptions
from recognizer.am.nnet.ctc import BLANK, PRUNED, CtcPruning, collapse, greedy_tokens
from recognizer.am.nnet.network_file import read_network
from recognizer.am.nnet.options import NetworkOptions, NetworkShape
from recognizer.am.nnet.recurrent import RnnOptions
from recognizer.am.torch.network_module import NetworkOutputs
from recognizer.am.training.criteria.criterion import ChunkTargets
from recognizer.am.training.criteria.ctc import Ctc, edit_distance
from recognizer.am.training.criteria.targets import TokenSequence
from recognizer.am.training.data.batching import StreamBatcher
from recognizer.am.training.parallel.synchronous import SyncTrainer
from recognizer.am.training.train import TrainingUtterance, make_task
from recognizer.data.errors import UsageError
from toy_training import DIM, NETWORK, SGD, STATES


def of_path(path: tuple[int, ...]) -> list[int]:
    """Its tokens, as the definition says: first repeats become one, then blanks go."""
    once = [token for k, token in enumerate(path) if k == 0 or path[k - 1] != token]
    return [token for token in once if token != BLANK]


def chunk(
    lengths: list[int], tokens: list[list[int] | None], delay: int
) -> ChunkTargets:  # fmt: skip
    mask = np.zeros((max(lengths) + delay, len(lengths)), dtype=np.bool_)
    for n, length in enumerate(lengths):
        mask[delay : delay + length, n] = True
    pieces = [None if one is None else TokenSequence(np.array(one, np.int32)) for one in tokens]
    flags = np.ones(len(lengths), dtype=np.bool_)
    return ChunkTargets(pieces, mask, flags, flags)


def outputs(logits: torch.Tensor) -> NetworkOutputs:
    """Outputs that are these logits ``[T, N, S]``."""
    size = logits.shape[2]
    return NetworkOutputs(
        logits, torch.eye(size, dtype=logits.dtype), torch.zeros(size, dtype=logits.dtype),
        torch.float64,
    )  # fmt: skip


@settings(deadline=None, max_examples=40)
@given(data=st.data(), delay=st.integers(0, 2), seed=st.integers(0, 99))
def test_loss_is_that_of_all_paths_together(data: st.DataObject, delay: int, seed: int) -> None:
    size = 3
    streams = data.draw(
        st.lists(st.tuples(st.integers(1, 5), st.booleans()), min_size=1, max_size=3)
    )
    lengths = [length if there else 0 for length, there in streams]
    if not any(lengths):
        lengths[0] = 3
    tokens: list[list[int] | None] = []
    for length in lengths:
        drawn = data.draw(st.lists(st.integers(0, size - 1), min_size=length, max_size=length))
        tokens.append(of_path(tuple(drawn)) if length else None)  # some path gives them
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(
        max(lengths) + delay, len(lengths), size, dtype=torch.float64, generator=generator
    ).requires_grad_()
    expected = torch.zeros((), dtype=torch.float64)
    for n, (length, wanted) in enumerate(zip(lengths, tokens, strict=True)):
        if wanted is None:
            continue
        rows = logits[delay : delay + length, n].log_softmax(1)
        paths = [path for path in product(range(size), repeat=length) if of_path(path) == wanted]
        sums = [sum(rows[t, k] for t, k in enumerate(path)) for path in paths]
        expected = expected - torch.logsumexp(torch.stack(sums), 0)  # type: ignore[arg-type]
    result = Ctc()(outputs(logits), chunk(lengths, tokens, delay), [])
    torch.testing.assert_close(result.loss, expected)
    assert result.units == sum(lengths)
    (ours,) = torch.autograd.grad(result.loss, logits)
    (theirs,) = torch.autograd.grad(expected, logits)
    torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)
    best = [
        of_path(tuple(logits[delay : delay + length, n].argmax(1).tolist()))
        for n, length in enumerate(lengths)
    ]
    errors = sum(
        distance(found, wanted) for found, wanted in zip(best, tokens, strict=True)
        if wanted is not None
    )  # fmt: skip
    assert result.counts == (sum(len(wanted or []) for wanted in tokens), errors)


def distance(found: list[int], wanted: list[int]) -> int:
    """By its recursive definition."""
    if not found or not wanted:
        return len(found) + len(wanted)
    return min(
        distance(found[1:], wanted) + 1,
        distance(found, wanted[1:]) + 1,
        distance(found[1:], wanted[1:]) + (found[0] != wanted[0]),
    )


@given(
    found=st.lists(st.integers(1, 3), max_size=6), wanted=st.lists(st.integers(1, 3), max_size=6)
)
def test_edit_distance(found: list[int], wanted: list[int]) -> None:
    arrays = (np.array(one, dtype=np.int64) for one in (found, wanted))
    assert edit_distance(*arrays) == distance(found, wanted)


@given(path=st.lists(st.integers(0, 2), min_size=1, max_size=8))
def test_collapse(path: list[int]) -> None:
    assert collapse(np.array(path)).tolist() == of_path(tuple(path))


@given(
    frames=st.integers(1, 4), outputs=st.integers(1, 9), most=st.integers(1, 12),
    share=st.sampled_from([0.2, 0.7, 0.99, 1.0]), seed=st.integers(0, 99),
)  # fmt: skip
def test_pruning_keeps_the_fewest_that_are_likely_enough(
    frames: int, outputs: int, most: int, share: float, seed: int
) -> None:
    logits = torch.randn(frames, outputs, generator=torch.Generator().manual_seed(seed)) * 2
    rows = logits.log_softmax(1).numpy()
    pruned = rows.copy()
    CtcPruning(share, most).prune(pruned)
    for row, found in zip(rows, pruned, strict=True):
        kept: list[int] = []
        for output in np.argsort(-row).tolist():
            if len(kept) < most and np.exp(row[kept].astype(np.float64)).sum() < share:
                kept.append(output)
        assert sorted(kept) == np.flatnonzero(found > PRUNED).tolist()
        np.testing.assert_array_equal(found[kept], row[kept])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"share": 0.0}, "share: expected a number above 0, at most 1, found 0.0"),
        ({"share": 1.5}, "share: expected a number above 0, at most 1, found 1.5"),
        ({"most": 0}, "most: expected an integer >= 1, found 0"),
        ({"most": True}, "most: expected an integer >= 1, found True"),
    ],
)
def test_wrong_pruning(options: dict[str, float], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        CtcPruning(**options)  # type: ignore[arg-type]


def test_greedy_tokens_are_those_of_the_best_path() -> None:
    path = [0, 2, 2, 0, 2, 1, 1, 3, 0]
    posteriors = np.full((len(path), 4), 0.1, np.float32)
    posteriors[np.arange(len(path)), path] = 0.7
    found = greedy_tokens(np.log(posteriors))
    assert (found.tokens.tolist(), found.frames.tolist()) == ([2, 2, 1, 3], [1, 4, 5, 7])
    np.testing.assert_allclose(found.log_prob, 9 * np.log(0.7), rtol=1e-6)
    nothing = greedy_tokens(np.empty((0, 4), np.float32))
    assert (len(nothing.tokens), nothing.log_prob) == (0, 0.0)


def test_a_chunk_of_padding_has_no_loss() -> None:
    logits = torch.zeros(2, 2, 3, requires_grad=True)
    targets = chunk([0, 0], [None, None], delay=2)
    result = Ctc()(outputs(logits), targets, [])
    assert (float(result.loss.detach()), result.units, result.counts) == (0.0, 0, (0, 0))


@pytest.mark.parametrize(
    ("tokens", "fault"),
    [
        ([1, 2, 1], ""),
        ([], ""),
        ([1, 1, 2], "3 output frames, but CTC needs 4 for its tokens"),
        ([1, 2, 1, 2], "3 output frames, but CTC needs 4 for its tokens"),
        ([1, 0], "expected tokens other than the blank 0"),
        ([1, 5], "expected tokens 0 to 4, found 1 to 5"),
        ([0.5], "expected integer tokens [U], found float64 [1]"),
    ],
)
def test_what_cannot_be_trained_on(tokens: list[float], fault: str) -> None:
    assert (
        Ctc().fault(TokenSequence(np.array(tokens, dtype=None if tokens else int)), 3, 5) == fault
    )


def make_utterances(count: int = 40, seed: int = 0) -> list[TrainingUtterance]:
    """Tokens that each sound like their mark for two to four frames."""
    rng = np.random.default_rng(seed)
    marks: npt.NDArray[np.float64] = np.random.default_rng(99).normal(size=(STATES, DIM))
    utterances = []
    for k in range(count):
        tokens = rng.integers(1, STATES, rng.integers(4, 9))
        frames = np.repeat(tokens, rng.integers(2, 5, len(tokens)))
        silence = np.zeros(3, dtype=np.int64)
        heard = marks[np.concatenate((silence, frames, silence))]
        features = 20 + 3 * (heard + 0.1 * rng.normal(size=heard.shape))
        # Equal neighbours sound like one token: none is the transcript's.
        keep = np.diff(tokens, prepend=0) != 0
        utterances.append(
            TrainingUtterance(
                f"u{k}", features.astype(np.float32), TokenSequence(tokens[keep].astype(np.int32))
            )
        )
    return utterances


def trainer(directory: Path, epochs: int = 20) -> SyncTrainer:
    directory.mkdir(exist_ok=True)
    network = dataclasses.replace(NETWORK, layers=1, output_delay=1)
    options = dataclasses.replace(
        SGD, optimizer="adam", reduction="mean", learning_rate=2e-2, final_learning_rate=3e-3,
        streams=4, epochs=epochs, max_gradient_norm=5.0, dropout=0.05, evaluate_frames=3000,
    )  # fmt: skip
    task = make_task(
        make_utterances(), network, options, directory, criterion=Ctc(), progress=False
    )
    return SyncTrainer(task)


def test_a_network_learns_tokens_and_a_resumed_run_ends_with_the_same_bits(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    whole = trainer(tmp_path / "whole").train()
    assert whole.finished and whole.last is not None and whole.best is not None
    assert set(whole.last.measures) == {"ctc_loss", "token_accuracy"}
    assert whole.best["token_accuracy"] > 0.9
    first = trainer(tmp_path / "cut")
    assert not first.train(max_chunks=37).finished
    second = trainer(tmp_path / "cut")
    second.restore()
    result = second.train()
    assert result.last == whole.last
    ours, expected = read_network(result.last_path), read_network(whole.last_path)
    assert "log_priors" not in ours.tensors  # there are no frame labels to count
    for name, array in expected.tensors.items():
        np.testing.assert_array_equal(ours.tensors[name], array, err_msg=name)


def deep_speech(directory: Path) -> SyncTrainer:
    """A network of convolution, recurrent layers of both directions and lookahead."""
    directory.mkdir(exist_ok=True)
    layers = (
        ConvolutionOptions(filters=24, left=2, right=2),
        RnnOptions(units=24, bidirectional=True),
        LookaheadOptions(right=2),
    )
    network = NetworkOptions.of(NetworkShape(kind="layered", layers=layers), STATES, DIM)
    options = dataclasses.replace(
        SGD, momentum=0.9, sorted_epochs=1, reduction="mean", learning_rate=3e-2,
        final_learning_rate=1e-2, streams=4, epochs=12, max_gradient_norm=1.0,
    )  # fmt: skip
    utterances = make_utterances()
    # Too short for its transcript: left out, and counted.
    short = dataclasses.replace(utterances[0], id="short", features=np.ones((3, DIM), np.float32))
    task = make_task(
        [*utterances, short], network, options, directory, criterion=Ctc(), progress=False
    )
    (dropped,) = task.data.dropped
    assert dropped.startswith("short: 3 output frames, but CTC needs ")
    return SyncTrainer(task)


def test_deep_speech_learns_with_momentum_and_resumes(tmp_path: Path) -> None:
    torch.set_num_threads(1)
    whole = deep_speech(tmp_path / "whole").train()
    assert whole.best is not None and whole.best["token_accuracy"] > 0.8
    assert not deep_speech(tmp_path / "cut").train(max_chunks=13).finished
    second = deep_speech(tmp_path / "cut")
    second.restore()
    assert second.train().last == whole.last


def test_tokens_are_not_cut_into_chunks() -> None:
    with pytest.raises(ValueError, match="u0: a token sequence needs chunks of whole utterances"):
        next(StreamBatcher(make_utterances(1), streams=1, chunk=5, delay=0))
    with pytest.raises(ValueError, match="begins at output frame 3"):
        TokenSequence(np.array([1, 2])).cut(3, 5)
