"""The semi-orthogonal constraint: the formula, its fixed points, and what it leaves alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor

from recognizer.am.nnet.layers import TdnnOptions
from recognizer.am.torch.semi_orthogonal import constrain_semi_orthogonal
from recognizer.am.torch.tdnn import TdnnLayer


def random(rows: int, columns: int) -> Tensor:
    generator = torch.Generator().manual_seed(rows)
    return torch.randn(rows, columns, generator=generator, dtype=torch.float64)


def distance(m: Tensor) -> float:
    """Of M M^T from a multiple of the unit matrix, relative to its size."""
    p = m @ m.t() if len(m) <= m.shape[1] else m.t() @ m
    scale = p.trace() / len(p)
    return float((p - scale * torch.eye(len(p), dtype=p.dtype)).norm() / p.norm())


def test_a_step_by_the_formula() -> None:
    """Equations 1 and 2 of the paper, the scale of its section 2.3, Kaldi's shorter steps."""
    for rows, columns, noise, speed in (
        (4, 30, 1.0, 0.03125),
        (4, 4000, 0.9, 0.125),
        (10, 400, 1.0, 0.0625),
    ):
        m = random(rows, columns) * noise
        p = (m @ m.t()).numpy()
        scale = np.trace(p @ p.T) / np.trace(p)
        ratio = np.trace(p @ p.T) * rows / np.trace(p) ** 2
        assert speed == (0.03125 if ratio > 1.1 else 0.0625 if ratio > 1.02 else 0.125)
        step = -4 * speed / scale * (p - scale * np.eye(rows)) @ m.numpy()
        assert abs(np.sum(m.numpy() * step)) < 1e-9 * np.abs(step).sum()  # keeps the size
        expected = m.numpy() + step
        constrain_semi_orthogonal(m)
        np.testing.assert_allclose(m.numpy(), expected, rtol=1e-10)


@pytest.mark.parametrize(("rows", "columns"), [(6, 40), (40, 6), (5, 5), (1, 9)])
def test_steps_lead_to_a_semi_orthogonal_matrix(rows: int, columns: int) -> None:
    m = random(rows, columns)
    size = m.norm()
    for _ in range(200):
        constrain_semi_orthogonal(m)
    assert distance(m) < 1e-6
    assert 0.5 < m.norm() / size < 1.1
    before = m.clone()
    constrain_semi_orthogonal(m)
    torch.testing.assert_close(m, before)


def test_near_its_aim_the_error_is_squared() -> None:
    m = torch.linalg.qr(random(40, 6))[0].t() * 3 + 0.01 * random(6, 40)
    before = distance(m)
    constrain_semi_orthogonal(m)
    assert distance(m) < 4 * before**2


def test_zeros_stay() -> None:
    m = torch.zeros(3, 5)
    constrain_semi_orthogonal(m)
    assert torch.equal(m, torch.zeros(3, 5))


@pytest.mark.parametrize(
    ("options", "constrained"),
    [
        (TdnnOptions(units=8), None),
        (TdnnOptions(units=8, left=1, bottleneck=3), "linear"),
        (TdnnOptions(units=3, activation="none"), "weight"),
        (TdnnOptions(units=8, bottleneck=3, activation="none"), "linear"),
    ],
)
def test_which_matrices_are_constrained(options: TdnnOptions, constrained: str | None) -> None:
    layer = TdnnLayer(options, 7)
    with torch.no_grad():
        layer.initialise(torch.Generator().manual_seed(0))
    before = {name: value.clone() for name, value in layer.named_parameters()}
    layer.constrain()
    for name, value in layer.named_parameters():
        assert torch.equal(value, before[name]) == (name != constrained), name
