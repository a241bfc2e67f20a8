"""CCC and Pearson: exact moments far from 0, constants, a batch of one, identities."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor

from tests.cases import generator
from tests.cases.base import F64, R, randn, t64
from tests.references import agreement as ref
from torchobjectives import functional as O, totals

LOSSES = (O.ccc_loss, O.pearson_loss)


def slope_of(loss: Callable[..., Tensor], y_pred: Tensor, y_true: Tensor, **more: Any) -> tuple[Tensor, Tensor]:
    leaf = y_pred.detach().clone().requires_grad_()
    value = loss(leaf, y_true, **more)
    (slope,) = torch.autograd.grad(value, leaf)
    return value.detach(), slope


@given(st.integers(0, 2**32))
def test_pearson_is_one_minus_corrcoef_and_a_cosine(seed: int) -> None:
    rng = generator(seed)
    p, t = randn(rng, 9), randn(rng, 9)
    value = O.pearson_loss(p, t, eps=1e-300)
    torch.testing.assert_close(value, 1 - torch.corrcoef(torch.stack([p, t]))[0, 1], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(value, O.cosine_similarity_loss(p - p.mean(), t - t.mean()), rtol=1e-9, atol=1e-12)
    assert value.item() == pytest.approx(1 - np.corrcoef(p.numpy(), t.numpy())[0, 1], rel=1e-9)


@given(st.integers(0, 2**32), st.floats(0.1, 10.0), st.floats(-10.0, 10.0))
def test_scale_and_offset(seed: int, scale: float, offset: float) -> None:
    rng = generator(seed)
    p, t = randn(rng, 9), randn(rng, 9)
    tight = {"eps": 1e-200}
    torch.testing.assert_close(O.pearson_loss(scale * p + offset, t, **tight), O.pearson_loss(p, t, **tight))
    torch.testing.assert_close(O.pearson_loss(-p, t, **tight), 2 - O.pearson_loss(p, t, **tight))
    assert O.ccc_loss(t + offset, t).item() == pytest.approx(
        1 - 2 / (2 + (offset**2 + 1e-8) / t.var(correction=0).item()), rel=1e-9
    )
    # Concordance is correlation times a factor of at most 1.
    assert abs(1 - O.ccc_loss(p, t).item()) <= abs(1 - O.pearson_loss(p, t).item()) + 1e-6
    # At equal moments both are the same number.
    twin = (p - p.mean()) / p.std(correction=0) * t.std(correction=0) + t.mean()
    torch.testing.assert_close(O.ccc_loss(twin, t, **tight), O.pearson_loss(p, t, **tight))


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("offset", [0.0, 1e2, 1e4, -1e4])
@pytest.mark.parametrize("spread", [1.0, 0.1])
def test_moments_far_from_0_in_float32(loss: Callable[..., Tensor], offset: float, spread: float) -> None:
    """E[x²] − E[x]² has no digit left at 10⁴, and the mean itself is rounded by 10⁻³."""
    rng = generator(3)
    t = (offset + spread * randn(rng, 1000)).float()
    p = (t + 0.3 * spread * randn(rng, 1000).float()).float()
    wanted, slope = slope_of(loss, p.double(), t.double())
    value, found = slope_of(loss, p, t)
    assert value.item() == pytest.approx(wanted.item(), rel=2e-5)
    torch.testing.assert_close(found.double(), slope, rtol=1e-3, atol=2e-5 * slope.abs().max().item())


def test_near_perfect_predictions_keep_their_digits() -> None:
    t = torch.linspace(-1, 1, 101)
    for size in (1e-3, 1e-4, 1e-5):
        p = t + size * torch.sin(50 * t)
        # Pearson compares two roundings to 1 of what differs by 1e-5; as 1 − r nothing at all would be left.
        for loss, rtol in ((O.ccc_loss, 1e-5), (O.pearson_loss, 1e-2)):
            wanted, slope = slope_of(loss, p.double(), t.double(), eps=1e-12)
            value, found = slope_of(loss, p, t, eps=1e-12)
            assert value.item() == pytest.approx(wanted.item(), rel=rtol)
            torch.testing.assert_close(found.double(), slope, rtol=0, atol=1e-2 * slope.abs().max().item())


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
@pytest.mark.parametrize(
    ("p", "t"),
    [
        ([3.0], [5.0]),
        ([3.0], [3.0]),
        ([1e4], [-1e4]),
        ([0.0, 0.0], [0.0, 0.0]),
        ([0.1, 0.1, 0.1], [0.1, 0.1, 0.1]),
        ([0.1, 0.1, 0.1], [1.0, 2.0, 4.0]),
        ([1.0, 2.0, 4.0], [0.1, 0.1, 0.1]),
        ([1e4, -1e4, 1e4], [1e4, -1e4, 1e4]),
        ([1e4, -1e4, 1e4], [-1e4, 1e4, -1e4]),
        ([1e4, 1e4, 1e4], [-1e4, -1e4, -1e4]),
    ],
)
def test_degenerate_batches(loss: Callable[..., Tensor], dtype: torch.dtype, p: list[float], t: list[float]) -> None:
    value, slope = slope_of(loss, torch.tensor(p, dtype=dtype), torch.tensor(t, dtype=dtype))
    assert 0 <= value.item() <= 2 * (1 + 1e-6)
    assert slope.isfinite().all()
    if len(set(p)) == 1 or len(set(t)) == 1:
        assert value.item() == pytest.approx(1.0, abs=1e-3)
    if len(p) == 1:
        assert slope.abs().max() <= 1e-6


@pytest.mark.parametrize("loss", LOSSES)
def test_second_slopes_of_constants_are_finite(loss: Callable[..., Tensor]) -> None:
    for values in ([2.0, 2.0, 2.0], [2.0], [0.0, 0.0]):
        p = t64(values).requires_grad_()
        (slope,) = torch.autograd.grad(loss(p, torch.arange(len(p), dtype=F64)), p, create_graph=True)
        (second,) = torch.autograd.grad(slope.sum(), p)
        assert second.isfinite().all()


def test_a_constant_prediction_moves_under_ccc() -> None:
    _, slope = slope_of(O.ccc_loss, torch.zeros(3, dtype=F64), t64([1, 2, 6]))
    variance, shift = 14 / 3, 3.0
    torch.testing.assert_close(slope, -2 * t64([-2, -1, 3]) / 3 / (variance + shift**2 + 1e-8))


@pytest.mark.parametrize("loss", LOSSES)
def test_weights_enter_every_moment(loss: Callable[..., Tensor]) -> None:
    rng = generator(5)
    p, t, w = randn(rng, 6), randn(rng, 6), torch.rand(6, dtype=F64)
    reference = ref.ccc if loss is O.ccc_loss else ref.pearson
    assert loss(p, t, weight=w).item() == pytest.approx(reference(p.numpy(), t.numpy(), w.numpy()), rel=1e-10)
    leaf = w.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(p, t, weight=leaf), leaf)
    assert slope.isfinite().all()
    assert slope.any()


@pytest.mark.parametrize("loss", LOSSES)
def test_one_value_whatever_is_asked(loss: Callable[..., Tensor]) -> None:
    values = [loss(*R, reduction=reduction) for reduction in ("mean", "sum", "none")]
    assert values[0] == values[1] == values[2]
    with pytest.raises(ValueError, match="one value per batch"):
        totals(loss, *R)
    for eps in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="eps is"):
            loss(*R, eps=eps)


def test_training_by_ccc_recovers_scale_and_offset() -> None:
    x = torch.linspace(-1, 1, 64, dtype=F64)
    weights = t64([0.1, 0.0]).requires_grad_()
    optimizer = torch.optim.LBFGS([weights], max_iter=200, line_search_fn="strong_wolfe")

    def closure() -> float:
        optimizer.zero_grad()
        value = O.ccc_loss(weights[0] * x + weights[1], 3 * x + 2)
        value.backward()
        return value.item()

    optimizer.step(closure)
    torch.testing.assert_close(weights.detach(), t64([3.0, 2.0]), rtol=1e-3, atol=1e-3)
