"""Quantiles and expectiles: limiting cases, the constants they find, wrong input, predictions."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st

from tests.cases.base import F64, R, generator, randn, t64
from torchobjectives import ExpectileLoss, QuantileLoss, from_config, functional as O


@given(st.integers(0, 2**32))
def test_limiting_cases(seed: int) -> None:
    rng = generator(seed)
    p, t = randn(rng, 6), randn(rng, 6)
    many = randn(rng, 6, 3)
    levels = (0.1, 0.5, 0.8)
    singles = [O.quantile_loss(many[:, k], t, quantiles=q) for k, q in enumerate(levels)]
    for a, b in (
        (O.quantile_loss(p, t), O.l1_loss(p, t) / 2),
        (O.expectile_loss(p, t), O.mse_loss(p, t) / 2),
        (O.quantile_loss(p[:, None], t, quantiles=[0.3]), O.quantile_loss(p, t, quantiles=0.3)),
        (O.quantile_loss(many, t, quantiles=levels), torch.stack(singles).mean()),
        # Mirrored: the quantile q of −y is minus the quantile 1 − q of y. Swapped arguments do the same silently.
        (O.quantile_loss(p, t, quantiles=0.9), O.quantile_loss(-p, -t, quantiles=0.1)),
        (O.quantile_loss(t, p, quantiles=0.9), O.quantile_loss(p, t, quantiles=0.1)),
        (O.expectile_loss(p, t, tau=0.9), O.expectile_loss(-p, -t, tau=0.1)),
    ):
        torch.testing.assert_close(a, b)


def test_the_order_of_the_arguments_shows() -> None:
    assert O.quantile_loss(*R, quantiles=0.9).item() == pytest.approx(0.575)
    assert O.quantile_loss(R[1], R[0], quantiles=0.9).item() != pytest.approx(0.575)


def test_the_best_constants() -> None:
    y_true = torch.arange(1001, dtype=F64).square() / 1e4
    for q in (0.05, 0.5, 0.9):
        at = torch.quantile(y_true, q)
        costs = [O.quantile_loss((at + step).expand(1001), y_true, quantiles=q) for step in (-0.05, 0.0, 0.05)]
        assert costs[1] < min(costs[0], costs[2])
    for tau in (0.1, 0.5, 0.9):
        at = y_true.mean()
        for _ in range(100):  # the defining equation of an expectile, by iteration
            w = tau + (1 - 2 * tau) * (y_true <= at).to(F64)
            at = (w * y_true).sum() / w.sum()
        leaf = at.clone().requires_grad_()
        (slope,) = torch.autograd.grad(O.expectile_loss(leaf.expand(1001), y_true, tau=tau), leaf)
        assert abs(slope) < 1e-12 * at


def test_slopes_at_the_kink() -> None:
    for q in (0.1, 0.5):
        p = t64([2.0]).requires_grad_()
        (slope,) = torch.autograd.grad(O.quantile_loss(p, t64([2.0]), quantiles=q).sum(), p)
        assert slope.item() == pytest.approx(0.5 - q)


def test_tails() -> None:
    for dtype in (torch.float32, torch.float16, torch.bfloat16):
        p, t = torch.tensor([3e4, -3e4], dtype=dtype), torch.tensor([-3e4, 3e4], dtype=dtype)
        found = O.quantile_loss(p, t, quantiles=0.999, reduction="none").double()
        wanted = torch.stack(((p[0] - t[0]).double() if dtype is torch.float32 else t64(6e4), t64(6e4)))
        torch.testing.assert_close(found, wanted * t64([0.001, 0.999]), rtol=0.01, atol=0)


@pytest.mark.parametrize(
    ("shapes", "hyper", "words"),
    [
        (((4, 2), (4,)), {"quantiles": (0.1, 0.5, 0.9)}, r"2 numbers in its last axis, quantiles 3 levels.*\(4, 3\)"),
        (((3, 4), (4,)), {"quantiles": (0.1, 0.5, 0.9)}, r"\(3, 4\).*movedim\(0, -1\)|4 numbers"),
        (((4, 3), (4, 1)), {"quantiles": (0.1, 0.5, 0.9)}, r"Did you mean y_true.squeeze\(1\)"),
        (((4,), (4,)), {"quantiles": (0.1, 0.5)}, r"wanted y_pred \(4, 2\)"),
        (((4,), (4,)), {"quantiles": ()}, "empty"),
        (((4, 2), (4,)), {"quantiles": (0.1, 1.0)}, r"quantiles\[1\] is 1.0, wanted a number in \(0, 1\)"),
        (((4, 1), (4,)), {"quantiles": [math.nan]}, "nan"),
        (((4,), (4,)), {"quantiles": 0.0}, r"quantiles is 0.0, wanted a number in \(0, 1\)"),
        (((4,), (4,)), {"quantiles": math.inf}, "inf"),
        (((4, 1), (4,)), {}, r"y_pred.squeeze\(1\)"),
        (((4, 3), (4,)), {"quantiles": 0.9}, r"\(4, 3\).*For 3 quantiles pass quantiles=\(…\)"),
        (((4, 1, 2), (4,)), {"quantiles": (0.1, 0.5)}, r"y_pred.squeeze\(1\)"),
    ],
)
def test_wrong_input(shapes: tuple[tuple[int, ...], tuple[int, ...]], hyper: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        O.quantile_loss(torch.zeros(shapes[0]), torch.zeros(shapes[1]), **hyper)


def test_wrong_levels() -> None:
    for wrong in ("0.5", True, [0.1, "0.5"], torch.tensor(0.5)):
        with pytest.raises(TypeError, match="quantiles"):
            O.quantile_loss(*R, quantiles=wrong)  # type: ignore[arg-type]
    for build in (partial(O.quantile_loss, *R), QuantileLoss):
        with pytest.raises(TypeError, match=r"quantiles has type Tensor.*quantiles\.tolist\(\)"):
            build(quantiles=torch.tensor([0.1, 0.5]))
    for tau in (0.0, 1.0, math.nan):
        with pytest.raises(ValueError, match="tau"):
            ExpectileLoss(tau=tau)
    with pytest.raises(ValueError, match=r"quantiles\[0\]"):
        QuantileLoss(quantiles=(-0.1, 0.5))


def test_levels_in_an_array() -> None:
    levels = np.array([0.1, 0.5, 0.9])
    y_pred = torch.ones(4, 3)
    wanted = O.quantile_loss(y_pred, torch.zeros(4), quantiles=(0.1, 0.5, 0.9))
    assert O.quantile_loss(y_pred, torch.zeros(4), quantiles=levels) == wanted
    assert QuantileLoss(quantiles=levels)(y_pred, torch.zeros(4)) == wanted


def test_predictions() -> None:
    loss = QuantileLoss(quantiles=[0.1, 0.5, 0.9])
    assert loss.num_outputs() == 3
    crossed = t64([[2.0, 1.0, 3.0]])
    assert loss.predict(crossed).tolist() == [[1.0, 2.0, 3.0]]
    # Each column keeps its level, in whatever order the levels stand.
    assert QuantileLoss(quantiles=(0.9, 0.1, 0.5)).predict(crossed).tolist() == [[3.0, 1.0, 2.0]]
    assert torch.equal(QuantileLoss(quantiles=0.9).predict(crossed), crossed)
    assert QuantileLoss().num_outputs() == ExpectileLoss().num_outputs() == 1
    assert torch.equal(loss.predict(crossed, calibrated=True), loss.predict(crossed))
    again = from_config(loss.to_config())
    assert repr(again) == repr(loss) == "QuantileLoss(quantiles=(0.1, 0.5, 0.9))"
    with pytest.raises(ValueError, match=r"\(1, 2\), wanted \(..., 3\)"):
        loss.predict(torch.zeros(1, 2))


def test_claims() -> None:
    p, q, t = (randn(generator(seed), 400) for seed in (1, 2, 3))
    for loss in (QuantileLoss(quantiles=0.8, reduction="none"), ExpectileLoss(tau=0.8, reduction="none")):
        assert (loss((p + q) / 2, t) <= (loss(p, t) + loss(q, t)) / 2 + 1e-12).all()
    leaf = torch.zeros(1, dtype=F64, requires_grad=True)
    (slope,) = torch.autograd.grad(O.quantile_loss(leaf, t64([1e9]), quantiles=0.9), leaf)
    assert abs(slope) <= 1


@pytest.mark.parametrize("tau", [1e-3, 0.3, 0.5, 0.8, 0.999])
def test_expectile_is_exact_on_both_sides(tau: float) -> None:
    distance = t64([-1e9, -2.0, -1e-9, 0.0, 1e-9, 0.5, 3e8])
    for dtype in (F64, torch.float32):
        leaf = torch.zeros(7, dtype=dtype, requires_grad=True)
        values = O.expectile_loss(leaf, distance.to(dtype), tau=tau, reduction="none")
        (slope,) = torch.autograd.grad(values.sum(), leaf, create_graph=True)
        (second,) = torch.autograd.grad(slope.sum(), leaf)
        d = distance.to(dtype).double()
        w = torch.where(d > 0, t64(tau), t64(1 - tau))
        rtol = 1e-14 if dtype is F64 else 1e-6
        torch.testing.assert_close(values.double(), w * d.square(), rtol=rtol, atol=0)
        torch.testing.assert_close(slope.double(), -2 * w * d, rtol=rtol, atol=0)
        torch.testing.assert_close(second.double()[d != 0], 2 * w[d != 0], rtol=rtol, atol=0)
