"""Losses of regression: what they equal, and what they refuse."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, strategies as st

from tests.cases import generator
from tests.cases.base import R, randn, t64
from torchobjectives import RMSELoss, functional as O


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


def test_rmse_of_small_batches_is_not_least_at_the_mean() -> None:
    """Batches of one, 0, 4 and 0: at the mean 4/3 they pull with ±1 each, as towards the median."""
    at = t64(4 / 3).requires_grad_()
    losses = [O.rmse_loss(at.expand(len(y)), t64(y)) for y in ([0.0], [4.0], [0.0])]
    (slope,) = torch.autograd.grad(sum(losses), at)
    assert slope == 1
    assert not RMSELoss.spec.proper
    with pytest.raises(ValueError, match="rmse_loss is not proper"):
        RMSELoss().predict(torch.zeros(2), calibrated=True)


def test_cosine_keeps_the_digits_of_a_small_angle() -> None:
    """1 − cos a = 2·sin²(a/2); as 1 minus a cosine, float32 knows nothing below 6e-8."""
    for angle in (1e-2, 1e-3, 1e-4):
        p = torch.tensor([[3 * math.cos(angle), 3 * math.sin(angle)]], dtype=torch.float64).float()
        t = torch.tensor([[0.1, 0.0]])
        wanted = O.cosine_similarity_loss(p.double(), t.double()).item()
        assert wanted == pytest.approx(2 * math.sin(angle / 2) ** 2, rel=1e-4)
        assert O.cosine_similarity_loss(p, t).item() == pytest.approx(wanted, rel=2e-7 / angle)
    many = torch.randn(2000, 50, generator=generator(0))
    assert (O.cosine_similarity_loss(many, 3 * many, reduction="none") >= 0).all()
    assert O.cosine_similarity_loss(many, 3 * many) < 1e-13


@given(st.integers(0, 2**32))
def test_cosine_equals_torchs(seed: int) -> None:
    rng = generator(seed)
    p, t = randn(rng, 6, 3, 4), randn(rng, 6, 3, 4)
    p[1], t[1, 0] = p[1] * 1e-3, t[1, 0] * 1e-9
    for eps in (1e-8, 1.5):
        wanted = 1 - torch.cosine_similarity(p, t, dim=1, eps=eps)
        torch.testing.assert_close(
            O.cosine_similarity_loss(p, t, dim=1, eps=eps, reduction="none"), wanted, rtol=0, atol=1e-10
        )


def test_cosine_of_vectors_without_a_direction() -> None:
    for dtype in (torch.float32, torch.float64):
        for size in (0.0, 1e-45, 1e-22, 1e-18, 1e-11, 1e-9, 1e-7):
            for eps in (1e-8, 1e-30):
                p = torch.tensor([[size, 0.0]], dtype=dtype, requires_grad=True)
                t = torch.tensor([[1.0, 1.0]], dtype=dtype)
                value = O.cosine_similarity_loss(p, t, eps=eps)
                (slope,) = torch.autograd.grad(value, p, create_graph=True)
                (second,) = torch.autograd.grad(slope.sum(), p)
                assert not torch.stack((slope, second)).isnan().any()
                if size == 0:
                    assert value.item() == pytest.approx(1, abs=1e-7)
                    assert not slope.any()
    assert O.cosine_similarity_loss(torch.full((1, 2), 1e30), torch.ones(1, 2)).isnan()
