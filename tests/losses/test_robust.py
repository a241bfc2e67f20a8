"""Robust losses: tails in float32, what they equal, where they pull, and what they refuse."""

from __future__ import annotations

import math
from collections.abc import Callable
from decimal import Decimal, localcontext
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor, nn

import torchobjectives
from tests.cases import generator
from tests.cases.base import F64, randn, t64
from tests.references import robust as ref
from torchobjectives import functional as O

Evaluate = Callable[..., Tensor]
SIZES = [1e-6, 1e-4, 1e-2, 0.03, 0.3, 0.999, 1.0, 1.5, 4.68, 6.0, 50.0, 1e3, 1e4]
LOSSES: dict[str, tuple[Evaluate, Callable[..., float]]] = {
    "log_cosh": (O.log_cosh_loss, ref.log_cosh),
    "charbonnier": (O.charbonnier_loss, ref.charbonnier),
    "cauchy": (O.cauchy_loss, ref.cauchy),
    "geman_mcclure": (O.geman_mcclure_loss, ref.geman_mcclure),
    "welsch": (O.welsch_loss, ref.welsch),
    "tukey": (O.tukey_loss, ref.tukey),
    "wing": (O.wing_loss, ref.wing),
    "balanced_l1": (O.balanced_l1_loss, ref.balanced_l1),
}
B = math.expm1(3)
# dℓ/dd at d > 0, each in a form that loses no digit.
SLOPES: dict[str, Callable[[float], float]] = {
    "log_cosh": math.tanh,
    "charbonnier": lambda d: d / math.hypot(d, 1e-3),
    "cauchy": lambda d: d / (1 + d * d / 2),
    "geman_mcclure": lambda d: 16 * d / (d * d + 4) ** 2,
    "welsch": lambda d: d * math.exp(-d * d / 2),
    "tukey": lambda d: d * ((4.685 - d) * (4.685 + d) / 4.685**2) ** 2 if d < 4.685 else 0.0,
    "wing": lambda d: 10 / (2 + d) if d < 10 else 1.0,
    "balanced_l1": lambda d: 0.5 * math.log1p(B * d) if d < 1 else 1.5,
}


def slope_of(loss: Evaluate, y_pred: Tensor, y_true: Tensor, **more: Any) -> Tensor:
    leaf = y_pred.detach().clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(leaf, y_true, **more).sum(), leaf)
    return slope


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("size", SIZES)
def test_float32_keeps_its_digits(name: str, size: float) -> None:
    loss, reference = LOSSES[name]
    d = torch.tensor([size, -size])
    zero = torch.zeros(2)
    exact = d[0].item()
    wanted = reference(exact, 0.0)
    values = loss(d, zero, reduction="none")
    assert values.tolist() == pytest.approx([wanted, wanted], rel=1e-6, abs=1e-38)
    if abs(exact - 1) > 1e-9 or name != "balanced_l1":  # there its slope is left to the side
        slope = slope_of(loss, d, zero, reduction="sum")
        wanted = SLOPES[name](exact)
        # A wing's neighbour of its seam, a tukey's of its edge: within a rounding of the ratio.
        assert slope.tolist() == pytest.approx([wanted, -wanted], rel=3e-5 if name == "tukey" else 1e-6, abs=1e-38)


@pytest.mark.parametrize("name", LOSSES)
def test_slopes_in_float64(name: str) -> None:
    loss, _ = LOSSES[name]
    for size in SIZES:
        if (name, size) != ("balanced_l1", 1.0):
            slope = slope_of(loss, t64([size]), t64([0.0]))
            assert slope.item() == pytest.approx(SLOPES[name](size), rel=1e-11, abs=1e-300)


def test_log_cosh_of_a_small_difference() -> None:
    """F19: log 2 subtracted from log 2 leaves 0."""
    value = O.log_cosh_loss(torch.tensor([1e-4]), torch.zeros(1))
    assert value.item() == pytest.approx(5e-9, rel=1e-6)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_halves_at_large_differences(name: str, dtype: torch.dtype) -> None:
    loss, reference = LOSSES[name]
    d = torch.tensor([3e4], dtype=dtype)
    value = loss(d, torch.zeros_like(d))
    assert value.dtype is dtype
    assert value.item() == pytest.approx(reference(d.item(), 0.0), rel=4e-3)


@given(st.integers(0, 2**32), st.floats(0.05, 20.0))
def test_barrons_limits(seed: int, scale: float) -> None:
    rng = generator(seed)
    p, t = 5 * randn(rng, 7), randn(rng, 7)
    for loss, alpha in (
        (O.cauchy_loss, 0.0),
        (O.geman_mcclure_loss, -2.0),
        (O.welsch_loss, -math.inf),
    ):
        ours = partial(loss, scale=scale, reduction="none")
        assert torch.equal(ours(p, t), O.barron_loss(p, t, alpha=alpha, scale=scale, reduction="none"))
        assert torch.equal(ours(p, t), ours(p, t, scale=t64(scale)))
        if math.isfinite(alpha):
            general = partial(O.barron_loss, alpha=t64(alpha), scale=scale, reduction="none")
            torch.testing.assert_close(ours(p, t), general(p, t), rtol=1e-11, atol=0)
            torch.testing.assert_close(slope_of(ours, p, t), slope_of(general, p, t), rtol=1e-11, atol=0)


@given(st.integers(0, 2**32))
def test_limiting_cases(seed: int) -> None:
    rng = generator(seed)
    p, t = randn(rng, 6), randn(rng, 6)
    small = t + 1e-4 * p
    for a, b, rtol in (
        (O.charbonnier_loss(p, t, eps=1.0) - 1, O.barron_loss(p, t, alpha=1.0), 1e-12),
        (O.charbonnier_loss(p, t, eps=1e-12), O.l1_loss(p, t), 1e-6),
        (O.log_cosh_loss(small, t), O.mse_loss(small, t) / 2, 1e-7),
        (O.log_cosh_loss(1e6 * p, 1e6 * t) + math.log(2), O.l1_loss(1e6 * p, 1e6 * t), 1e-6),
        (O.tukey_loss(p, t, c=1e5), O.mse_loss(p, t) / 2, 1e-8),
        (O.cauchy_loss(p, t, scale=1e5) * 1e10, O.mse_loss(p, t) / 2, 1e-8),
        (O.wing_loss(p, t, width=1e-9, curvature=1.0), O.l1_loss(p, t), 1e-6),
        (O.wing_loss(p, t, width=1e6, curvature=1e6), O.l1_loss(p, t), 1e-5),
        # alpha → ∞ at a fixed gamma: the slope γ·d up to 1, smooth L1.
        (O.balanced_l1_loss(p, t, alpha=1e6, gamma=1.5), 1.5 * O.smooth_l1_loss(p, t), 1e-5),
    ):
        torch.testing.assert_close(a, b, rtol=rtol, atol=1e-12)


@given(st.floats(0.1, 3.0), st.floats(0.1, 3.0), st.floats(0.1, 3.0))
def test_balanced_l1_is_continuous_at_its_seam(alpha: float, gamma: float, beta: float) -> None:
    loss = partial(O.balanced_l1_loss, alpha=alpha, gamma=gamma, beta=beta)
    below, above = loss(t64([beta * (1 - 1e-12)]), t64([0.0])), loss(t64([beta * (1 + 1e-12)]), t64([0.0]))
    torch.testing.assert_close(below, above, rtol=1e-9, atol=1e-9)


def test_second_derivatives_are_finite_everywhere() -> None:
    for loss, _ in LOSSES.values():
        d = t64([0.0, 1e-9, 1.0, -1.0, 2.0, 4.685, 10.0, 1e4]).requires_grad_()
        (slope,) = torch.autograd.grad(loss(d, torch.zeros_like(d), reduction="sum"), d, create_graph=True)
        (second,) = torch.autograd.grad(slope.sum(), d)
        assert second.isfinite().all()


def test_smooth_losses_have_curvature_1_at_0() -> None:
    for name in ("log_cosh", "cauchy", "geman_mcclure", "welsch", "tukey"):
        d = t64([0.0]).requires_grad_()
        (slope,) = torch.autograd.grad(LOSSES[name][0](d, t64([0.0])), d, create_graph=True)
        (second,) = torch.autograd.grad(slope, d)
        assert second.item() == pytest.approx(1.0, rel=1e-12)


@pytest.mark.parametrize("name", ["cauchy_loss", "geman_mcclure_loss", "welsch_loss"])
def test_the_scale_may_be_learnt_and_broadcasts(name: str) -> None:
    loss = getattr(O, name)
    p, t = torch.randn(4, 3, dtype=F64), torch.randn(4, 3, dtype=F64)
    scale = t64([0.5, 1.0, 2.0])
    columns = torch.stack([loss(p[:, k], t[:, k], scale=s, reduction="none") for k, s in enumerate(scale.tolist())], 1)
    torch.testing.assert_close(loss(p, t, scale=scale, reduction="none"), columns)
    torch.autograd.gradcheck(lambda s: loss(p, t, scale=s), scale.clone().requires_grad_())
    module = getattr(torchobjectives, torchobjectives._exports.LOSSES[name][0])(scale=nn.Parameter(scale))
    module(p, t).backward()
    assert module.scale.grad.isfinite().all()
    with pytest.raises(ValueError, match=r"scale has shape \(4,\), y_pred \(4, 3\)"):
        loss(p, t, scale=torch.ones(4))
    with pytest.raises(ValueError, match="scale holds values from 0 to 1"):
        loss(p, t, scale=t64([0.0, 1.0, 1.0]))


@pytest.mark.parametrize(
    ("loss", "more", "words"),
    [
        (O.charbonnier_loss, {"eps": 0.0}, "eps is 0.0, wanted a finite number > 0"),
        (O.cauchy_loss, {"scale": -1.0}, "scale is -1.0, wanted a finite number > 0"),
        (O.geman_mcclure_loss, {"scale": math.nan}, "scale is nan"),
        (O.welsch_loss, {"scale": math.inf}, "scale is inf"),
        (O.tukey_loss, {"c": 0.0}, "c is 0.0, wanted a finite number > 0"),
        (O.wing_loss, {"width": 0.0}, "width is 0.0"),
        (O.wing_loss, {"curvature": math.inf}, "curvature is inf"),
        (O.balanced_l1_loss, {"alpha": 0.0}, "alpha is 0.0"),
        (O.balanced_l1_loss, {"gamma": -1.0}, "gamma is -1.0"),
        (O.balanced_l1_loss, {"beta": math.nan}, "beta is nan"),
        (O.balanced_l1_loss, {"alpha": 0.01}, r"gamma / alpha is 150.0, wanted a finite number <= 80"),
    ],
)
def test_hyper_parameters_out_of_range(loss: Evaluate, more: dict[str, float], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        loss(torch.zeros(2), torch.zeros(2), **more)


def test_a_scale_that_is_no_number() -> None:
    for loss, more in ((O.tukey_loss, {"c": torch.tensor(1.0)}), (O.welsch_loss, {"scale": "1"})):
        with pytest.raises(TypeError, match="has type"):
            loss(torch.zeros(2), torch.zeros(2), **more)


def test_the_best_constant_ignores_a_wild_target() -> None:
    """Of 1, 2 and 3 many times and one 10⁶ the redescending losses find 2, the mean 10⁴."""
    y_true = torch.cat([t64([1.0, 2.0, 3.0]).repeat(33), t64([1e6])])
    grid = torch.linspace(0, 4, 401, dtype=F64)
    for name in ("geman_mcclure", "welsch", "tukey", "cauchy", "log_cosh", "charbonnier"):
        costs = torch.stack([LOSSES[name][0](c.expand(100), y_true) for c in grid])
        assert grid[costs.argmin()].item() == pytest.approx(2.0, abs=0.05)


def test_the_area_under_log1p_on_both_sides_of_its_seam() -> None:
    from torchobjectives.losses.robust import _area_under_log1p

    for x in (1e-12, 1e-5, 0.01, 0.0999999, 0.1, 0.1000001, 1.0, 1e5):
        with localcontext(prec=50):
            exact = Decimal(x)
            wanted = float((1 + exact) * (1 + exact).ln() - exact)
        assert _area_under_log1p(t64(x)).item() == pytest.approx(wanted, rel=1e-14 if x < 0.1 else 1e-13)


def test_slopes_of_balanced_l1_are_its_own_in_every_mode() -> None:
    """dℓ/d|d| = α·log1p(b·|d|) below β = 1, γ beyond; its own derivative α·b/(1 + b·|d|)."""
    b = math.expm1(3.0)
    d = t64([1e-12, 1e-6, 0.004, 0.006, 0.3, 0.999, 1.5, 1e6])
    slope = torch.where(d < 1, 0.5 * torch.log1p(b * d), 1.5)
    second = torch.where(d < 1, 0.5 * b / (1 + b * d), 0.0)
    loss = partial(O.balanced_l1_loss, y_true=torch.zeros_like(d), reduction="none")
    reverse, forward = torch.func.jacrev(loss), torch.func.jacfwd(loss)
    for found in (reverse(d).diag(), forward(d).diag()):
        torch.testing.assert_close(found, slope, rtol=1e-13, atol=0)
    for outer in (torch.func.jacrev, torch.func.jacfwd):
        twice = outer(torch.func.grad(lambda x: loss(x).sum()))(d).diag()
        torch.testing.assert_close(twice, second, rtol=1e-13, atol=0)
