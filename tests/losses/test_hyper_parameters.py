"""Hyper-parameters that are legal numbers, but not in the dtype computed in."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from torchobjectives import CharbonnierLoss, FocalLoss, GHMRLoss, WelschLoss, functional as O

Function = Callable[..., Tensor]
Y_PRED, Y_TRUE = torch.tensor([[0.5, 1.0], [0.25, 0.75]]), torch.tensor([[1.0, 1.0], [0.0, 1.0]])
VANISHING: tuple[tuple[Function, str], ...] = (
    (O.charbonnier_loss, "eps"),
    (O.barron_loss, "scale"),
    (O.cauchy_loss, "scale"),
    (O.geman_mcclure_loss, "scale"),
    (O.welsch_loss, "scale"),
    (O.ghmr_loss, "mu"),
    (O.tukey_loss, "c"),
)
OVERFLOWING: tuple[tuple[Function, str], ...] = (
    (O.charbonnier_loss, "eps"),
    (O.mape_loss, "eps"),
    (O.cosine_similarity_loss, "eps"),
    (O.ccc_loss, "eps"),
    (O.pearson_loss, "eps"),
    (O.ghmr_loss, "mu"),
    (O.binary_cross_entropy_loss, "pos_weight"),
    (partial(O.binary_cross_entropy_loss, from_logits=False), "pos_weight"),
    (O.focal_loss, "gamma"),
    (O.asymmetric_loss, "gamma_pos"),
    (O.asymmetric_loss, "gamma_neg"),
)


@pytest.mark.parametrize(("loss", "name"), VANISHING)
def test_numbers_that_vanish(loss: Function, name: str) -> None:
    for dtype in (torch.float32, torch.float16):
        with pytest.raises(ValueError, match=f"{name} is 1e-50, which is 0 in float32.*float64"):
            loss(Y_PRED.to(dtype), Y_TRUE.to(dtype), **{name: 1e-50})
    loss(Y_PRED.double(), Y_TRUE, **{name: 1e-50})
    loss(Y_PRED, Y_TRUE, **{name: 1e-30})


@pytest.mark.parametrize(("loss", "name"), OVERFLOWING)
def test_numbers_that_overflow(loss: Function, name: str) -> None:
    with pytest.raises(ValueError, match=rf"{name} is 1e\+39, which is infinite in float32.*float64"):
        loss(Y_PRED, Y_TRUE, **{name: 1e39})
    assert loss(Y_PRED.double(), Y_TRUE, **{name: 1e39}).isfinite()


def test_tensors_and_squares_are_looked_at_too() -> None:
    with pytest.raises(ValueError, match="scale holds 1e-50, which is 0 in float32"):
        O.welsch_loss(Y_PRED, Y_TRUE, scale=torch.tensor([1.0, 1e-50], dtype=torch.float64))
    with pytest.raises(ValueError, match=r"c\*\*2 / 6 is 1.66667e\+39, which is infinite in float32"):
        O.tukey_loss(Y_PRED, Y_TRUE, c=1e20)
    wanted = O.mse_loss(Y_PRED.double(), Y_TRUE.double()) / 2
    torch.testing.assert_close(O.tukey_loss(Y_PRED.double(), Y_TRUE, c=1e20), wanted)
    # γ so small is none.
    assert O.focal_loss(Y_PRED, Y_TRUE, gamma=1e-50) == O.focal_loss(Y_PRED, Y_TRUE, gamma=0.0)


def test_classes_for_float64() -> None:
    for loss in (CharbonnierLoss(eps=1e-50), WelschLoss(scale=1e-50), GHMRLoss(mu=1e-50)):
        assert loss(Y_PRED.double(), Y_TRUE).isfinite()
    with pytest.raises(ValueError, match="infinite"):
        CharbonnierLoss(eps=1e39)


def test_ghmr_with_a_narrow_tip() -> None:
    for mu in (1e-30, 1e-20, 1e-10, 0.02):
        p = torch.tensor([1.0, 2.0, 3.0], requires_grad=True)
        value = O.ghmr_loss(p, torch.tensor([1.0, 2.5, 3.0]), mu=mu)
        (slope,) = torch.autograd.grad(value, p, create_graph=True)
        (second,) = torch.autograd.grad(slope.sum(), p)
        assert value.isfinite()
        assert slope.isfinite().all()
        assert slope[0] == slope[2] == 0
        assert second.isfinite().all() or mu < 1e-10


@pytest.mark.parametrize("beyond", [10**400, -(10**400), 10**5000, Fraction(10**400)], ids="abcd")
def test_numbers_beyond_any_float(beyond: Any) -> None:
    for build in (partial(O.focal_loss, Y_PRED, Y_TRUE), FocalLoss):
        with pytest.raises(ValueError, match="gamma is larger than any float, wanted a finite number >= 0"):
            build(gamma=beyond)
