"""What a Spec claims of its loss, and what ``predict(calibrated=True)`` promises, by minimising expected losses."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from tests.cases import CASES, Case, Variant, generator, grid
from tests.cases.base import F64
from tests.losses.minimum import minimiser

BINARY_TRUTHS = (0.03, 0.3, 0.5, 0.9)
CLASS_TRUTHS = ((0.2, 0.3, 0.5), (0.05, 0.85, 0.1), (0.6, 0.3, 0.1))
NAMED = [pytest.param(case, id=case.name) for case in CASES]


def _has_expectation(case: Case) -> bool:
    """Whether the expected loss is one over units: not where a unit's loss depends on the rest of its batch."""
    spec = case.spec
    if (spec.task, spec.unit) == ("binary", "sample"):
        return False  # several labels make one unit, and one label of them says nothing
    return spec.task in ("binary", "multiclass") and case.kind == "unit" and spec.y_pred != "features"


def _recoverable(variant: Variant) -> bool:
    hyper = variant.hyper
    weights = hyper.get("class_weight")
    return (
        not variant.hides and hyper.get("from_logits", True) is True and (weights is None or bool((weights > 0).all()))
    )


def _truths(case: Case) -> list[Tensor]:
    if case.spec.task == "binary":
        return [torch.tensor([p], dtype=F64) for p in BINARY_TRUTHS]
    return [torch.tensor(p, dtype=F64) for p in CLASS_TRUTHS]


def _distance(found: Tensor, truth: Tensor) -> float:
    return float((found.flatten() - truth).abs().max())


@pytest.mark.parametrize("case", [pytest.param(c, id=c.name) for c in CASES if _has_expectation(c)])
def test_proper_or_not(case: Case) -> None:
    claims = case.spec.claims
    assert ("proper" in claims) != ("improper" in claims), "a loss for classes says whether it is proper"
    loss = case.make(case.variants[0])
    apart = [_distance(loss.predict(minimiser(loss, truth)), truth) for truth in _truths(case)]
    if "proper" in claims:
        assert max(apart) < 1e-6
    else:
        assert max(apart) > 1e-3


@pytest.mark.parametrize(
    ("case", "variant"),
    [
        pytest.param(case, variant, id=name)
        for case, variant, name in grid()
        if _has_expectation(case) and _recoverable(variant) and (case.spec.proper or case.spec.calibration is not None)
    ],
)
def test_calibrated_recovers_the_truth(case: Case, variant: Variant) -> None:
    loss = case.make(variant)
    for truth in _truths(case):
        found = loss.predict(minimiser(loss, truth), calibrated=True)
        assert _distance(found, truth) < 1e-6, f"for {truth.tolist()}: {found.tolist()}"


@pytest.mark.parametrize("case", NAMED)
def test_calibrated_is_refused_where_no_inverse_is_known(case: Case) -> None:
    if case.spec.proper or case.spec.calibration is not None:
        return
    loss = case.make(case.variants[0])
    y_pred, _ = case.variants[0].sample(generator(0), 2)
    with pytest.raises(ValueError, match="no inverse is known"):
        loss.predict(y_pred, calibrated=True)


@pytest.mark.parametrize("case", [p for p, c in zip(NAMED, CASES, strict=True) if "convex" in c.spec.claims])
def test_convex(case: Case) -> None:
    variant = case.variants[0]
    loss = case.evaluate(variant)
    rng = generator(0)
    for _ in range(50):
        a, y_true = variant.sample(rng, 4)
        b, _ = variant.sample(rng, 4)
        for size in (1.0, 5.0):
            ends = (loss(size * a, y_true) + loss(size * b, y_true)) / 2
            assert loss(size * (a + b) / 2, y_true) <= ends + 1e-12 * (1 + ends.abs())


@pytest.mark.parametrize("case", [p for p, c in zip(NAMED, CASES, strict=True) if "robust" in c.spec.claims])
def test_robust(case: Case) -> None:
    variant = case.variants[0]
    y_pred, y_true = variant.sample(generator(0), 6)
    steepest = []
    for size in (1.0, 1e2, 1e4, 1e6):
        leaf = y_pred.clone().requires_grad_()
        case.evaluate(variant)(leaf, size * y_true, reduction="sum").backward()
        assert leaf.grad is not None
        steepest.append(float(leaf.grad.abs().max()))
    assert max(steepest[2:]) <= 1.001 * max(steepest[:2]) + 1e-9


@pytest.mark.parametrize("case", [p for p, c in zip(NAMED, CASES, strict=True) if "bounded" in c.spec.claims])
def test_bounded(case: Case) -> None:
    variant = case.variants[0]
    y_pred, y_true = variant.sample(generator(0), 30)
    costs = [case.evaluate(variant)(size * y_pred, y_true, reduction="none").max() for size in (1e2, 1e3, 1e4, 1e6)]
    assert max(costs[2:]) <= 1.05 * max(costs[:2])
