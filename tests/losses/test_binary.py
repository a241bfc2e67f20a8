"""Losses for yes or no: limiting cases, tails, calibration, wrong input."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, strategies as st
from torch import Tensor

from tests.cases.base import F64, generator, randn, t64
from torchobjectives import (
    AsymmetricLoss,
    BinaryCrossEntropyLoss,
    FocalLoss,
    HingeLoss,
    Loss,
    SoftMarginLoss,
    ZLPRLoss,
    functional as O,
)

HARD: tuple[Callable[..., Tensor], ...] = (
    O.ghmc_loss,
    O.asymmetric_loss,
    O.hinge_loss,
    O.soft_margin_loss,
    O.zlpr_loss,
    O.soft_fbeta_loss,
    O.mcc_loss,
    O.pairwise_auc_loss,
    partial(O.nnpu_loss, prior=0.5),
)


def slopes(loss: Callable[..., Tensor], y_pred: Tensor, *rest: Tensor, **more: Any) -> tuple[Tensor, Tensor, Tensor]:
    """The value of the sum, and its first and second derivative along y_pred."""
    leaf = y_pred.clone().requires_grad_()
    value = loss(leaf, *rest, **more)
    (first,) = torch.autograd.grad(value.sum(), leaf, create_graph=True)
    (second,) = torch.autograd.grad(first.sum(), leaf)
    return value.detach(), first.detach(), second


@given(st.integers(0, 2**32))
def test_limiting_cases(seed: int) -> None:
    rng = generator(seed)
    z, y = 4 * randn(rng, 6, 3), torch.randint(2, (6, 3), generator=rng)
    side = 2 * y - 1
    asymmetric, probability = partial(O.asymmetric_loss, z, y), torch.sigmoid(z)
    for a, b in (
        (asymmetric(gamma_pos=0.0, gamma_neg=0.0, margin=0.0), O.binary_cross_entropy_loss(z, y)),
        (asymmetric(gamma_pos=1.5, gamma_neg=1.5, margin=0.0), O.focal_loss(z, y, gamma=1.5)),
        (asymmetric(margin=1e-20), asymmetric(margin=0.0)),
        (asymmetric(), O.asymmetric_loss(probability, y, from_logits=False)),
        (O.soft_margin_loss(z, y), O.binary_cross_entropy_loss(z, y)),
        (O.soft_margin_loss(z, y), F.soft_margin_loss(z, side.to(F64))),
        (O.soft_margin_loss(z, y), F.multilabel_soft_margin_loss(z, y.to(F64))),
        (O.hinge_loss(z, y, margin=0.0), F.relu(-side * z).mean()),
        (O.hinge_loss(z, y, margin=1e4) - 1e4, (-side * z).mean()),
        (O.zlpr_loss(z.reshape(-1, 1), y.reshape(-1, 1)), O.binary_cross_entropy_loss(z, y)),
        (O.zlpr_loss(z, y), O.zlpr_loss(-z, 1 - y)),
    ):
        torch.testing.assert_close(a, b, rtol=1e-8, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, F64])
def test_costs_in_the_tails(dtype: torch.dtype) -> None:
    """Focal loss without focus: log(1 + e^−z), −1/(1 + e^z) and e^−z/(1 + e^−z)² for a positive.

    Second slopes where the loss is small; where it is the line they are what its dtype tells from 0.
    """
    z = t64([-80, -45, -41, -39, -30, -20, -10, -1, 0, 1, 10, 18, 20, 22, 30, 37, 41, 45, 80]).to(dtype)
    small = torch.exp(-z.double().abs())
    rtol, atol = (1e-14, 1e-17) if dtype is F64 else (1e-6, 1e-7)
    for label, signed in ((1.0, z.double()), (0.0, -z.double())):
        value, slope, second = slopes(
            O.focal_loss, z, torch.full_like(z, label), gamma=0.0, alpha=None, reduction="none"
        )
        own = (2 * label - 1) * slope.double()
        torch.testing.assert_close(value.double(), F.relu(-signed) + torch.log1p(small), rtol=rtol, atol=0)
        torch.testing.assert_close(own, -torch.where(signed > 0, small, 1.0) / (1 + small), rtol=rtol, atol=0)
        curve = small / (1 + small).square()
        torch.testing.assert_close(second.double()[signed >= 0], curve[signed >= 0], rtol=10 * rtol, atol=0)
        torch.testing.assert_close(second.double(), curve, rtol=10 * rtol, atol=10 * atol)


def test_soft_labels_mix_both_costs() -> None:
    z, y = t64([-3, -0.5, 0, 1, 20]), t64([0, 0.2, 0.5, 0.9, 1])
    positive, negative = (O.focal_loss(z, torch.full_like(z, label), reduction="none") for label in (1.0, 0.0))
    for alpha, (a, b) in ((None, (1, 1)), (0.25, (0.25, 0.75))):
        torch.testing.assert_close(
            O.focal_loss(z, y, alpha=alpha, reduction="none"), a * y * positive + b * (1 - y) * negative
        )


def test_zlpr_bounds_the_pairs_and_the_threshold() -> None:
    """With both threads: log Σ over pairs (negative above positive), and over each label against 0."""
    z, y = t64([[2, -1, 0.5, -3]]), torch.tensor([[1, 0, 0, 1]])
    above, below = math.exp(-1) + math.exp(0.5), math.exp(-2) + math.exp(3)
    assert O.zlpr_loss(z, y).item() == pytest.approx(math.log(1 + above + below + above * below), rel=1e-12)


def test_soft_margin_where_the_exponential_overflows() -> None:
    for dtype in (torch.float32, torch.float64):
        value, slope, second = slopes(O.soft_margin_loss, torch.tensor([-100.0], dtype=dtype), torch.ones(1))
        assert (value.item(), slope.item()) == (100.0, -1.0)
        assert second.isfinite()
    tiny = O.soft_margin_loss(torch.tensor([-30.0, 30.0]), torch.tensor([0, 1]), reduction="none")
    torch.testing.assert_close(tiny, torch.full((2,), math.exp(-30)), rtol=1e-6, atol=0)


def test_asymmetric_at_confident_logits() -> None:
    value, slope, _ = slopes(O.asymmetric_loss, t64([20.0]), t64([1.0]), gamma_pos=0.5)
    assert value.item() == pytest.approx(9.36e-14, rel=1e-3)
    assert slope.isfinite().all()


@pytest.mark.parametrize("margin", [0.0, 1e-6, 0.05, 0.6])
@pytest.mark.parametrize("gamma_neg", [0.0, 0.5, 1.0, 4.0])
@pytest.mark.parametrize("gamma_pos", [0.0, 0.5, 1.0])
def test_asymmetric_tails(gamma_pos: float, gamma_neg: float, margin: float) -> None:
    """float32 gives what float64 gives, also where a probability has rounded to 0 or 1."""
    z = t64([-1e4, -100, -50, -20, -10, -5, -2, -1, 0, 0.2, 1, 2, 5, 10, 17, 20, 50, 80, 100, 1e4])
    for label in (0.0, 1.0):
        loss = partial(
            O.asymmetric_loss,
            y_true=torch.full_like(z, label),
            gamma_pos=gamma_pos,
            gamma_neg=gamma_neg,
            margin=margin,
            reduction="none",
        )
        exact, exact_slope, exact_second = slopes(loss, z)
        loss.keywords["y_true"] = loss.keywords["y_true"].float()
        value, slope, second = slopes(loss, z.float())
        torch.testing.assert_close(value.double(), exact, rtol=1e-5, atol=1e-37)
        torch.testing.assert_close(slope.double(), exact_slope, rtol=1e-4, atol=1e-37)
        assert exact_second.isfinite().all()
        assert second.isfinite().all()


def test_asymmetric_forgives_negatives_below_the_margin() -> None:
    p = t64([0.0, 0.02, 0.05]).requires_grad_()
    value = O.asymmetric_loss(p, torch.zeros(3), from_logits=False)
    value.backward()
    assert value == 0
    assert p.grad is not None
    assert not p.grad.any()


@pytest.mark.parametrize("from_logits", [True, False])
def test_asymmetric_slope_flows_through_the_focusing_weights(from_logits: bool) -> None:
    """With q = ½ − m: 4q³·(−log(1−q)) + q⁴/(1−q) along p for a negative, −(log 2 + 1) for a positive; γ 1 and 4."""
    y_pred = t64([0.0 if from_logits else 0.5])
    for margin in (0.0, 0.05):
        q = 0.5 - margin
        for label, wanted in ((0.0, -4 * q**3 * math.log1p(-q) + q**4 / (1 - q)), (1.0, -math.log(2) - 1)):
            _, slope, _ = slopes(O.asymmetric_loss, y_pred, t64([label]), margin=margin, from_logits=from_logits)
            assert slope.item() == pytest.approx(wanted / 4 if from_logits else wanted, rel=1e-12)


@pytest.mark.parametrize("y_true", [[1, 0, 1], [0, 0, 0], [1, 1, 1], [0, 1, 0]])
def test_zlpr_tails(y_true: list[int]) -> None:
    y = torch.tensor([y_true])
    for logits in ([20.0, -20.0, 30.0], [-20.0, 20.0, -30.0], [80.0, -80.0, 5.0], [-80.0, 80.0, -85.0]):
        exact = slopes(O.zlpr_loss, t64([logits]), y)
        found = slopes(O.zlpr_loss, torch.tensor([logits]), y)
        for a, b, rtol in zip(found[:2], exact[:2], (1e-6, 3e-5), strict=True):
            torch.testing.assert_close(a.double(), b, rtol=rtol, atol=1e-37)
        assert found[2].isfinite().all()


def test_focal_at_confident_probabilities_and_alpha() -> None:
    zero = t64([0.0])
    for alpha, label, wanted in ((0.25, 1, 0.0433), (0.25, 0, 0.130)):
        value = O.focal_loss(zero, torch.tensor([label]), alpha=alpha).item()
        assert value == pytest.approx((alpha if label else 1 - alpha) * math.log(2) / 4, rel=1e-12)
        assert value == pytest.approx(wanted, abs=1e-4)


@pytest.mark.parametrize("loss", HARD)
def test_nan_in_a_live_target_stays(loss: Callable[..., Tensor]) -> None:
    y_true = torch.tensor([[1.0, 0.0], [math.nan, 1.0]])
    assert loss(torch.tensor([[0.3, -0.2], [0.1, 1.0]]), y_true).isnan()


@pytest.mark.parametrize("loss", [O.binary_cross_entropy_loss, O.ghmc_loss, O.focal_loss, O.asymmetric_loss])
def test_nan_in_a_live_target_stays_among_probabilities(loss: Callable[..., Tensor]) -> None:
    y_pred, y_true = t64([0.3, 0.2, math.nan, 0.1]), t64([1, math.nan, 1, 0])
    each = partial(loss, from_logits=False, reduction="none")
    assert each(y_pred, y_true).isnan().tolist() == [False, True, True, False]
    rows = torch.vmap(partial(loss, from_logits=False))(y_pred.reshape(2, 2), y_true.reshape(2, 2))
    assert rows.isnan().all()


# Calibration -------------------------------------------------------------------------------------------------------


def minimiser(loss: Loss, truth: float) -> Tensor:
    """The logit at which η·ℓ(z, 1) + (1 − η)·ℓ(z, 0) is least, by bisection of its slope."""
    low, high = -60.0, 60.0
    y_true, weight = t64([1, 0]), t64([truth, 1 - truth])
    for _ in range(200):
        z = (low + high) / 2
        _, slope, _ = slopes(loss, t64([z, z]), y_true, weight=weight)
        low, high = (z, high) if slope.sum() < 0 else (low, z)
    return t64([low])


@pytest.mark.parametrize(
    "loss",
    [
        BinaryCrossEntropyLoss(),
        BinaryCrossEntropyLoss(pos_weight=3.0),
        BinaryCrossEntropyLoss(pos_weight=[0.2]),
        BinaryCrossEntropyLoss(label_smoothing=0.3),
        BinaryCrossEntropyLoss(pos_weight=2.0, label_smoothing=0.1),
        SoftMarginLoss(),
        FocalLoss(),
        pytest.param(FocalLoss(gamma=0.0, alpha=0.25), marks=pytest.mark.grid),
        pytest.param(FocalLoss(gamma=0.5), marks=pytest.mark.grid),
        pytest.param(FocalLoss(gamma=5.0, alpha=0.9), marks=pytest.mark.grid),
        AsymmetricLoss(),
        pytest.param(AsymmetricLoss(gamma_pos=0.0, gamma_neg=0.0, margin=0.0), marks=pytest.mark.grid),
        pytest.param(AsymmetricLoss(gamma_pos=2.0, gamma_neg=1.5, margin=0.3), marks=pytest.mark.grid),
    ],
    ids=repr,
)
def test_the_true_probability_is_recovered(loss: Loss) -> None:
    for truth in (0.01, 0.2, 0.5, 0.77, 0.98):
        found = loss.predict(minimiser(loss, truth), calibrated=True)
        assert found.item() == pytest.approx(truth, abs=1e-6)


def test_calibration_at_the_ends() -> None:
    ends = t64([0, 1])
    for loss in (
        FocalLoss(from_logits=False, gamma=0.5),
        FocalLoss(from_logits=False, gamma=200.0),
        BinaryCrossEntropyLoss(from_logits=False, label_smoothing=0.2, pos_weight=2.0),
        AsymmetricLoss(from_logits=False),
        AsymmetricLoss(from_logits=False, margin=0.0),
    ):
        torch.testing.assert_close(loss.predict(ends, calibrated=True), ends)
    focal = FocalLoss(from_logits=False, gamma=200.0)
    assert focal.predict(torch.tensor([0.5]), calibrated=True) == 0.5
    assert focal.predict(torch.tensor([math.nan]), calibrated=True).isnan()
    # f₋' = 4·0.95³·log 20 + 0.95⁴/0.05 beside f₊' = −1: all truths above this one end at p = 1.
    bound = 4 * 0.95**3 * math.log(20) + 0.95**4 / 0.05
    saturated = AsymmetricLoss(from_logits=False, gamma_pos=0.0).predict(ends, calibrated=True)
    torch.testing.assert_close(saturated, t64([0, bound / (bound + 1)]))
    # Below the margin no negative costs anything: only a truth of 0 ends there.
    assert AsymmetricLoss(from_logits=False).predict(t64([0.04]), calibrated=True) == 0


def test_what_no_calibration_recovers() -> None:
    z = torch.zeros(1)
    for loss, words in (
        (FocalLoss(alpha=1.0), "alpha is 1"),
        (FocalLoss(alpha=0.0), "alpha is 0"),
        (BinaryCrossEntropyLoss(label_smoothing=1.0), "label_smoothing is 1"),
        (HingeLoss(), "not proper"),
        (ZLPRLoss(), "not proper"),
    ):
        with pytest.raises(ValueError, match=words):
            loss.predict(z, calibrated=True)


# Wrong input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("loss", HARD)
def test_targets_are_0_or_1(loss: Callable[..., Tensor]) -> None:
    y_pred = torch.zeros(2, 2)
    with pytest.raises(ValueError, match=r"y_true holds the value 0\.25, wanted whole numbers in \[0, 1\].*focal_loss"):
        loss(y_pred, torch.tensor([[1.0, 0.0], [0.25, 1.0]]))
    with pytest.raises(ValueError, match=r"y_true holds values from -1 to 1.*y_true > 0"):
        loss(y_pred, torch.tensor([[1, -1], [1, 1]]))
    # What is masked may hold anything.
    loss(y_pred, torch.tensor([[1.0, 0.0], [0.25, 0.25]]), mask=torch.tensor([True, False]))
    y_true = torch.tensor([[True, False], [False, True]])
    assert torch.equal(loss(y_pred, y_true), loss(y_pred, y_true.float()))


def test_wrong_shapes() -> None:
    with pytest.raises(ValueError, match=r"y_pred has shape \(4,\), wanted \(N, L, \.\.\.\).*unsqueeze\(1\)"):
        O.zlpr_loss(torch.zeros(4), torch.zeros(4))
    with pytest.raises(ValueError, match=r"y_pred\.squeeze\(1\)"):
        O.hinge_loss(torch.zeros(4, 1), torch.zeros(4))
    with pytest.raises(ValueError, match=r"units of this loss \(4,\)"):
        O.zlpr_loss(torch.zeros(4, 3), torch.zeros(4, 3), weight=torch.ones(4, 3))


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: AsymmetricLoss(margin=1.0), ValueError, r"margin is 1.0, wanted a number in \[0, 1\)"),
        (lambda: AsymmetricLoss(gamma_neg=-1.0), ValueError, "gamma_neg"),
        (lambda: AsymmetricLoss(gamma_pos=math.inf), ValueError, "gamma_pos"),
        (lambda: HingeLoss(margin=-0.5), ValueError, "margin"),
        (lambda: HingeLoss(squared=1), TypeError, "squared is 1, wanted True or False"),
        (lambda: HingeLoss(from_logits=False), TypeError, "no hyper-parameter 'from_logits'"),
        (lambda: ZLPRLoss(from_logits=True), TypeError, "no hyper-parameter 'from_logits'"),
    ],
)
def test_wrong_hyper_parameters(build: Callable[[], Loss], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        build()


def test_probabilities_outside_their_range() -> None:
    with pytest.raises(ValueError, match="look like logits"):
        O.asymmetric_loss(torch.tensor([1.5]), torch.tensor([1]), from_logits=False)
