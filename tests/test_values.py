"""Numbers: published reference values, plain-loop references, limiting cases, torch's own, known failures elsewhere."""

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
from tests.cases import CASES, GOLDEN, Case, Variant, generator, grid
from tests.cases.base import F64, SEG, K, R, W, X, t64
from tests.references import common as ref
from torchobjectives import functional as O, totals


@pytest.mark.parametrize(
    ("name", "inputs", "hyper", "wanted"), GOLDEN, ids=[f"{i}-{row[0]}" for i, row in enumerate(GOLDEN)]
)
def test_reference_value(name: str, inputs: tuple[Tensor, Tensor], hyper: dict[str, Any], wanted: float) -> None:
    assert getattr(O, name)(*inputs, **hyper).item() == pytest.approx(wanted, rel=2e-9 if wanted else 0, abs=1e-12)


def test_every_loss_has_three_reference_values() -> None:
    names = [row[0] for row in GOLDEN]
    assert not {case.name for case in CASES if case.reference and names.count(case.name) < 3}


def _by_loops(case: Case, variant: Variant, y_pred: Tensor, y_true: Tensor, w: Tensor) -> tuple[Any, float]:
    """None (w·ℓ per unit, or the batch's value) and the mean, by the reference."""
    assert case.reference is not None
    hyper = {k: v.tolist() if isinstance(v, Tensor) else v for k, v in variant.hyper.items()}
    shape = case.units(y_pred, variant)
    full = w.reshape(w.shape + (1,) * (len(shape) - w.ndim)).expand(shape).numpy()
    p, t = y_pred.numpy(), y_true.numpy()
    if case.kind == "batch":
        value = case.reference(p, t, full, **hyper)
        return value, value
    if case.kind == "chosen":
        none, kept = (np.array(x).reshape(shape) for x in case.reference(p, t, full, **hyper))
        return none, float(none.sum() / kept.sum()) if kept.sum() else 0.0
    values, mass = np.zeros(shape), full.copy()
    if case.kind == "counted":
        values = np.array(case.reference(p, t, full, **hyper)).reshape(shape)
    # The axis of one unit last: then a unit's place is the place of its numbers.
    axis = case.axis_of(variant)
    last = (lambda x: np.moveaxis(x, axis, -1)) if axis is not None else (lambda x: x)
    inputs, targets = last(p), last(t) if t.shape == p.shape else t
    weights = hyper.get("class_weight")
    for position in np.ndindex(*shape):
        target = targets[position]
        if case.kind == "unit":
            values[position] = case.reference(inputs[position], target, **hyper)
        if weights is not None:
            mass[position] *= ref.class_mass(target, p.shape[1], weights)
    total_mass = float(mass.sum())
    none = np.where(mass > 0, values * full, 0.0)
    return none, float(none.sum() / total_mass) if total_mass else 0.0


@pytest.mark.parametrize(
    ("case", "variant"),
    [
        pytest.param(c, v, id=name, marks=[] if v is c.variants[0] else [pytest.mark.grid])
        for c, v, name in grid()
        if c.reference is not None
    ],
)
def test_against_plain_loops(case: Case, variant: Variant) -> None:
    loss = case.evaluate(variant)

    @given(st.integers(0, 2**32), st.integers(1, 5), st.booleans())
    def agrees(seed: int, n: int, weighted: bool) -> None:
        y_pred, y_true = variant.sample(generator(seed), n)
        w = torch.rand(n, generator=generator(seed), dtype=F64) + 0.1 if weighted else torch.ones(n, dtype=F64)
        population = {"weight": w} if weighted else {}
        none, mean = _by_loops(case, variant, y_pred, y_true, w)
        np.testing.assert_allclose(loss(y_pred, y_true, **population).numpy(), mean, rtol=1e-9, atol=1e-13)
        found = loss(y_pred, y_true, reduction="none", **population).numpy()
        np.testing.assert_allclose(found, none, rtol=1e-9, atol=1e-13)

    agrees()


def test_adaptive_log_softmax_against_torch_and_the_full_distribution() -> None:
    from torchobjectives import AdaptiveLogSoftmaxLoss

    torch.manual_seed(1)
    loss = AdaptiveLogSoftmaxLoss(in_features=16, num_classes=12, cutoffs=[3, 7], div_value=2.0).double()
    y_pred, y_true = torch.randn(9, 16, dtype=F64), torch.randint(12, (9,))
    torch.testing.assert_close(loss(y_pred, y_true), loss.adaptive(y_pred, y_true).loss)
    by_hand = -torch.log(loss.predict(y_pred)[torch.arange(9), y_true])
    loss.reduction = "none"
    torch.testing.assert_close(loss(y_pred, y_true), by_hand)


PAIRS: list[tuple[str, Callable[..., Tensor], Callable[..., Tensor], str]] = [
    ("mse", O.mse_loss, F.mse_loss, "real"),
    ("l1", O.l1_loss, F.l1_loss, "real"),
    ("smooth l1", O.smooth_l1_loss, F.smooth_l1_loss, "real"),
    ("smooth l1 0.3", partial(O.smooth_l1_loss, beta=0.3), partial(F.smooth_l1_loss, beta=0.3), "real"),
    ("huber", O.huber_loss, F.huber_loss, "real"),
    ("huber 2", partial(O.huber_loss, delta=2.0), partial(F.huber_loss, delta=2.0), "real"),
    ("bce logits", O.binary_cross_entropy_loss, F.binary_cross_entropy_with_logits, "binary"),
    (
        "bce logits, pos_weight",
        partial(O.binary_cross_entropy_loss, pos_weight=torch.tensor([2.0, 0.5, 1.0])),
        partial(F.binary_cross_entropy_with_logits, pos_weight=torch.tensor([2.0, 0.5, 1.0])),
        "binary",
    ),
    (
        "bce probabilities",
        partial(O.binary_cross_entropy_loss, from_logits=False),
        F.binary_cross_entropy,
        "probability",
    ),
    ("cross-entropy", O.cross_entropy_loss, F.cross_entropy, "index"),
    (
        "cross-entropy, smoothed, weighted",
        partial(O.cross_entropy_loss, label_smoothing=0.1, class_weight=torch.tensor([1.0, 2.0, 4.0])),
        partial(F.cross_entropy, label_smoothing=0.1, weight=torch.tensor([1.0, 2.0, 4.0])),
        "index",
    ),
    ("cross-entropy, soft", O.cross_entropy_loss, F.cross_entropy, "soft"),
    ("nll", O.nll_loss, F.nll_loss, "index"),
    (
        "nll, weighted",
        partial(O.nll_loss, class_weight=torch.tensor([1.0, 2.0, 4.0])),
        partial(F.nll_loss, weight=torch.tensor([1.0, 2.0, 4.0])),
        "index",
    ),
    (
        "cosine",
        O.cosine_similarity_loss,
        lambda p, t, reduction="mean": F.cosine_embedding_loss(p, t, torch.ones(len(p)), reduction=reduction),
        "real",
    ),
]


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=str)
@pytest.mark.parametrize(("ours", "theirs", "kind"), [pytest.param(*row[1:], id=row[0]) for row in PAIRS])
def test_torch_parity(
    ours: Callable[..., Tensor], theirs: Callable[..., Tensor], kind: str, dtype: torch.dtype, reduction: str
) -> None:
    rng = generator(0)
    y_pred = torch.randn(50, 3, generator=rng, dtype=dtype)
    y_true = {
        "real": lambda: torch.randn(50, 3, generator=rng, dtype=dtype),
        "binary": lambda: torch.rand(50, 3, generator=rng, dtype=dtype),
        "probability": lambda: torch.rand(50, 3, generator=rng, dtype=dtype),
        "index": lambda: torch.randint(3, (50,), generator=rng),
        "soft": lambda: torch.softmax(torch.randn(50, 3, generator=rng, dtype=dtype), 1),
    }[kind]()
    if kind == "probability":
        y_pred = torch.sigmoid(y_pred)
    as_dtype: Callable[[Callable[..., Tensor]], Callable[..., Tensor]] = lambda loss: (  # noqa: E731
        partial(loss.func, **{k: v.to(dtype) if isinstance(v, Tensor) else v for k, v in loss.keywords.items()})
        if isinstance(loss, partial)
        else loss
    )
    results = []
    for loss in (as_dtype(ours), as_dtype(theirs)):
        leaf = y_pred.clone().requires_grad_()
        value = loss(leaf, y_true, reduction=reduction)
        (slope,) = torch.autograd.grad(value.sum(), leaf)
        results.append((value.detach(), slope))
    ulps = 8 * torch.finfo(dtype).eps
    for a, b in zip(*results, strict=True):
        # The cosine differs by torch's epsilon of 1e-12 under each root.
        torch.testing.assert_close(a, b, rtol=max(ulps, 1e-10), atol=max(4 * torch.finfo(dtype).eps, 1e-11))


def test_torch_parity_with_ignore_index() -> None:
    y_true = torch.tensor([0, -100, 1])
    for ours, theirs in ((O.cross_entropy_loss, F.cross_entropy), (O.nll_loss, F.nll_loss)):
        torch.testing.assert_close(ours(X, y_true), theirs(X, y_true))
        torch.testing.assert_close(ours(X, K, ignore_index=1), theirs(X, K, ignore_index=1))


# Inputs on which other libraries fail, with what is wanted here -------------------------------------------------


def slope_of(loss: Callable[..., Tensor], y_pred: Tensor, *rest: Any, **more: Any) -> tuple[Tensor, Tensor]:
    leaf = y_pred.clone().requires_grad_()
    value = loss(leaf, *rest, **more)
    value.backward()
    assert leaf.grad is not None
    return value.detach(), leaf.grad


@pytest.mark.parametrize("loss", [O.cross_entropy_loss, O.softmax_focal_loss, O.symmetric_cross_entropy_loss])
def test_nothing_counts_is_zero(loss: Callable[..., Tensor]) -> None:
    for more in (
        {"y_true": torch.full((3,), -100)},
        {"y_true": K, "class_weight": t64([0, 0, 1])},
    ):
        value, slope = slope_of(partial(loss, **more), X)
        assert value == 0
        assert not slope.any()


def test_focal_at_confident_logits() -> None:
    value, slope = slope_of(O.focal_loss, t64([20.0]), t64([1.0]), gamma=0.5)
    assert value.item() == pytest.approx(math.sqrt(ref.sigmoid(-20)) * math.log1p(math.exp(-20)), rel=1e-12)
    assert value.item() == pytest.approx(9.36e-14, rel=1e-3)
    assert slope.isfinite().all()
    value32, slope32 = slope_of(O.focal_loss, torch.tensor([20.0]), torch.tensor([1.0]), gamma=0.5)
    torch.testing.assert_close(value32.double(), value, rtol=1e-5, atol=0)
    torch.testing.assert_close(slope32.double(), slope, rtol=1e-5, atol=0)


def test_softmax_focal_in_the_tail() -> None:
    value, slope = slope_of(O.softmax_focal_loss, torch.tensor([[100.0, 0, 0]]), torch.tensor([0]), gamma=0.5)
    assert value == pytest.approx(0, abs=1e-40)
    torch.testing.assert_close(slope, torch.zeros(1, 3))
    # At a gap of 20 in float32 the truth is 2.6e-13; from log-softmax alone it comes out as 0.
    gap = torch.tensor([[20.0, 0, 0]])
    u = math.log1p(2 * math.exp(-20))
    for y_true in (torch.tensor([0]), torch.tensor([[1.0, 0, 0]])):
        value, slope = slope_of(O.softmax_focal_loss, gap, y_true, gamma=0.5)
        assert value.item() == pytest.approx(math.sqrt(-math.expm1(-u)) * u, rel=1e-5)
        assert slope.isfinite().all()
        assert slope[0, 0] < 0


def test_rmse_at_a_perfect_prediction() -> None:
    value, slope = slope_of(O.rmse_loss, R[0], R[0])
    assert value == 0
    assert not slope.any()


def test_shapes_that_torch_broadcasts() -> None:
    with pytest.raises(ValueError, match=r"y_pred has shape \(4, 1\), y_true \(4,\).*y_pred.squeeze\(1\)"):
        O.mse_loss(torch.zeros(4, 1), torch.zeros(4))


def test_dice_on_an_empty_image_never_prefers_the_wrong_answer() -> None:
    y_true = torch.zeros(1, 4, 4, dtype=torch.long)
    wrong = torch.stack([torch.full((1, 4, 4), -9.0), torch.full((1, 4, 4), 9.0)], 1)
    for absent in ("skip", "zero", "count"):
        for smooth in (0.0, 1.0):
            cost = partial(O.dice_loss, absent=absent, smooth=smooth)
            assert cost(-wrong, y_true) <= cost(wrong, y_true)


def test_dice_of_soft_labels_is_least_at_the_label() -> None:
    y_true = torch.full((1, 1, 8), 0.5)
    at_label = O.dice_loss(torch.full((1, 1, 8), 0.5), y_true, from_logits=False)
    assert at_label == 0
    for q in (0.1, 0.4, 0.6, 1.0):
        assert O.dice_loss(torch.full((1, 1, 8), q), y_true, from_logits=False) > 0


def test_focal_alpha_belongs_to_the_positives() -> None:
    zero = t64([0.0])
    assert O.focal_loss(zero, t64([1]), alpha=0.25).item() == pytest.approx(0.0433, abs=1e-4)
    assert O.focal_loss(zero, t64([0]), alpha=0.25).item() == pytest.approx(0.130, abs=1e-3)


# Limiting cases ---------------------------------------------------------------------------------------------------


@given(st.integers(0, 2**32))
def test_limiting_cases(seed: int) -> None:
    rng = generator(seed)
    p, t = torch.randn(6, generator=rng, dtype=F64) * 3, torch.randn(6, generator=rng, dtype=F64)
    z, y = torch.randn(6, generator=rng, dtype=F64) * 4, torch.rand(6, generator=rng, dtype=F64)
    x, k = torch.randn(6, 4, generator=rng, dtype=F64), torch.randint(4, (6,), generator=rng)
    for a, b in (
        (O.focal_loss(z, y, gamma=0.0), O.binary_cross_entropy_loss(z, y)),
        (O.focal_loss(z, y), O.focal_loss(torch.sigmoid(z), y, from_logits=False)),
        (O.softmax_focal_loss(x, k, gamma=0.0), O.cross_entropy_loss(x, k)),
        (O.softmax_focal_loss(x, k, gamma=0.999999999), O.softmax_focal_loss(x, k, gamma=1.0)),
        (O.symmetric_cross_entropy_loss(x, k, alpha=1.0, beta=0.0), O.cross_entropy_loss(x, k)),
        (O.huber_loss(p, t, delta=1e6), O.mse_loss(p, t) / 2),
        (O.smooth_l1_loss(p, t, beta=0.7), O.huber_loss(p, t, delta=0.7) / 0.7),
        (O.barron_loss(p, t, alpha=2 - 1e-12), O.mse_loss(p, t) / 2),
        (O.barron_loss(p, t, alpha=1e-12), O.barron_loss(p, t, alpha=0.0)),
        (O.barron_loss(p, t, alpha=-1e9), O.barron_loss(p, t, alpha=-math.inf)),
        (O.barron_loss(p, t, alpha=t64(2.0)), O.barron_loss(p, t, alpha=2.0)),
        (O.barron_loss(p, t, alpha=t64(0.0)), O.barron_loss(p, t, alpha=0.0)),
        (O.cross_entropy_loss(x + 7, k), O.cross_entropy_loss(x, k)),
        (O.nll_loss(torch.log_softmax(x, 1), k), O.cross_entropy_loss(x, k)),
        (O.cross_entropy_loss(x, F.one_hot(k, 4)), O.cross_entropy_loss(x, k)),
    ):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-12)


def test_barron_learns_its_shape_from_every_special_value() -> None:
    y_pred, y_true = R
    for start in (2.0, 0.0, -2.0, 1.0):
        alpha = t64(start).requires_grad_()
        (slope,) = torch.autograd.grad(O.barron_loss(y_pred, y_true, alpha=alpha), alpha)
        step = 1e-6
        above = O.barron_loss(y_pred, y_true, alpha=start + step)
        below = O.barron_loss(y_pred, y_true, alpha=start - step)
        assert slope.isfinite()
        if start == 2.0:  # there the slope is infinite; what is given is finite and of its sign
            assert slope > 0
        else:
            assert slope.item() == pytest.approx((above - below).item() / (2 * step), rel=1e-6)


@pytest.mark.parametrize("alpha", [-5.0, -2.0, -1.0, 0.0, 1e-3, 0.7, 1.0, 3.0])
@pytest.mark.parametrize("distance", [1e-3, 1.0, 100.0, 1e4])
def test_barron_slopes_at_outliers(alpha: float, distance: float) -> None:
    """dℓ/dd = d·(d²/|α−2| + 1)^(α/2 − 1), also where the value has long been flat."""
    wanted = distance * (distance**2 / abs(alpha - 2) + 1) ** (alpha / 2 - 1)
    for dtype, rtol in ((torch.float64, 1e-12), (torch.float32, 1e-5)):
        d = torch.tensor(distance, dtype=dtype, requires_grad=True)
        (slope,) = torch.autograd.grad(O.barron_loss(d, torch.zeros((), dtype=dtype), alpha=alpha), d)
        assert slope.item() == pytest.approx(wanted, rel=rtol, abs=0)


def test_barron_beyond_the_dtype_is_infinite() -> None:
    y_pred, y_true = torch.tensor([1.0, 2.0]), torch.zeros(2)
    for alpha in (math.inf, -math.inf):
        close = O.barron_loss(y_pred, y_true, alpha=alpha)
        assert torch.equal(O.barron_loss(y_pred, y_true, alpha=math.copysign(1e39, alpha)), close)


@pytest.mark.parametrize("gamma", [0.5, 1.0, 1.5, 1.99, 2.0, 2.5])
@pytest.mark.parametrize("soft", [False, True])
def test_second_slopes_of_softmax_focal_are_finite_where_p_is_1(gamma: float, soft: bool) -> None:
    x = torch.tensor([[200.0, 0.0, 0.0]], requires_grad=True)
    y_true = torch.tensor([[1.0, 0.0, 0.0]]) if soft else torch.tensor([0])
    (slope,) = torch.autograd.grad(O.softmax_focal_loss(x, y_true, gamma=gamma), x, create_graph=True)
    assert not slope.any()
    (second,) = torch.autograd.grad(slope.sum(), x)
    assert second.isfinite().all()


def test_second_slopes_of_cosine_similarity_at_a_zero_vector() -> None:
    zero = torch.zeros(1, 3, requires_grad=True)
    value = O.cosine_similarity_loss(zero, torch.ones(1, 3))
    (slope,) = torch.autograd.grad(value, zero, create_graph=True)
    (second,) = torch.autograd.grad(slope.sum(), zero)
    assert (value.item(), slope.any().item(), second.any().item()) == (1.0, False, False)


def test_pos_weight_broadcasts() -> None:
    y_pred, y_true = torch.randn(2, 3, 4), torch.rand(2, 3, 4)
    for shape in ((), (1,), (4,), (1, 4), (3, 1), (3, 4), (2, 3, 4), (1, 1, 1, 1)):
        pos_weight = torch.rand(shape) + 0.5
        ours = O.binary_cross_entropy_loss(y_pred, y_true, pos_weight=pos_weight)
        wanted = F.binary_cross_entropy_with_logits(
            y_pred, y_true, pos_weight=pos_weight.expand(y_pred.shape) if pos_weight.ndim <= 3 else pos_weight.squeeze()
        )
        torch.testing.assert_close(ours, wanted)
    for wrong in (torch.ones(3), torch.ones(2, 1, 4, 4)):
        with pytest.raises(ValueError, match=r"pos_weight has shape .* must broadcast"):
            O.binary_cross_entropy_loss(y_pred, y_true, pos_weight=wrong)


def test_one_channel_ignores_in_either_shape() -> None:
    y_pred, y_true = torch.randn(2, 1, 5), torch.tensor([[0, 1, 255, 1, 0], [1, 255, 0, 0, 1]])
    flat = O.dice_loss(y_pred, y_true, ignore_index=255)
    assert torch.equal(O.dice_loss(y_pred, y_true.unsqueeze(1), ignore_index=255), flat)


def test_totals_keep_what_a_partial_binds() -> None:
    y_pred, y_true, mask = torch.tensor([1.0, 9.0]), torch.zeros(2), torch.tensor([True, False])
    for loss in (O.huber_loss, torchobjectives.HuberLoss()):
        assert totals(partial(loss, mask=mask), y_pred, y_true) == (0.5, 1.0)
        assert totals(partial(loss, mask=mask), y_pred, y_true, mask=~mask) == (8.5, 1.0)


def test_totals_divide_once_over_unequal_parts() -> None:
    y_pred, y_true = torch.randn(7, 3, dtype=F64), torch.randint(3, (7,))
    loss = partial(O.cross_entropy_loss, class_weight=W)
    parts = [totals(loss, y_pred[a:b], y_true[a:b]) for a, b in ((0, 1), (1, 5), (5, 7))]
    torch.testing.assert_close(sum(p[0] for p in parts) / sum(p[1] for p in parts), loss(y_pred, y_true))


@pytest.mark.parametrize("name", ["rmse_loss", "dice_loss"])
def test_totals_of_one_value_per_batch(name: str) -> None:
    inputs = R if name == "rmse_loss" else SEG
    with pytest.raises(ValueError, match="one value per batch"):
        totals(partial(getattr(O, name), **({"from_logits": False} if name == "dice_loss" else {})), *inputs)


def test_totals_keep_float32_for_half_inputs() -> None:
    # bfloat16 cannot hold 257: the count must not be rounded to the inputs' dtype.
    total, mass = totals(O.mse_loss, torch.ones(257).bfloat16(), torch.zeros(257).bfloat16())
    assert (total, mass) == (257, 257)
    assert mass.dtype is torch.float32


def test_totals_refuse_strangers() -> None:
    with pytest.raises(ValueError, match="as_loss"):
        totals(F.mse_loss, *R)
