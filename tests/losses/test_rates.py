"""Losses on rates: identities, 0/0, large batches, the clipped risk, wrong input."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor

from tests.cases.base import F64, generator, rand, randn, t64
from tests.losses.test_binary import slopes
from torchobjectives import Loss, MCCLoss, NNPULoss, PairwiseAUCLoss, SoftFBetaLoss, functional as O


@given(st.integers(0, 2**32))
def test_identities(seed: int) -> None:
    rng = generator(seed)
    p, y = rand(rng, 8, 3), torch.randint(2, (8, 3), generator=rng)
    y[:2] = torch.tensor([[0], [1]])  # both classes in every label
    z, hits = torch.logit(p), (p * y).sum()
    flat = p.flatten(), y.flatten()
    for a, b in (
        (O.soft_fbeta_loss(z, y), O.soft_fbeta_loss(p, y, from_logits=False)),
        (O.soft_fbeta_loss(z, y), torch.stack([O.soft_fbeta_loss(z[:, k], y[:, k]) for k in range(3)]).mean()),
        (O.soft_fbeta_loss(z[:, :1], y[:, :1]), O.soft_fbeta_loss(z[:, 0], y[:, 0])),
        (O.soft_fbeta_loss(z[..., None], y[..., None]), O.soft_fbeta_loss(z.flatten(), y.flatten())),
        (O.soft_fbeta_loss(*flat, beta=0.0, from_logits=False), 1 - hits / p.sum()),
        (O.soft_fbeta_loss(*flat, beta=1e6, from_logits=False), 1 - hits / y.sum()),
        (O.soft_fbeta_loss(z.flatten(), y.flatten()), O.dice_loss(z.flatten()[:, None], y.flatten()[:, None])),
        (O.mcc_loss(z, y), O.mcc_loss(p, y, from_logits=False)),
        (O.mcc_loss(z, y), O.mcc_loss(-z, 1 - y)),
        (O.mcc_loss(z, y) - 1, 1 - O.mcc_loss(-z, y)),
        (O.pairwise_auc_loss(z, y), O.pairwise_auc_loss(z + 7, y)),
        (O.pairwise_auc_loss(z, y), O.pairwise_auc_loss(-z, 1 - y)),
        (O.nnpu_loss(z, y, prior=0.3), O.nnpu_loss(p, y, prior=0.3, from_logits=False)),
    ):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-10)


@given(st.integers(0, 2**32))
def test_mcc_of_decisions_is_their_correlation(seed: int) -> None:
    rng = generator(seed)
    y_true = torch.randint(2, (12,), generator=rng)
    y_true[:2] = torch.tensor([0, 1])
    decided = torch.randint(2, (12,), generator=rng).to(F64)
    decided[:2] = t64([1, 0])
    correlation = torch.corrcoef(torch.stack((decided, y_true.to(F64))))[0, 1]
    torch.testing.assert_close(O.mcc_loss(decided, y_true, from_logits=False), 1 - correlation)


def test_a_label_without_a_live_element_is_no_label() -> None:
    y_pred, y_true = torch.randn(5, 2, dtype=F64), torch.tensor([[1, 0], [0, 1], [1, 1], [0, 0], [1, 0]])
    mask = torch.tensor([[True, False]]).repeat(5, 1)
    for eps in (0.0, 1.0):
        found = O.soft_fbeta_loss(y_pred, y_true, mask=mask, eps=eps)
        torch.testing.assert_close(found, O.soft_fbeta_loss(y_pred[:, :1], y_true[:, :1], eps=eps))
        assert O.soft_fbeta_loss(y_pred, y_true, mask=torch.zeros_like(mask), eps=eps) == 0


def test_fbeta_of_a_label_without_positives() -> None:
    zeros = torch.zeros(3)
    for eps in (0.0, 1.0):
        value, slope, _ = slopes(O.soft_fbeta_loss, torch.tensor([-2.0, -5.0, -90.0]), zeros, eps=eps)
        assert value == 1
        torch.testing.assert_close(slope, zeros, rtol=0, atol=1e-7)
        value, slope, _ = slopes(O.soft_fbeta_loss, torch.full((3,), -1e4), zeros, eps=eps)
        assert value == (1 if eps else 0)
        assert slope.isfinite().all()


@pytest.mark.parametrize("loss", [O.soft_fbeta_loss, O.mcc_loss])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
def test_slopes_are_finite_at_any_size(loss: Callable[..., Tensor], dtype: torch.dtype) -> None:
    """Also between 87 and 104, and 708 and 745, where a sigmoid is subnormal and its inverse infinite."""
    for size in (20, 80, 90, 100, 104, 200, 350, 360, 709, 720, 745, 1e4):
        for signs in ([-1, -1, -1, -1], [1, 1, 1, 1], [1, -1, 1, -1], [-1, 1, -1, 1]):
            for labels in ([1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 1, 1]):
                y_pred = size * torch.tensor(signs, dtype=dtype)
                value, slope, second = slopes(loss, y_pred, torch.tensor(labels))
                assert 0 <= value <= 2
                assert slope.isfinite().all()
                assert second.isfinite().all()


@pytest.mark.parametrize("absent", [0, 1])
def test_mcc_of_one_class_has_no_slope(absent: int) -> None:
    value, slope, second = slopes(O.mcc_loss, torch.randn(6), torch.full((6,), 1 - absent))
    assert value == 1
    assert not slope.any()
    assert not second.any()
    value, slope, _ = slopes(O.mcc_loss, torch.zeros(4), torch.tensor([1, 0, 1, 0]), from_logits=False)
    assert value == 1
    assert slope.isfinite().all()


def test_mcc_keeps_its_digits_where_almost_all_is_predicted_positive() -> None:
    """In float32 every p rounds to 1; the 1 − p still tell the two classes apart."""
    y_pred, y_true = t64([25, 26, 20, 19]), torch.tensor([1, 1, 0, 0])
    exact = O.mcc_loss(y_pred, y_true)
    torch.testing.assert_close(O.mcc_loss(y_pred.float(), y_true).double(), exact, rtol=1e-6, atol=0)


def test_products_of_four_sums_do_not_overflow() -> None:
    y_pred, y_true = torch.randn(64), torch.arange(64) % 2
    plain = O.mcc_loss(y_pred, y_true)
    for size in (1e-30, 1e12, 1e30):
        torch.testing.assert_close(O.mcc_loss(y_pred, y_true, weight=torch.full((64,), size)), plain)


# Pairs -------------------------------------------------------------------------------------------------------------


def by_matrix(y_pred: Tensor, y_true: Tensor, w: Tensor, margin: float) -> Tensor:
    """The definition, with the matrix of pairs."""
    positive = y_true.flatten() == 1
    z, w = y_pred.flatten(), w.flatten()
    pairs = w[positive][:, None] * w[~positive]
    gap = (margin - z[positive][:, None] + z[~positive]).clamp(min=0) ** 2
    return (pairs * gap).sum() / pairs.sum()


@given(st.integers(0, 2**32), st.booleans())
def test_sorting_is_the_matrix_of_pairs(seed: int, ties: bool) -> None:
    rng = generator(seed)
    z, y = 3 * randn(rng, 30), torch.randint(2, (30,), generator=rng)
    y[:2] = torch.tensor([0, 1])
    z = z.round() if ties else z
    w = rand(rng, 30)
    leaf, weight = z.clone().requires_grad_(), w.clone().requires_grad_()
    value = O.pairwise_auc_loss(leaf, y, weight=weight, margin=0.5 + ties / 2)
    wanted = by_matrix(leaf, y, weight, 0.5 + ties / 2)
    torch.testing.assert_close(value, wanted, rtol=1e-10, atol=1e-13)
    for a, b in zip(
        torch.autograd.grad(value, (leaf, weight)), torch.autograd.grad(wanted, (leaf, weight)), strict=True
    ):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


def test_pairs_of_a_large_batch() -> None:
    """No matrix: 10¹⁰ pairs; and nothing cancels in float32 however far the logits lie from 0."""
    rng = generator(0)
    z, y = torch.randn(200_000, generator=rng), torch.randint(2, (200_000,), generator=rng)
    value, slope, _ = slopes(O.pairwise_auc_loss, z, y, margin=1.0)
    # For independent logits the margin minus their difference is N(1, 2): E max(0, ·)² = 3Φ(1/√2) + √2·φ(1/√2).
    wanted = 3 * 0.5 * (1 + math.erf(0.5)) + math.sqrt(2) * math.exp(-0.25) / math.sqrt(2 * math.pi)
    assert value.item() == pytest.approx(wanted, rel=0.02)
    assert slope.isfinite().all()
    assert abs(slope.double().sum()) < 1e-6
    few, labels = torch.tensor([0.25, 0.5, 0.0, 1.0]), torch.tensor([1, 0, 1, 0])
    exact = O.pairwise_auc_loss(few, labels)
    assert torch.equal(O.pairwise_auc_loss(few + 2.0**20, labels), exact)


@pytest.mark.parametrize("label", [0, 1])
def test_without_pairs_there_is_no_loss(label: int) -> None:
    value, slope, second = slopes(O.pairwise_auc_loss, torch.randn(5), torch.full((5,), label))
    assert value == 0
    assert not slope.any()
    assert not second.any()
    for count in (0, 1):
        value, slope, _ = slopes(O.pairwise_auc_loss, torch.randn(count), torch.full((count,), label))
        assert value == 0
        assert not slope.any()


# Positive and unlabelled -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("from_logits", [True, False])
@pytest.mark.parametrize(("gamma", "beta"), [(1.0, 0.0), (0.3, 0.05), (0.0, 0.0)])
def test_a_clipped_risk_steps_back(gamma: float, beta: float, from_logits: bool) -> None:
    z, y = t64([2.0, 1.0, -3.0, -2.0, -4.0]), torch.tensor([1, 1, 0, 0, 0])
    y_pred = (z if from_logits else torch.sigmoid(z)).requires_grad_()
    p = torch.sigmoid(y_pred) if from_logits else y_pred
    prior = 0.5
    risk_of_negatives = p[2:].mean() - prior * p[:2].mean()
    assert risk_of_negatives < -beta
    value = O.nnpu_loss(y_pred, y, prior=prior, gamma=gamma, beta=beta, from_logits=from_logits)
    torch.testing.assert_close(value, prior * (1 - p[:2]).mean() - beta)
    (slope,) = torch.autograd.grad(value, y_pred)
    (wanted,) = torch.autograd.grad(-gamma * risk_of_negatives, y_pred)
    torch.testing.assert_close(slope, wanted)


def test_a_risk_that_is_not_clipped_is_unbiased() -> None:
    z, y = t64([2.0, 1.0, 3.0, 2.0]).requires_grad_(), torch.tensor([1, 1, 0, 0])
    p = torch.sigmoid(z)
    wanted = 0.3 * (1 - p[:2]).mean() + p[2:].mean() - 0.3 * p[:2].mean()
    value = O.nnpu_loss(z, y, prior=0.3)
    torch.testing.assert_close(value, wanted)
    torch.testing.assert_close(torch.autograd.grad(value, z), torch.autograd.grad(wanted, z))


def test_a_missing_side_has_no_risk() -> None:
    z = t64([0.5, -1.0])
    p = torch.sigmoid(z)
    torch.testing.assert_close(O.nnpu_loss(z, torch.ones(2), prior=0.4), 0.4 * (1 - p).mean())
    torch.testing.assert_close(O.nnpu_loss(z, torch.zeros(2), prior=0.4), p.mean())


# Wrong input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("build", "error", "words"),
    [
        (lambda: SoftFBetaLoss(beta=-1.0), ValueError, "beta"),
        (lambda: SoftFBetaLoss(eps=-1e-3), ValueError, "eps"),
        (lambda: MCCLoss(from_logits="no"), TypeError, "from_logits"),
        (lambda: PairwiseAUCLoss(margin=-1.0), ValueError, "margin"),
        (lambda: PairwiseAUCLoss(from_logits=True), TypeError, "no hyper-parameter 'from_logits'"),
        (lambda: NNPULoss(), TypeError, "needs prior"),
        (lambda: NNPULoss(prior=0.0), ValueError, r"prior is 0.0, wanted a number in \(0, 1\)"),
        (lambda: NNPULoss(prior=1.0), ValueError, "prior"),
        (lambda: NNPULoss(prior=math.nan), ValueError, "prior"),
        (lambda: NNPULoss(prior=0.5, gamma=-1.0), ValueError, "gamma"),
        (lambda: NNPULoss(prior=0.5, beta=-1.0), ValueError, "beta"),
    ],
)
def test_wrong_hyper_parameters(build: Callable[[], Loss], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        build()


@pytest.mark.parametrize("loss", [O.soft_fbeta_loss, O.mcc_loss])
def test_probabilities_outside_their_range(loss: Callable[..., Tensor]) -> None:
    with pytest.raises(ValueError, match="look like logits"):
        loss(torch.tensor([1.5]), torch.tensor([1]), from_logits=False)
