"""MSLE, MAPE, sMAPE, SiLog: near and far ratios in float32, domains, identities."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from hypothesis import given, strategies as st

from tests.cases import generator
from tests.cases.base import F64, rand, randn, t64
from tests.cases.relative import positives
from tests.references import relative as ref
from torchobjectives import MSLELoss, SiLogLoss, functional as O

PAIRS = [
    (1e4, 1.0001e4),
    (1e-3, 1.0001e-3),
    (1e4, 1e-30),
    (1e-30, 1e4),
    (2.0, 3.0),
    (3.0, 2.0),
    (1.0, 1.0),
    (1e30, 1e29),
]


@pytest.mark.parametrize(("p", "t"), PAIRS)
def test_logarithmic_losses_keep_their_digits_in_float32(p: float, t: float) -> None:
    y_pred, y_true = torch.tensor([p], requires_grad=True), torch.tensor([t])
    exact = y_pred.item(), y_true.item()
    # A logarithm of 69 is itself rounded by 4e-6.
    rel = 1e-6 if max(exact) < 1e5 else 1e-5
    msle = O.msle_loss(y_pred, y_true)
    assert msle.item() == pytest.approx(ref.msle(*exact), rel=rel, abs=1e-38)
    silog = O.silog_loss(y_pred, y_true, lambd=0.0)
    gap = ref._log_of_ratio(*exact, 0)
    assert silog.item() == pytest.approx(gap**2, rel=rel, abs=1e-38)
    (slope,) = torch.autograd.grad(msle, y_pred)
    wanted = 2 * ref._log_of_ratio(*exact, 1) / (1 + exact[0])
    assert slope.item() == pytest.approx(wanted, rel=rel, abs=1e-38)
    (slope,) = torch.autograd.grad(silog, y_pred)
    assert slope.item() == pytest.approx(2 * gap / exact[0], rel=rel, abs=1e-38)


def test_logarithmic_losses_near_the_edge_of_their_domain() -> None:
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        tiny = torch.finfo(dtype).tiny
        for loss, p, t in (
            (O.silog_loss, tiny, 1.0),
            (O.silog_loss, 1.0, tiny),
            (O.silog_loss, tiny, tiny),
            (O.msle_loss, -1 + torch.finfo(dtype).eps, 1.0),
            (O.msle_loss, 1.0, -1 + torch.finfo(dtype).eps),
        ):
            y_pred = torch.tensor([p], dtype=dtype, requires_grad=True)
            value = loss(y_pred, torch.tensor([t], dtype=dtype))
            (slope,) = torch.autograd.grad(value, y_pred)
            assert value.isfinite()
            assert not slope.isnan().any()


@given(st.integers(0, 2**32), st.floats(1e-3, 1e3))
def test_silog_is_blind_to_a_common_factor_at_lambda_1(seed: int, factor: float) -> None:
    p, t = positives(generator(seed), 4)
    whole = partial(O.silog_loss, lambd=1.0)
    torch.testing.assert_close(whole(factor * p, t), whole(p, t), rtol=1e-9, atol=1e-12)
    # One constant factor costs (1 − λ) log² of it.
    torch.testing.assert_close(
        O.silog_loss(factor * t, t, lambd=0.3), t64(0.7 * math.log(factor) ** 2), rtol=1e-9, atol=1e-12
    )


@given(st.integers(0, 2**32))
def test_identities(seed: int) -> None:
    p, t = positives(generator(seed), 5)
    close = partial(torch.testing.assert_close, rtol=1e-9, atol=1e-13)
    # lambd = 0, and MSLE, are mean squared errors of logarithms.
    close(O.silog_loss(p, t, lambd=0.0), O.mse_loss(p.log(), t.log()))
    close(O.msle_loss(p, t), O.mse_loss(p.log1p(), t.log1p()))
    close(O.msle_loss(p - 1 + 1e-9, t - 1 + 1e-9), O.mse_loss((p + 1e-9).log(), (t + 1e-9).log()))
    # MAPE is a weighted L1; of one unit's size it is the L1.
    close(O.mape_loss(p, t, reduction="sum"), O.l1_loss(p, t, weight=1 / t, reduction="sum"))
    close(O.mape_loss(p, t.sign()), O.l1_loss(p, t.sign()))
    # sMAPE is symmetric and without scale; both in [0, 2].
    close(O.smape_loss(p, t), O.smape_loss(t, p))
    close(O.smape_loss(7 * p, 7 * t), O.smape_loss(p, t))
    signed = O.smape_loss(randn(generator(seed), 50), t.new_ones(50), reduction="none")
    assert bool((signed >= 0).all() & (signed <= 2).all())


def test_silog_at_the_truth() -> None:
    """F18: the slope of the root form is NaN there."""
    for lambd in (0.0, 0.5, 1.0):
        t = (0.1 + rand(generator(1), 5)).requires_grad_()
        value = O.silog_loss(t, t.detach(), lambd=lambd)
        (slope,) = torch.autograd.grad(value, t, create_graph=True)
        assert value == 0
        assert not slope.any()
        (second,) = torch.autograd.grad(slope.sum(), t)
        assert second.isfinite().all()


def test_silogs_root_form() -> None:
    value = O.silog_loss(t64([0.5, 1, 2, 0.1]), t64([1, 1, 2.5, 0.2]))
    assert value.sqrt().item() == pytest.approx(0.4144010054, rel=1e-9)


def test_silog_one_image_at_a_time() -> None:
    p, t = positives(generator(2), 6)
    p, t = p.reshape(2, 6), t.reshape(2, 6)
    both = torch.vmap(O.silog_loss)(p, t)
    torch.testing.assert_close(both, torch.stack([O.silog_loss(a, b) for a, b in zip(p, t, strict=True)]))


def test_smape_of_nothing_and_of_little() -> None:
    for dtype in (torch.float64, torch.float32, torch.bfloat16, torch.float16):
        tiny = torch.finfo(dtype).smallest_normal
        for p, t in ((0.0, 0.0), (tiny, 0.0), (0.0, tiny), (tiny / 4, 0.0), (tiny, -tiny), (tiny, tiny)):
            y_pred = torch.tensor([p], dtype=dtype, requires_grad=True)
            value = O.smape_loss(y_pred, torch.tensor([t], dtype=dtype))
            (slope,) = torch.autograd.grad(value, y_pred)
            assert 0 <= value.item() <= 2
            assert not slope.isnan().any()
        zero = torch.zeros(1, dtype=dtype, requires_grad=True)
        value = O.smape_loss(zero, zero.detach())
        assert (value.item(), torch.autograd.grad(value, zero)[0].item()) == (0.0, 0.0)


def test_smape_does_not_pull_where_the_target_is_0() -> None:
    p = t64([5.0, -1e-3]).requires_grad_()
    values = O.smape_loss(p, torch.zeros_like(p), reduction="none")
    assert values.tolist() == [2.0, 2.0]
    assert not torch.autograd.grad(values.sum(), p)[0].any()


def test_mape_of_a_target_of_0() -> None:
    p, t = t64([0.5, 3.0]), t64([0.0, 2.0])
    torch.testing.assert_close(O.mape_loss(p, t, reduction="none"), t64([0.5e8, 0.5]))
    assert O.mape_loss(p, t, mask=t != 0) == 0.5


@pytest.mark.parametrize(
    ("loss", "p", "t", "words"),
    [
        (O.msle_loss, [-1.0, 0], [0.0, 0], r"y_pred holds values from -1 to 0, wanted numbers > -1. .*softplus or exp"),
        (O.msle_loss, [0.0, 0], [-2.0, 0], r"y_true holds values from -2 to 0, wanted numbers > -1. .*mask"),
        (O.silog_loss, [0.0, 1], [1.0, 1], r"y_pred holds values from 0 to 1, wanted numbers > 0. .*softplus or exp"),
        (O.silog_loss, [1.0, 1], [-1.0, 1], r"y_true holds values from -1 to 1, wanted numbers > 0. .*mask"),
        (partial(O.silog_loss, lambd=1.5), [1.0], [1.0], r"lambd is 1.5, wanted a number in \[0, 1\]"),
        (partial(O.silog_loss, lambd=math.nan), [1.0], [1.0], "lambd is nan"),
        (partial(O.mape_loss, eps=0.0), [1.0], [1.0], "eps is 0.0, wanted a finite number > 0"),
    ],
)
def test_values_out_of_range(loss, p, t, words) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(ValueError, match=words):
        loss(t64(p), t64(t))


def test_only_live_slots_are_checked() -> None:
    p, t = t64([-5.0, 1.0]), t64([1.0, math.nan])
    alive = torch.tensor([False, True])
    assert O.msle_loss(p, t.flip(0), mask=alive) == 0
    assert O.silog_loss(p, t.flip(0), mask=alive) == 0
    assert MSLELoss()(p.flip(0), t, weight=t64([1.0, 0.0])) == 0
    assert SiLogLoss()(p.flip(0), t, weight=t64([1.0, 0.0])) == 0


def test_integer_targets() -> None:
    counts = torch.tensor([0, 3])
    torch.testing.assert_close(O.msle_loss(t64([1.0, 2.0]), counts), O.msle_loss(t64([1.0, 2.0]), counts.to(F64)))
