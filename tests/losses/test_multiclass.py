"""Losses over one class of several: identities, known failures elsewhere, tails, calibration, messages."""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, strategies as st
from torch import Tensor

import torchobjectives
from tests.cases import generator
from tests.cases.base import F64, K, W, X, t64
from tests.losses.minimum import minimiser
from torchobjectives import (
    BrierLoss,
    CrossEntropyLoss,
    Loss,
    MultiMarginLoss,
    NLLLoss,
    OHEMLoss,
    Poly1Loss,
    SoftmaxFocalLoss,
    functional as O,
)

LOSSES = [
    O.poly1_loss,
    O.brier_loss,
    O.confidence_penalty_loss,
    O.z_loss,
    O.logit_norm_loss,
    O.ohem_loss,
    O.multi_margin_loss,
    O.crammer_singer_loss,
    O.sparsemax_loss,
    O.entmax_loss,
    partial(O.entmax_loss, alpha=1.2),
    partial(O.entmax_loss, alpha=3.0),
]
TRUTH = t64([0.55, 0.3, 0.15])


def slope_of(loss: Callable[..., Tensor], y_pred: Tensor, *rest: Any, **more: Any) -> tuple[Tensor, Tensor]:
    leaf = y_pred.clone().requires_grad_()
    value = loss(leaf, *rest, **more)
    (slope,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), slope


def drawn(seed: int) -> tuple[Tensor, Tensor, Tensor]:
    rng = generator(seed)
    x = 3 * torch.randn(6, 4, generator=rng, dtype=F64)
    return x, torch.randint(4, (6,), generator=rng), torch.softmax(torch.randn(6, 4, generator=rng, dtype=F64), 1)


@pytest.mark.parametrize("loss", LOSSES)
def test_a_one_hot_target_is_its_index(loss: Callable[..., Tensor]) -> None:
    for more in ({}, {"class_weight": W}, {"class_weight": t64([0, 1, 2]), "reduction": "none"}):
        soft = slope_of(loss, X, F.one_hot(K, 3), **more)
        for a, b in zip(soft, slope_of(loss, X, K, **more), strict=True):
            torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_counts_is_zero(loss: Callable[..., Tensor]) -> None:
    for y_pred, more in (
        (X, {"y_true": torch.full((3,), -100)}),
        (X, {"y_true": K, "class_weight": t64([0, 0, 1])}),
        (torch.zeros(0, 4), {"y_true": torch.zeros(0, dtype=torch.long)}),
        (torch.zeros(0, 4), {"y_true": torch.zeros(0, 4)}),
    ):
        for _ in range(2):
            value, slope = slope_of(partial(loss, **more), y_pred)
            assert value == 0
            assert not slope.any()


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("loss", LOSSES)
def test_one_class_is_finite(loss: Callable[..., Tensor], dtype: torch.dtype) -> None:
    for level in (0.0, 1.0, -1e4, 1e4):
        for y_true in (torch.zeros(2, dtype=torch.long), torch.ones(2, 1, dtype=dtype)):
            value, slope = slope_of(loss, torch.full((2, 1), level, dtype=dtype), y_true)
            assert value.isfinite()
            assert slope.isfinite().all()


@pytest.mark.parametrize(
    "loss", [f for f in LOSSES if f is not O.logit_norm_loss] + [O.cross_entropy_loss, O.softmax_focal_loss]
)
def test_a_masked_class_has_no_slope(loss: Callable[..., Tensor]) -> None:
    y_pred = torch.cat((X, torch.full((3, 1), -math.inf, dtype=F64)), 1)
    value, slope = slope_of(loss, y_pred, K)
    assert value.isfinite()
    assert slope.isfinite().all()
    assert not slope[:, 3].any()


@pytest.mark.parametrize("loss", LOSSES)
def test_expanded_and_strided_inputs(loss: Callable[..., Tensor]) -> None:
    wide = torch.randn(4, 5, 3, generator=generator(0), dtype=F64)
    y_true = torch.randint(3, (4, 5), generator=generator(1))
    strided = loss(wide.movedim(-1, 1), y_true)
    torch.testing.assert_close(strided, loss(wide.movedim(-1, 1).contiguous(), y_true), rtol=1e-12, atol=0)
    torch.testing.assert_close(loss(X[:1].expand(4, 3), K[:1].expand(4)), loss(X[:1], K[:1]), rtol=1e-12, atol=1e-15)


@given(st.integers(0, 2**32))
def test_identities(seed: int) -> None:
    x, k, y = drawn(seed)
    score = 1 - y.square().sum(1)
    by_class = [O.brier_loss(x, torch.full((6,), c), reduction="none") for c in range(4)]
    for a, b in (
        (O.poly1_loss(x, k, epsilon=0.0), O.cross_entropy_loss(x, k)),
        (O.poly1_loss(x, y, epsilon=0.0), O.cross_entropy_loss(x, y)),
        (O.poly1_loss(x, k) - O.cross_entropy_loss(x, k), 1 - torch.softmax(x, 1).gather(1, k[:, None]).mean()),
        (O.brier_loss(x, y, reduction="none") + score, (torch.stack(by_class, 1) * y).sum(1)),
        (O.ohem_loss(x, k, fraction=1.0), O.cross_entropy_loss(x, k)),
        (
            O.ohem_loss(x, y, fraction=1.0, class_weight=[1.0, 2, 3, 4]),
            O.cross_entropy_loss(x, y, class_weight=[1.0, 2, 3, 4]),
        ),
        (O.ohem_loss(x, k, fraction=0.5), O.cross_entropy_loss(x, k, reduction="none").topk(3).values.mean()),
        (O.ohem_loss(x, k, fraction=0.01), O.cross_entropy_loss(x, k, reduction="none").amax()),
        (O.brier_loss(x + 5, y), O.brier_loss(x, y)),
    ):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


# The choice of OHEM -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fraction", [*(n / 100 for n in range(1, 101)), 0.001, 0.12345, 0.999999])
def test_ohem_keeps_the_ceiling_of_the_exact_product(fraction: float) -> None:
    cost = torch.linspace(0, 3, 60, dtype=F64)
    x = torch.stack((torch.zeros_like(cost), cost), 1)
    for n in (1, 2, 3, 7, 10, 20, 25, 50, 60):
        none = O.ohem_loss(x[:n], torch.zeros(n, dtype=torch.long), fraction=fraction, reduction="none")
        assert int((none > 0).sum()) == math.ceil(Fraction(str(fraction)) * n)
        live = torch.arange(60) < n
        none = O.ohem_loss(x, torch.zeros(60, dtype=torch.long), fraction=fraction, reduction="none", mask=live)
        assert int((none > 0).sum()) == math.ceil(Fraction(str(fraction)) * n)


def test_ohem_takes_quotients_as_they_are_meant() -> None:
    for n in range(1, 40):
        for k in range(1, n + 1):
            none = O.ohem_loss(torch.zeros(n, 2), torch.zeros(n, dtype=torch.long), fraction=k / n, reduction="none")
            assert int((none > 0).sum()) == k


def test_ohem_never_chooses_a_dead_unit() -> None:
    x = t64([[0, 9], [0, 8], [0, 1], [0, 2], [0, 7]])
    y_true = torch.tensor([0, -100, 0, 0, 0])
    alive = torch.tensor([False, True, True, True, True])
    none = O.ohem_loss(x, y_true, fraction=0.5, mask=alive, reduction="none")
    assert (none > 0).tolist() == [False, False, False, True, True]
    # Weights multiply after the choice: the unit of weight 9 is easy and stays out.
    none = O.ohem_loss(x, y_true, fraction=0.5, weight=t64([0, 1, 9, 1, 2]), reduction="none")
    assert (none > 0).tolist() == [False, False, False, True, True]
    mean = O.ohem_loss(x, y_true, fraction=0.5, weight=t64([0, 1, 9, 1, 2]))
    assert mean.item() == pytest.approx((math.log1p(math.exp(2)) + 2 * math.log1p(math.exp(7))) / 3, rel=1e-12)
    # A class of weight 0 is dead, one of high weight is chosen by its own cost.
    none = O.ohem_loss(
        x[:, [1, 0]], torch.tensor([0, 1, 1, 1, 1]), fraction=0.5, class_weight=[0.0, 1.0], reduction="none"
    )
    assert (none > 0).tolist() == [False, True, False, False, True]


def test_ohem_of_equal_costs_and_of_nan() -> None:
    none = O.ohem_loss(torch.zeros(10, 2), torch.zeros(10, dtype=torch.long), fraction=0.3, reduction="none")
    assert int((none > 0).sum()) == 3
    x = torch.zeros(10, 2)
    x[4, 1] = math.nan
    assert O.ohem_loss(x, torch.zeros(10, dtype=torch.long), fraction=0.1).isnan()


# Tails ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("gap", [2.0, 8.0, 12.0, 16.0, 25.0, 40.0])
def test_brier_is_exact_where_p_rounds_to_1(gap: float) -> None:
    rest = math.exp(-gap) / (1 + 2 * math.exp(-gap))
    x = torch.tensor([[gap, 0, 0]])
    for y_true in (torch.tensor([0]), torch.tensor([[1.0, 0, 0]])):
        value, slope = slope_of(O.brier_loss, x, y_true)
        assert value.item() == pytest.approx(6 * rest**2, rel=1e-5, abs=0)
        _, exact = slope_of(O.brier_loss, x.double(), y_true.double() if y_true.is_floating_point() else y_true)
        torch.testing.assert_close(slope.double(), exact, rtol=1e-5, atol=0)


def test_poly1_is_finite_at_a_certain_error() -> None:
    value, slope = slope_of(O.poly1_loss, torch.tensor([[-200.0, 0.0]]), torch.tensor([0]))
    assert value == 201
    torch.testing.assert_close(slope, torch.tensor([[-1.0, 1.0]]))


# Calibration ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "loss",
    [
        CrossEntropyLoss(),
        CrossEntropyLoss(class_weight=[1.0, 2.0, 4.0]),
        CrossEntropyLoss(label_smoothing=0.2),
        CrossEntropyLoss(label_smoothing=0.2, class_weight=[1.0, 2.0, 4.0]),
        SoftmaxFocalLoss(),
        SoftmaxFocalLoss(gamma=0.0),
        SoftmaxFocalLoss(gamma=0.5),
        SoftmaxFocalLoss(gamma=1.5, class_weight=[1.0, 2.0, 4.0]),
        Poly1Loss(),
        Poly1Loss(epsilon=-0.9),
        Poly1Loss(epsilon=6.0, class_weight=[1.0, 2.0, 4.0]),
        BrierLoss(),
        BrierLoss(class_weight=[1.0, 2.0, 4.0]),
    ],
    ids=repr,
)
def test_calibration_recovers_the_truth(loss: Loss) -> None:
    for truth in (TRUTH, t64([0.05, 0.05, 0.9]), t64([0.6, 0.2, 0.15, 0.05])[:3] / 0.95):
        found = loss.predict(minimiser(loss, truth), calibrated=True)
        torch.testing.assert_close(found[0], truth, rtol=0, atol=1e-6)


def test_a_proper_loss_needs_no_calibration() -> None:
    for loss in (CrossEntropyLoss(), BrierLoss()):
        torch.testing.assert_close(loss.predict(minimiser(loss, TRUTH))[0], TRUTH, rtol=0, atol=1e-6)
    for loss in (SoftmaxFocalLoss(), Poly1Loss()):
        assert (loss.predict(minimiser(loss, TRUTH))[0] - TRUTH).abs().max() > 0.01


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize(
    "loss",
    [CrossEntropyLoss(label_smoothing=0.1), SoftmaxFocalLoss(), SoftmaxFocalLoss(gamma=0.5), Poly1Loss(epsilon=-1.0)],
    ids=repr,
)
def test_calibration_at_certain_predictions(loss: Loss, dtype: torch.dtype) -> None:
    for size in (0.0, 5.0, 20.0, 200.0, 1e4):
        for shape in ((1, 3), (3,), (1, 3, 2)):
            x = torch.zeros(shape, dtype=dtype)
            x.select(0 if len(shape) == 1 else 1, 0).fill_(size)
            found = loss.predict(x, calibrated=True)
            assert found.dtype == dtype
            assert found.isfinite().all()
            axis = 0 if len(shape) == 1 else 1
            torch.testing.assert_close(found.sum(axis), torch.ones_like(found.sum(axis)), rtol=0.01, atol=0)
            assert bool((found.argmax(axis) == 0).all())


def test_what_cannot_be_calibrated_says_so() -> None:
    for loss in (MultiMarginLoss(), OHEMLoss()):
        with pytest.raises(ValueError, match="is not proper and no inverse is known"):
            loss.predict(X, calibrated=True)
    with pytest.raises(ValueError, match="label_smoothing is 1: every target was the same"):
        CrossEntropyLoss(label_smoothing=1.0).predict(X, calibrated=True)
    with pytest.raises(ValueError, match="class_weight holds a 0"):
        CrossEntropyLoss(class_weight=[0.0, 1.0, 1.0], label_smoothing=0.1).predict(X, calibrated=True)
    assert torch.equal(NLLLoss().predict(X, calibrated=True), X.exp())


# Wrong input -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", LOSSES)
def test_wrong_targets(loss: Callable[..., Tensor]) -> None:
    with pytest.raises(ValueError, match=r"The class axis is dim 1. Did you mean y_pred.movedim\(-1, 1\)"):
        loss(torch.zeros(2, 7, 3), torch.zeros(2, 7, dtype=torch.long))
    with pytest.raises(TypeError, match=r"indices must be integers. Did you mean y_true.long\(\)"):
        loss(X, K.double())
    with pytest.raises(ValueError, match="y_true holds the class 3, but there are 3 classes"):
        loss(X, torch.tensor([0, 1, 3]))
    with pytest.raises(ValueError, match="probabilities"):
        loss(X, 2 * torch.ones(3, 3))
    with pytest.raises(ValueError, match=r"class_weight has shape \(2,\), y_pred has 3 classes"):
        loss(X, K, class_weight=[1.0, 2.0])


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: O.poly1_loss(X, K, epsilon=-1.5), ValueError, "epsilon is -1.5, wanted a finite number >= -1"),
        (lambda: O.poly1_loss(X, K, epsilon=math.inf), ValueError, "epsilon is inf"),
        (lambda: O.ohem_loss(X, K, fraction=0.0), ValueError, r"fraction is 0.0, wanted a number in \(0, 1\]"),
        (lambda: O.ohem_loss(X, K, fraction=1.5), ValueError, "fraction is 1.5"),
        (lambda: O.ohem_loss(X, K, fraction=torch.tensor(0.5)), TypeError, r"Did you mean fraction.item\(\)"),  # type: ignore[arg-type]
        (lambda: OHEMLoss(fraction=70.0), ValueError, "fraction is 70.0"),
    ],
)
def test_wrong_hyper_parameters(call: Callable[[], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


@pytest.mark.parametrize("name", ["softmax_focal_loss", "poly1_loss", "z_loss", "confidence_penalty_loss", "ohem_loss"])
def test_probabilities_with_masked_classes(name: str) -> None:
    inf, loss = float("inf"), getattr(torchobjectives.functional, name)
    x = torch.tensor([[1.0, -inf, 0.0], [0.5, -inf, 2.0]], requires_grad=True)
    y = torch.tensor([[0.5, 0.0, 0.5], [0.0, 0.0, 1.0]])
    value = loss(x, y)
    (slope,) = torch.autograd.grad(value, x)
    torch.testing.assert_close(value, loss(x[:, ::2], y[:, ::2]))
    assert slope.isfinite().all()


@pytest.mark.parametrize("name", ["cross_entropy_loss", "ohem_loss"])
def test_class_weights_may_be_learnt(name: str) -> None:
    loss = getattr(torchobjectives.functional, name)
    x, k = torch.randn(4, 3), torch.tensor([0, 2, 1, 1])
    weights = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
    for hyper in ({}, {"label_smoothing": 0.2} if name == "cross_entropy_loss" else {"fraction": 0.5}):
        value = loss(x, k, class_weight=weights, **hyper)
        torch.testing.assert_close(value, loss(x, k, class_weight=weights.detach(), **hyper))
        (slope,) = torch.autograd.grad(value, weights)
        assert slope.isfinite().all()
