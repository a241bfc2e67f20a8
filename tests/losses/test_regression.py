"""Losses of regression: what they equal, and what they refuse."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, strategies as st

from tests.cases import generator
from tests.cases.base import R, randn, t64
from torchobjectives import functional as O


@given(st.integers(0, 2**32))
def test_epsilon_insensitive_without_tolerance(seed: int) -> None:
    rng = generator(seed)
    p, t = randn(rng, 6), randn(rng, 6)
    torch.testing.assert_close(O.epsilon_insensitive_loss(p, t, epsilon=0.0), O.l1_loss(p, t))
    torch.testing.assert_close(O.epsilon_insensitive_loss(p, t, epsilon=0.0, squared=True), O.mse_loss(p, t))


def test_within_the_tolerance_nothing_costs_or_pulls() -> None:
    p = t64([0.0, 0.25, -0.25, 0.26]).requires_grad_()
    values = O.epsilon_insensitive_loss(p, torch.zeros_like(p), epsilon=0.25, reduction="none")
    torch.testing.assert_close(values, t64([0, 0, 0, 0.01]))
    (slope,) = torch.autograd.grad(values.sum(), p)
    assert slope.tolist() == [0, 0, 0, 1]


def test_epsilon_insensitive_equals_scikit_learns_definition() -> None:
    """Σ max(|d| − ε, 0)^k, which scikit-learn's solvers divide by nothing."""
    for squared, power in ((False, 1), (True, 2)):
        wanted = sum(max(abs(a - b) - 0.3, 0) ** power for a, b in zip(R[0].tolist(), R[1].tolist(), strict=True))
        value = O.epsilon_insensitive_loss(*R, epsilon=0.3, squared=squared, reduction="sum")
        assert value.item() == pytest.approx(wanted)


def test_epsilon_insensitive_refuses() -> None:
    for epsilon in (-0.1, math.nan, math.inf):
        with pytest.raises(ValueError, match=f"epsilon is {epsilon}, wanted a finite number >= 0"):
            O.epsilon_insensitive_loss(*R, epsilon=epsilon)
    with pytest.raises(TypeError, match="squared is 1, wanted True or False"):
        O.epsilon_insensitive_loss(*R, squared=1)


def test_rmse_has_finite_slopes_at_a_perfect_prediction() -> None:
    """F18: the slope of a root at 0 is infinite, and times 0 NaN."""
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        p = torch.tensor([1.0, 2.0], dtype=dtype, requires_grad=True)
        value = O.rmse_loss(p, p.detach())
        (slope,) = torch.autograd.grad(value, p, create_graph=True)
        (second,) = torch.autograd.grad(slope.sum(), p)
        assert (value.item(), slope.tolist()) == (0.0, [0.0, 0.0])
        assert second.isfinite().all()
