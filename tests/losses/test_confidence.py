"""Cross-entropy that holds the logits back: identities, calibration, zero vectors, messages."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, strategies as st

from tests.cases.base import F64, K, X, t64
from tests.losses.minimum import minimiser
from tests.losses.test_multiclass import TRUTH, drawn, slope_of
from torchobjectives import ConfidencePenaltyLoss, LogitNormLoss, Loss, ZLoss, functional as O


@given(st.integers(0, 2**32), st.floats(0.01, 100.0))
def test_identities(seed: int, factor: float) -> None:
    x, k, y = drawn(seed)
    lengths = x.norm(dim=1, keepdim=True)
    for a, b in (
        (O.confidence_penalty_loss(x, k, beta=0.0), O.cross_entropy_loss(x, k)),
        (O.confidence_penalty_loss(x, y, beta=0.0), O.cross_entropy_loss(x, y)),
        (O.confidence_penalty_loss(x + 9, k), O.confidence_penalty_loss(x, k)),
        # β = 1 on y = p: −Σ p log p + Σ p log p.
        (O.confidence_penalty_loss(x, torch.softmax(x, 1), beta=1.0), t64(0)),
        (O.z_loss(x, k, coefficient=0.0), O.cross_entropy_loss(x, k)),
        (O.z_loss(x - x.logsumexp(1, keepdim=True), y, coefficient=3.0), O.cross_entropy_loss(x, y)),
        (O.logit_norm_loss(factor * x, k), O.logit_norm_loss(x, k)),
        (O.logit_norm_loss(x, y, temperature=0.2), O.cross_entropy_loss(5 * x / lengths, y)),
    ):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("level", [-1e4, -30.0, 0.0, 30.0, 1e4])
def test_z_loss_sees_the_level_of_the_logits(level: float) -> None:
    x = X + level
    value, slope = slope_of(O.z_loss, x, K, coefficient=0.5, reduction="sum")
    z = x.logsumexp(1, keepdim=True)
    wanted = O.cross_entropy_loss(X, K, reduction="sum") + 0.5 * z.square().sum()
    torch.testing.assert_close(value, wanted, rtol=1e-12, atol=0)
    _, base = slope_of(O.cross_entropy_loss, X, K, reduction="sum")
    torch.testing.assert_close(slope, base + z * torch.softmax(X, 1), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    "loss",
    [
        ConfidencePenaltyLoss(),
        ConfidencePenaltyLoss(beta=1.0),
        ConfidencePenaltyLoss(beta=0.5, class_weight=[1.0, 2.0, 4.0]),
        ZLoss(),
        ZLoss(coefficient=0.1, class_weight=[1.0, 2.0, 4.0]),
        LogitNormLoss(),
        LogitNormLoss(temperature=0.1, class_weight=[1.0, 2.0, 4.0]),
    ],
    ids=repr,
)
def test_calibration_recovers_the_truth(loss: Loss) -> None:
    for truth in (TRUTH, t64([0.05, 0.05, 0.9])):
        found = loss.predict(minimiser(loss, truth), calibrated=True)
        torch.testing.assert_close(found[0], truth, rtol=0, atol=1e-6)


def test_the_confidence_penalty_is_undone_for_a_class_that_never_occurs() -> None:
    loss = ConfidencePenaltyLoss(beta=0.5)
    truth = t64([0.7, 0.3, 0.0])
    x = minimiser(loss, truth)
    assert loss.predict(x)[0, 2] > 0.01
    torch.testing.assert_close(loss.predict(x, calibrated=True)[0], truth, rtol=0, atol=1e-6)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("loss", [ConfidencePenaltyLoss(), ConfidencePenaltyLoss(beta=3.0), LogitNormLoss()], ids=repr)
def test_predictions_at_the_ends(loss: Loss, dtype: torch.dtype) -> None:
    for size in (0.0, 5.0, 200.0, 1e4):
        found = loss.predict(torch.tensor([[size, 0, 0]], dtype=dtype), calibrated=True)
        assert found.dtype == dtype
        assert found.isfinite().all()
        assert found.sum().item() == pytest.approx(1, rel=0.01)


def test_logit_norm_predicts_what_it_has_learnt() -> None:
    loss = LogitNormLoss(temperature=0.5)
    p = loss.predict(X)
    assert O.nll_loss(p.log(), K).item() == pytest.approx(loss(X, K).item(), rel=1e-12)
    assert loss.num_outputs(5) == 5
    torch.testing.assert_close(loss.predict(100 * X), p)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_logit_norm_at_a_zero_vector(dtype: torch.dtype) -> None:
    for x in (torch.zeros(1, 3, dtype=dtype), torch.tensor([[1e-8, 0, 0]], dtype=dtype)):
        x.requires_grad_()
        value = O.logit_norm_loss(x, torch.tensor([0]))
        assert value.isfinite()
        (slope,) = torch.autograd.grad(value, x, create_graph=True)
        # Near 0 the length counts as 1e-7: the slope is (p − y) / (0.04 · 1e-7).
        p = torch.softmax(x.detach() / 4e-9, 1)
        torch.testing.assert_close(slope.detach(), (p - t64([[1, 0, 0]]).to(dtype)) / 4e-9, rtol=1e-5, atol=0)
        (second,) = torch.autograd.grad(slope[0, 0], x)
        assert second.isfinite().all()


def test_the_confidence_penalty_of_a_masked_class() -> None:
    y_pred = torch.cat((X, torch.full((3, 1), -math.inf, dtype=F64)), 1)
    torch.testing.assert_close(O.confidence_penalty_loss(y_pred, K), O.confidence_penalty_loss(X, K))


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: O.confidence_penalty_loss(X, K, beta=-0.1), "beta is -0.1, wanted a finite number >= 0"),
        (lambda: O.z_loss(X, K, coefficient=-1.0), "coefficient is -1.0"),
        (lambda: O.z_loss(X, K, coefficient=math.inf), "coefficient is inf"),
        (lambda: O.logit_norm_loss(X, K, temperature=0.0), "temperature is 0.0, wanted a finite number > 0"),
        (lambda: LogitNormLoss(temperature=-1.0), "temperature is -1.0"),
    ],
)
def test_wrong_hyper_parameters(call: Callable[[], Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()
