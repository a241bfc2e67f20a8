"""Losses that are 0 beyond a margin: identities, projections, ties, tails, memory of the target, messages."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, strategies as st
from torch import Tensor

import torchobjectives
from tests.cases import generator
from tests.cases.base import F64, K, X, t64
from tests.losses.minimum import minimiser
from tests.losses.test_multiclass import TRUTH, drawn, slope_of
from tests.references.margin import entmax_probabilities, simplex_projection
from torchobjectives import CrammerSingerLoss, EntmaxLoss, Loss, SparsemaxLoss, functional as O

ALPHAS = [1 + 1e-9, 1.05, 1.3, 1.5, 1.7, 1.95, 2.0, 2.2, 3.0, 8.0]


@given(st.integers(0, 2**32), st.floats(-100, 100))
def test_identities(seed: int, shift: float) -> None:
    x, k, y = drawn(seed)
    two, binary = x[:, :2], k % 2
    gap = two.gather(1, binary[:, None])[:, 0] - two.gather(1, 1 - binary[:, None])[:, 0]
    for a, b in (
        (O.multi_margin_loss(x, k), F.multi_margin_loss(x, k)),
        (O.multi_margin_loss(x, k, p=2, margin=0.3), F.multi_margin_loss(x, k, p=2, margin=0.3)),
        (2 * O.multi_margin_loss(two, binary), O.crammer_singer_loss(two, binary)),
        (O.multi_margin_loss(x + shift, y), O.multi_margin_loss(x, y)),
        (O.crammer_singer_loss(x + shift, k), O.crammer_singer_loss(x, k)),
        (O.crammer_singer_loss(x + shift, y), O.crammer_singer_loss(x, y)),
        (O.sparsemax_loss(x + shift, y), O.sparsemax_loss(x, y)),
        (O.entmax_loss(x + shift, y, alpha=1.3), O.entmax_loss(x, y, alpha=1.3)),
        (O.entmax_loss(x, y, alpha=2.0), O.sparsemax_loss(x, y)),
        (O.entmax_loss(x, y, alpha=2 + 1e-10), O.sparsemax_loss(x, y)),
        (O.entmax_loss(x, y, alpha=1.5 + 1e-10), O.entmax_loss(x, y)),
        (O.entmax_loss(x, k, alpha=1 + 1e-10), O.cross_entropy_loss(x, k)),
        # Martins & Astudillo, section 3.3: for two classes a modified Huber loss of the gap.
        (
            O.sparsemax_loss(two, binary, reduction="none"),
            torch.where(gap >= 1, 0, torch.where(gap <= -1, -gap, (gap - 1).square() / 4)),
        ),
    ):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-9)


@given(st.integers(0, 2**32), st.sampled_from([1, 2]), st.sampled_from([0.0, 0.5, 1.0, 5.0]))
def test_multi_margin_of_probabilities_is_the_sum_over_pairs(seed: int, p: int, margin: float) -> None:
    rng = generator(seed)
    x = (3 * torch.randn(4, 30, generator=rng, dtype=F64)).round(decimals=1)  # ties, too
    y = torch.softmax(torch.randn(4, 30, generator=rng, dtype=F64), 1)
    by_class = torch.stack(
        [O.multi_margin_loss(x, torch.full((4,), c), p=p, margin=margin, reduction="none") for c in range(30)], 1
    )
    value = O.multi_margin_loss(x, y, p=p, margin=margin, reduction="none")
    torch.testing.assert_close(value, (by_class * y).sum(1), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("shift", [0.0, 10.0, -1e3])
def test_crammer_singer_when_scores_are_shifted(shift: float) -> None:
    x = t64([[-5, -4, -6]]) + shift
    assert [O.crammer_singer_loss(x, torch.tensor([k])).item() for k in range(3)] == [2.0, 0.0, 3.0]


# Projections ----------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32), st.sampled_from(ALPHAS), st.sampled_from([1e-3, 0.3, 3.0, 100.0]))
def test_predictions_are_the_projections_of_the_definition(seed: int, alpha: float, size: float) -> None:
    x = size * torch.randn(3, 7, generator=generator(seed), dtype=F64)
    p = EntmaxLoss(alpha=alpha).predict(x)
    assert bool((p >= 0).all())
    torch.testing.assert_close(p.sum(1), torch.ones(3, dtype=F64), rtol=1e-9, atol=0)
    if alpha > 1.01:
        wanted = [entmax_probabilities(row, alpha) for row in x.tolist()]
        # Beyond α = 2 a class at the edge is infinitely steep: its p is known as a power below 1 of the last bit.
        np.testing.assert_allclose(p.numpy(), wanted, rtol=0, atol=1e-9 if alpha <= 2 else 1e-15 ** (1 / (alpha - 1)))
    if alpha == 2:
        np.testing.assert_allclose(p.numpy(), [simplex_projection(row) for row in x.tolist()], rtol=0, atol=1e-14)
        assert torch.equal(SparsemaxLoss().predict(x), p)


@given(st.integers(0, 2**32), st.sampled_from(ALPHAS))
def test_the_slope_is_prediction_minus_truth(seed: int, alpha: float) -> None:
    x, k, y = drawn(seed)
    p = EntmaxLoss(alpha=alpha).predict(x)
    _, slope = slope_of(O.entmax_loss, x, k, alpha=alpha, reduction="sum")
    torch.testing.assert_close(slope, p - F.one_hot(k, 4), rtol=1e-14, atol=1e-14)
    _, slope = slope_of(O.entmax_loss, x, y, alpha=alpha, reduction="sum")
    torch.testing.assert_close(slope, p - y, rtol=1e-13, atol=1e-14)


@pytest.mark.parametrize("alpha", ALPHAS)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_ties_and_extremes(alpha: float, dtype: torch.dtype) -> None:
    edge = 1 / (alpha - 1)
    for row, wanted in (
        ([0, 0, 0, 0], [0.25] * 4),
        ([1e4, 1e4, -1e4, -1e4], [0.5, 0.5, 0, 0]),
        ([-1e4, -1e4, -1e4, 1e4], [0, 0, 0, 1]),
        # At the edge itself: exactly 0, from either side of the kink.
        ([0, -edge, -edge, -2 * edge] if alpha > 1.01 else [0, -1e4, -1e4, -1e4], [1, 0, 0, 0]),
    ):
        x = torch.tensor([row], dtype=dtype)
        for k in range(4):
            value, slope = slope_of(O.entmax_loss, x, torch.tensor([k]), alpha=alpha)
            assert value.isfinite()
            assert value >= 0
            target = torch.tensor([wanted], dtype=dtype) - F.one_hot(torch.tensor([k]), 4)
            torch.testing.assert_close(slope, target.to(dtype), rtol=0, atol=2e-7 if alpha <= 2 else 1e-3)
            leaf = x.clone().requires_grad_()
            (first,) = torch.autograd.grad(O.entmax_loss(leaf, torch.tensor([k]), alpha=alpha), leaf, create_graph=True)
            (second,) = torch.autograd.grad(first[0, 0], leaf)
            assert second.isfinite().all()


@given(st.integers(0, 2**32), st.sampled_from([1.2, 1.5, 2.0, 2.5]))
def test_the_curvature_is_the_slope_of_the_prediction(seed: int, alpha: float) -> None:
    x = torch.randn(5, generator=generator(seed), dtype=F64)
    hessian = torch.autograd.functional.hessian(lambda v: O.entmax_loss(v[None], torch.tensor([0]), alpha=alpha), x)
    jacobian = torch.autograd.functional.jacobian(lambda v: EntmaxLoss(alpha=alpha).predict(v[None])[0], x)
    torch.testing.assert_close(hessian, jacobian, rtol=1e-9, atol=1e-12)
    p = EntmaxLoss(alpha=alpha).predict(x[None])[0]
    s = torch.where(p > 0, p.clamp(min=1e-300) ** (2 - alpha), 0.0)
    torch.testing.assert_close(hessian, torch.diag(s) - torch.outer(s, s) / s.sum(), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("alpha", [1.3, 1.5, 1.8, 2.0, 3.0])
@pytest.mark.parametrize("share", [0.5, 0.9, 0.99, 0.999])
def test_entmax_is_exact_near_the_margin(alpha: float, share: float) -> None:
    gap = share / (alpha - 1)
    x = torch.tensor([[gap, 0]])
    exact = O.entmax_loss(x.double(), torch.tensor([0]), alpha=alpha).item()
    assert exact > 0
    for y_true in (torch.tensor([0]), torch.tensor([[1.0, 0]])):
        value = O.entmax_loss(x, y_true, alpha=alpha).item()
        assert value == pytest.approx(exact, rel=1e-3 if share > 0.9 else 1e-5, abs=1e-30)
    if alpha == 2:
        # ¼ (1 − gap)² for two classes.
        assert exact == pytest.approx((1 - x[0, 0].item()) ** 2 / 4, rel=1e-9)
    assert O.entmax_loss(x * (1.001 / share), torch.tensor([0]), alpha=alpha) == 0


def test_float32_of_many_classes() -> None:
    x = 2 * torch.randn(8, 5000, generator=generator(0))
    y_true = torch.randint(5000, (8,), generator=generator(1))
    for loss in (
        *(partial(O.entmax_loss, alpha=a) for a in (1.1, 1.5, 2.0, 2.5)),
        O.multi_margin_loss,
        partial(O.multi_margin_loss, p=2),
    ):
        for target in (y_true, F.one_hot(y_true, 5000).float()):
            torch.testing.assert_close(loss(x, target), loss(x.double(), target).float(), rtol=2e-6, atol=0)


# Links and calibration --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "loss",
    [SparsemaxLoss(), SparsemaxLoss(class_weight=[1.0, 2.0, 4.0]), *(EntmaxLoss(alpha=a) for a in (1.2, 1.5, 3.0))],
    ids=repr,
)
def test_the_minimiser_predicts_the_truth(loss: Loss) -> None:
    for truth in (TRUTH, t64([0.8, 0.15, 0.05])):
        found = loss.predict(minimiser(loss, truth), calibrated=True)
        torch.testing.assert_close(found[0], truth, rtol=0, atol=1e-6)


def test_links_take_every_shape_and_dtype() -> None:
    for loss in (SparsemaxLoss(), EntmaxLoss(), EntmaxLoss(alpha=1.2)):
        assert loss.num_outputs(7) == 7
        for shape, axis in (((3,), 0), ((2, 3), 1), ((2, 3, 4), 1), ((0, 3), 1)):
            for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
                p = loss.predict(torch.randn(shape, dtype=dtype))
                assert p.dtype == dtype
                torch.testing.assert_close(p.sum(axis), torch.ones_like(p.sum(axis)), rtol=0.02, atol=0)
        assert loss.predict(t64([[math.nan, 0, 0]])).isnan().any()
    assert CrammerSingerLoss().predict(X).sum().item() == pytest.approx(3)


def test_learned_targets_have_a_slope() -> None:
    for loss in (O.sparsemax_loss, O.entmax_loss, O.multi_margin_loss, O.crammer_singer_loss, O.brier_loss):
        y_true = torch.softmax(X, 1).requires_grad_()
        torch.autograd.gradcheck(lambda y: loss(X, y, reduction="none"), y_true)  # noqa: B023


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: O.multi_margin_loss(X, K, p=3), ValueError, "p is 3, wanted 1 or 2"),
        (lambda: O.multi_margin_loss(X, K, p=1.0), TypeError, "p has type float, wanted a whole number"),  # type: ignore[arg-type]
        (lambda: O.multi_margin_loss(X, K, margin=-1.0), ValueError, "margin is -1.0"),
        (lambda: O.crammer_singer_loss(X, K, margin=math.inf), ValueError, "margin is inf"),
        (lambda: O.entmax_loss(X, K, alpha=1.0), ValueError, "alpha is 1.0, wanted a finite number > 1"),
        (lambda: EntmaxLoss(alpha=0.5), ValueError, "alpha is 0.5"),
        (lambda: O.entmax_loss(X, K, alpha=torch.tensor(1.5)), TypeError, r"Did you mean alpha.item\(\)"),  # type: ignore[arg-type]
    ],
)
def test_wrong_hyper_parameters(call: Callable[[], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_second_slopes_of_one_class() -> None:
    losses: list[Callable[..., Tensor]] = [O.sparsemax_loss, O.entmax_loss, O.multi_margin_loss, O.crammer_singer_loss]
    for loss in losses:
        for y_true in (torch.zeros(2, dtype=torch.long), torch.ones(2, 1)):
            x = torch.zeros(2, 1, requires_grad=True)
            (first,) = torch.autograd.grad(loss(x, y_true), x, create_graph=True)
            assert not first.any()
            if first.requires_grad:
                assert not torch.autograd.grad(first.sum(), x)[0].any()


@pytest.mark.parametrize("alpha", [1.3, 1.5, 2.0])
def test_entmax_has_no_slope_where_a_logit_is_nan(alpha: float) -> None:
    x = torch.tensor([[1.0, float("nan"), 0.0], [0.5, 0.0, 2.0]], requires_grad=True)
    (slope,) = torch.autograd.grad(torchobjectives.functional.entmax_loss(x, torch.tensor([0, 2]), alpha=alpha), x)
    assert slope[0].isnan().all()
    assert slope[1].isfinite().all()
