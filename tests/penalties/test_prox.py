"""Proximal steps against their definition: the argmin of R(x) + ½ Σ (x − z)²/step."""

import itertools
import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, strategies as st
from scipy.optimize import minimize
from torch import Tensor, nn

from torchobjectives import MSELoss, Objective
from torchobjectives.params._roles import inventory
from torchobjectives.penalties import L1, L2, ElasticNet, GroupLasso, Penalty
from torchobjectives.penalties._prox import Mix, shrink_

DOUBLE = torch.float64
SINGLES = [L1(0.3), L1(0.3, non_negative=True), L2(0.3), ElasticNet(0.3, 0.25), L1(0.0), ElasticNet(0.5, 1), L2(0)]
ANCHORED = [L1(0.3, towards=0.7), L2(0.3, towards=-0.2), ElasticNet(0.4, 0.5, towards=1.0)]
GROUPS = [
    GroupLasso(0.3),
    GroupLasso(0.3, axis="output"),
    GroupLasso(0.2, group_weights="one"),
    GroupLasso(0.3, axis=0),
]


def of_number(penalty: Any, x: np.ndarray) -> np.ndarray:
    """The penalty of single numbers, from its definition."""
    d = x - (penalty.towards or 0)
    match penalty:
        case L1():
            return (
                np.where(x < 0, np.inf, penalty.coefficient * d)
                if penalty.non_negative
                else (penalty.coefficient * np.abs(d))
            )
        case L2():
            return 0.5 * penalty.coefficient * d**2
    r = penalty.l1_ratio
    return penalty.coefficient * (r * np.abs(d) + (1 - r) / 2 * d**2)


@pytest.mark.parametrize("penalty", [*SINGLES, *ANCHORED], ids=repr)
def test_prox_of_numbers_is_the_minimum_on_a_grid(penalty: Penalty) -> None:
    z = torch.tensor([[-2.0, -0.31, 0.0, 0.2], [0.7, 1.0, 1.05, 3.0]], dtype=DOUBLE)
    grid = np.linspace(-4, 4, 80_001)  # holds 0 and the anchors
    for step in (0.01, 1.0, 5.0, torch.tensor(0.5, dtype=DOUBLE), torch.rand(2, 4, dtype=DOUBLE) * 3 + 0.01):
        got = penalty.prox(z, step)
        steps = torch.as_tensor(step, dtype=DOUBLE).expand(2, 4)
        for point, size, x in zip(z.ravel().tolist(), steps.ravel().tolist(), got.ravel().tolist(), strict=True):
            values = of_number(penalty, grid) + (grid - point) ** 2 / (2 * size)
            assert abs(x - grid[values.argmin()]) <= 1e-4
            mine = of_number(penalty, np.array(x)) + (x - point) ** 2 / (2 * size)
            assert mine <= values.min() + 1e-12


@pytest.mark.parametrize("penalty", ANCHORED[::2], ids=repr)
def test_prox_reaches_the_anchor_exactly(penalty: Any) -> None:
    assert (penalty.prox(torch.full((2, 2), penalty.towards + 1e-3), 1.0) == penalty.towards).all()


@pytest.mark.parametrize("penalty", GROUPS, ids=repr)
@pytest.mark.parametrize("metric", [False, True])
def test_prox_of_groups_is_what_a_general_minimiser_finds(penalty: Any, metric: bool) -> None:
    generator = torch.Generator().manual_seed(3)
    z = torch.randn(3, 4, dtype=DOUBLE, generator=generator)
    z[:, 1] *= 1e-2
    step = torch.rand(3, 4, dtype=DOUBLE, generator=generator) * 2 + 0.05 if metric else torch.tensor(0.7, dtype=DOUBLE)
    got = penalty.prox(z, step)

    def whole(x: np.ndarray) -> float:
        layer = nn.Linear(4, 3, bias=False).double()
        layer.weight.data = torch.as_tensor(x).reshape(3, 4)
        return float((penalty.value(layer) + ((layer.weight - z) ** 2 / (2 * step)).sum()).detach())

    found = minimize(whole, got.numpy().ravel() + 1e-3, method="Powell", options={"xtol": 1e-8, "ftol": 1e-14})
    assert whole(got.numpy()) <= found.fun + 1e-12
    assert excess(penalty, z, step, got) <= 1e-7


def groups_of(penalty: Any, shape: torch.Size) -> list[tuple[Any, ...]]:
    rows, columns = shape
    if penalty.axis == "input":
        return [(slice(None), j) for j in range(columns)]
    return [(i, slice(None)) for i in range(rows)]


def excess(penalty: Any, z: Tensor, step: Tensor, x: Tensor) -> float:
    """How far the conditions of the (only) minimum are from met, relative to the numbers at hand."""
    step = step.expand_as(z)
    worst = 0.0
    for group in groups_of(penalty, z.shape):
        point, size, new = z[group], step[group], x[group]
        bound = penalty.coefficient * (math.sqrt(len(point)) if penalty.group_weights == "sqrt_size" else 1.0)
        if not new.any():
            worst = max(worst, float((point / size).norm()) / bound - 1 if bound else float(point.abs().max()))
        else:
            rest = new - point + size * bound * new / new.norm()
            worst = max(worst, float((rest / (point.abs() + 1e-300)).abs().max()))
    return worst


magnitudes = st.integers(-60, 60).map(lambda power: 10.0**power)
signed = st.builds(
    lambda sign, digit, size: sign * digit * size, st.sampled_from([-1, 0, 1]), st.floats(1, 9), magnitudes
)


@given(
    weights=st.lists(signed, min_size=1, max_size=6),
    steps=st.lists(magnitudes, min_size=6, max_size=6),
    coefficient=st.sampled_from([0.0, 1e-30, 0.3, 1e30]),
)
def test_groups_in_any_metric(weights: list[float], steps: list[float], coefficient: float) -> None:
    penalty = GroupLasso(coefficient)
    z = torch.tensor(weights, dtype=DOUBLE)[:, None]
    step = torch.tensor(steps[: len(weights)], dtype=DOUBLE)[:, None]
    got = penalty.prox(z, step)
    assert got.isfinite().all()
    assert (got * z >= 0).all()
    assert (got.abs() <= z.abs() * (1 + 1e-12)).all()
    assert excess(penalty, z, step, got) <= 1e-7
    # One weight per group is a soft threshold.
    alone = GroupLasso(coefficient).prox(z.T, step.T)
    torch.testing.assert_close(alone, L1(coefficient).prox(z.T, step.T), rtol=1e-9, atol=0)


@given(
    weights=st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=1, max_size=6),
    steps=st.lists(st.floats(0, float(np.float32(1e30)), width=32), min_size=6, max_size=6),
    factors=st.tuples(*[st.sampled_from([0.0, 1e-30, 0.3, 10.0])] * 3),
    non_negative=st.booleans(),
    per_weight=st.booleans(),
)
def test_never_nan(
    weights: list[float], steps: list[float], factors: tuple[float, ...], non_negative: bool, per_weight: bool
) -> None:
    """Single precision, all of its range, steps of 0 (a learning rate that has run out) too."""
    groups = GroupLasso(1.0).groups_of(entry_of(nn.Linear(1, len(weights), bias=False)))
    weight = torch.tensor(weights)[:, None]
    step: Any = torch.tensor(steps[: len(weights)])[:, None] if per_weight else min(steps[0], 1e5)
    shrink_(weight, Mix(*factors, non_negative), step, groups)
    assert not weight.isnan().any()


def entry_of(model: nn.Module) -> Any:
    return inventory(model)[0]


@pytest.mark.parametrize("penalty", [*SINGLES, *GROUPS], ids=repr)
@pytest.mark.parametrize("step", [0.5, torch.full((3, 2), 0.5)], ids=["number", "metric"])
def test_nan_stays_nan(penalty: Any, step: Any) -> None:
    z = torch.ones(3, 2)
    z[1, 0] = math.nan
    assert penalty.prox(z, step)[1, 0].isnan()


@pytest.mark.parametrize("penalty", [*SINGLES, *ANCHORED, *GROUPS], ids=repr)
def test_what_prox_returns(penalty: Any) -> None:
    z = torch.randn(3, 4)
    kept = z.clone()
    equal = torch.full((3, 4), 0.4)
    torch.testing.assert_close(penalty.prox(z, 0.4), penalty.prox(z, equal))
    torch.testing.assert_close(penalty.prox(z, 0.4), penalty.prox(z, torch.tensor(0.4)))
    assert torch.equal(z, kept)
    turned = penalty.prox(z.T.contiguous().T, 0.4)  # columns first in memory
    assert torch.equal(turned, penalty.prox(z, 0.4))
    for dtype in (torch.bfloat16, torch.float16):
        half = penalty.prox(z.to(dtype), 0.4)
        assert half.dtype == dtype
        assert torch.equal(half, penalty.prox(z.to(dtype).float(), 0.4).to(dtype))
    for empty in (torch.zeros(0, 4), torch.zeros(3, 0)):
        assert penalty.prox(empty, 0.4).shape == empty.shape
    assert not penalty.prox(torch.zeros(3, 4), equal).any() or penalty.towards


def test_prox_of_a_number_and_a_vector() -> None:
    for penalty in (L1(0.3), GroupLasso(0.3)):
        assert penalty.prox(torch.tensor(1.0), 1.0).item() == pytest.approx(0.7)
        torch.testing.assert_close(penalty.prox(torch.tensor([1.0, -0.2]), 1.0), torch.tensor([0.7, 0.0]))


@pytest.mark.parametrize("metric", [False, True])
@pytest.mark.parametrize("non_negative", [False, True])
def test_a_sum_of_penalties_on_one_tensor(metric: bool, non_negative: bool) -> None:
    """Sparse groups, with an elastic net: no x nearby is better than the one step."""
    generator = torch.Generator().manual_seed(5)
    mix = Mix(l1=0.5, l2=0.5, group=0.3, non_negative=non_negative)
    z = torch.randn(4, 3, dtype=DOUBLE, generator=generator)
    step = torch.rand(4, 3, dtype=DOUBLE, generator=generator) * 2 + 0.05 if metric else torch.tensor(0.7, dtype=DOUBLE)
    x = z.clone()
    shrink_(x, mix, step, GroupLasso(1.0).groups_of(entry_of(nn.Linear(3, 4))))
    assert (x == 0).any()

    def whole(x: Tensor) -> Tensor:
        inside = (x >= 0).flatten(1).all(1) if non_negative else torch.ones(len(x), dtype=torch.bool)
        groups = 2 * x.norm(dim=1).sum(-1)
        value = mix.l1 * x.abs().sum((1, 2)) + mix.l2 / 2 * x.square().sum((1, 2)) + mix.group * groups
        return torch.where(inside, value + ((x - z) ** 2 / (2 * step)).sum((1, 2)), math.inf)

    best = whole(x[None])
    for size in (1e-1, 1e-3, 1e-5):
        near = x + size * torch.randn(20_000, 4, 3, dtype=DOUBLE, generator=generator)
        for other in (near, torch.where(x == 0, 0.0, near), near.clamp(min=0)):
            assert (whole(other) >= best - 1e-14).all()
    # The definition is strongly convex: every single coordinate and group at its own minimum is the minimum.
    for i, j in itertools.product(range(4), range(3)):
        moved = x.repeat(2001, 1, 1)
        moved[:, i, j] += torch.linspace(-1, 1, 2001, dtype=DOUBLE)
        assert whole(moved).min() >= best - 1e-14


def test_wrong_arguments_of_prox() -> None:
    w = torch.ones(2, 2)
    for wrong in (0, -1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="step"):
            L1(0.1).prox(w, wrong)
    with pytest.raises(TypeError, match="step"):
        L1(0.1).prox(w, "1")
    with pytest.raises(ValueError, match=r"step has shape \(3,\), weight \(2, 2\): give a number > 0"):
        L1(0.1).prox(w, torch.ones(3))
    for step in (torch.tensor([[1.0, 1], [1, -1]]), torch.tensor(math.nan)):
        with pytest.raises(ValueError, match="step holds a number that is not > 0"):
            GroupLasso(0.1).prox(w, step)
    for weight in ([1.0], torch.ones(2, 2, dtype=torch.int64), torch.ones(2, 2, dtype=torch.complex64)):
        with pytest.raises(TypeError, match="weight must be a tensor of real floating-point numbers, got"):
            L1(0.1).prox(weight, 1.0)
    with pytest.raises(ValueError, match="needs the name of the tensor"):
        L1(0.1, towards={"weight": w}).prox(w, 1.0)
    with pytest.raises(ValueError, match="or the number of the step"):
        L1(lambda step: 0.1).prox(w, 1.0)
    with pytest.raises(ValueError, match="non_negative=True or towards=, not both"):
        L1(0.1, non_negative=True, towards=1.0)
    with pytest.raises(ValueError, match=r"has 2 axes, so no axis 2: wanted -2 to 1, 'input' or 'output'"):
        GroupLasso(0.1, axis=2).prox(w, 1.0)
    with pytest.raises(ValueError, match=r"has 0 axes, so no axis 0: wanted 'input' or 'output'"):
        GroupLasso(0.1, axis=0).prox(torch.tensor(1.0), 1.0)


def test_wrong_anchors() -> None:
    model = nn.Linear(2, 1)
    with pytest.raises(ValueError, match=r"towards has no weights for 'weight'. Did you mean 'wieght'"):
        L2(0.1, towards={"wieght": torch.zeros(1, 2)}).value(model)
    with pytest.raises(ValueError, match=r"towards has shape \(2, 1\) for 'weight', the parameter \(1, 2\)"):
        L2(0.1, towards={"weight": torch.zeros(2, 1)}).value(model)
    for strange in (torch.tensor(1.0), "1", [1.0]):
        with pytest.raises(TypeError, match="towards must be a number, a dict of tensors by name, or a model"):
            L2(0.1, towards=strange)
    with pytest.raises(TypeError, match="towards must map names of parameters to tensors"):
        L2(0.1, towards={"weight": 1.0})
    with pytest.raises(ValueError, match="towards"):
        L2(0.1, towards=math.nan)


def test_anchors_are_copies_and_pull_to_where_they_were() -> None:
    model = nn.Linear(3, 2).double()
    penalties = [L1(0.5, towards=model), GroupLasso(0.5, towards=model.state_dict())]
    objective = Objective(MSELoss(), penalties)
    start = model.weight.detach().clone()
    assert objective.penalties["l1"].value(model) == 0
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with torch.no_grad():
        model.weight.add_(torch.tensor([[3.0, 0.01, 0.0], [4.0, 0.0, 0.01]], dtype=DOUBLE))
    assert objective.penalties["l1"].value(model).item() == pytest.approx(0.5 * 7.02)
    assert objective.penalties["group_lasso"].value(model).item() == pytest.approx(0.5 * math.sqrt(2) * 5.02)
    objective.attach(optimizer, model)
    model.weight.grad = torch.zeros_like(model.weight)
    optimizer.step()
    assert torch.equal(model.weight[:, 1:], start[:, 1:])
    d = torch.tensor([3.0, 4.0], dtype=DOUBLE) - 0.05
    torch.testing.assert_close(model.weight[:, 0], start[:, 0] + d * (1 - 0.05 * math.sqrt(2) / d.norm()))
