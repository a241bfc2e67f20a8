"""What the Specs of the losses of numbers claim: convex and robust hold where claimed, and fail where not."""

from __future__ import annotations

import pytest
import torch

from tests.cases import CASES, Case, generator
from tests.cases.base import rand, randn

MODULES = ("regression", "robust", "relative")
ELEMENTWISE = [
    case
    for case in CASES
    if case.loss_class.__module__.rsplit(".", 1)[1] in MODULES and case.kind == "unit" and case.unit_axis is None
]


@pytest.mark.parametrize("case", ELEMENTWISE, ids=lambda case: case.name)
def test_convex_where_claimed(case: Case) -> None:
    """The value half-way is at most the mean of the ends."""
    rng, loss = generator(1), case.loss_class(reduction="none")
    y_true = randn(rng, 4000).abs() + 0.5
    a, b = 40 * rand(rng, 4000) - 0.5, 40 * rand(rng, 4000) - 0.5
    gap = loss(a, y_true) / 2 + loss(b, y_true) / 2 - loss((a + b) / 2, y_true)
    assert bool((gap >= -1e-9).all()) == ("convex" in case.spec.claims)


@pytest.mark.parametrize("case", ELEMENTWISE, ids=lambda case: case.name)
def test_robust_where_claimed(case: Case) -> None:
    """One wild target among others pulls with a bounded force, however wild and wherever the prediction is."""
    loss = case.loss_class(reduction="sum")
    size = torch.logspace(-10, 10, 201, dtype=torch.float64)
    y_true = torch.cat([size, -size]) if case.spec.true_domain.low < -1 else size
    slopes = []
    for y_pred in (y_true.sign() / 2, 0.1 * y_true, y_true + y_true.abs().flip(0).clamp(max=1e3)):
        leaf = y_pred.clone().requires_grad_()
        slopes.append(torch.autograd.grad(loss(leaf, y_true), leaf)[0].abs().max())
    assert bool(max(slopes) < 10) == ("robust" in case.spec.claims)
