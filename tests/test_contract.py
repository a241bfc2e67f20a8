"""Every loss of the table against every property; exemptions are declared in its Spec and must be needed."""

from __future__ import annotations

from collections.abc import Callable, Container
from dataclasses import replace
from functools import partial
from typing import Any

import pytest
import torch
from hypothesis import given, strategies as st

from tests import properties
from tests.cases import BY_NAME, CASES, Case, Variant, generator, grid
from tests.cases.base import WEIGHTS
from tests.properties import Subject
from torchobjectives import _exports
from torchobjectives._registry import loss_names

GRID = [pytest.param(case, variant, id=name) for case, variant, name in grid()]
# What takes long runs on each change for the usual setting of every loss, and for all settings with --all.
USUAL = [
    pytest.param(case, variant, id=name, marks=[] if variant is case.variants[0] else [pytest.mark.grid])
    for case, variant, name in grid()
]
# One per family and one of each awkward kind (state, learnable, one value per batch, the class axis).
REPRESENTATIVES = {
    "mse_loss",
    "rmse_loss",
    "barron_loss",
    "msle_loss",
    "ccc_loss",
    "quantile_loss",
    "gaussian_nll_loss",
    "ghmc_loss",
    "focal_loss",
    "soft_fbeta_loss",
    "cross_entropy_loss",
    "softmax_focal_loss",
    "ohem_loss",
    "confidence_penalty_loss",
    "multi_margin_loss",
    "balanced_softmax_loss",
    "gce_loss",
    "dice_loss",
}

# For the default compiler, which takes ten seconds per loss.
MADE = {"cross_entropy_loss", "mse_loss", "soft_fbeta_loss"}


def representative(chosen: Container[str]) -> list[Any]:
    """The usual setting of the chosen losses."""
    return [pytest.param(case, case.variants[0], id=case.name) for case in CASES if case.name in chosen]


Record = Callable[[str, object], None]


def test_the_table_is_complete() -> None:
    assert sorted(BY_NAME) == sorted(_exports.LOSSES) == loss_names()


def _checked(record: Record, case: Case, variant: Variant, what: str, check: Callable[[], None]) -> None:
    """Run a check; where the loss is exempt the check must fail, or the exemption is not needed."""
    reason = case.spec.exemptions.get(what, "")
    record("guarantee", (case.name, what, reason))
    if not reason or what in variant.keeps:
        check()
        return
    with pytest.raises(Exception):  # noqa: B017, PT011 - however it fails
        check()


@pytest.mark.parametrize("law", properties.LAWS)
@pytest.mark.parametrize(("case", "variant"), USUAL)
def test_law(record_property: Record, case: Case, variant: Variant, law: str) -> None:
    subject = Subject.of(case, variant)

    @given(st.integers(0, 2**32))
    def holds(seed: int) -> None:
        properties.LAWS[law](subject, generator(seed))

    _checked(record_property, case, variant, law, holds)


@pytest.mark.parametrize("dtype", properties.DTYPES, ids=str)
@pytest.mark.parametrize(("case", "variant"), USUAL)
def test_degenerate(case: Case, variant: Variant, dtype: torch.dtype) -> None:
    properties.degenerate(Subject.of(case, variant), dtype)


@pytest.mark.parametrize(("case", "variant"), GRID)
def test_nan_in_a_live_slot_stays(case: Case, variant: Variant) -> None:
    properties.hides_no_nan(Subject.of(case, variant))


@pytest.mark.parametrize(("case", "variant"), USUAL)
@pytest.mark.parametrize("what", ["gradcheck", "gradgradcheck", "func_grad", "vmap"])
def test_autograd(record_property: Record, case: Case, variant: Variant, what: str) -> None:
    subject = Subject.of(case, variant)
    _checked(record_property, case, variant, what, lambda: getattr(properties, what)(subject))


@pytest.mark.parametrize("weighted", [False, True], ids=["plain", "class_weight"])
@pytest.mark.parametrize(
    ("case", "variant"),
    [
        pytest.param(case, case.variants[0], id=case.name)
        for case in CASES
        if case.spec.y_true == "classes" and case.spec.y_pred != "features"
    ],
)
def test_vmap_over_samples_with_a_class_each(case: Case, variant: Variant, weighted: bool) -> None:
    subject = Subject.of(case, variant)
    if weighted:
        subject = properties.with_evaluate(subject, partial(subject.evaluate, class_weight=WEIGHTS))

    def of_one_pixel(rng: torch.Generator, n: int) -> tuple[torch.Tensor, torch.Tensor]:
        y_pred, y_true = subject.sample(rng, n)
        return (y_pred[..., 0], y_true[..., 0]) if y_pred.ndim > 2 else (y_pred, y_true)

    properties.vmap_over_samples(replace(subject, sample=of_one_pixel))


@pytest.mark.parametrize(("case", "variant"), representative(REPRESENTATIVES))
def test_traced_in_one_graph(record_property: Record, case: Case, variant: Variant) -> None:
    subject = Subject.of(case, variant)
    _checked(record_property, case, variant, "compile", lambda: properties.compiles(subject, "eager"))


@pytest.mark.parametrize(("case", "variant"), GRID)
@pytest.mark.grid
def test_compile(record_property: Record, case: Case, variant: Variant) -> None:
    subject = Subject.of(case, variant)
    _checked(record_property, case, variant, "compile", lambda: properties.compiles(subject, "aot_eager"))


@pytest.mark.parametrize(("case", "variant"), representative(MADE))
def test_compile_with_the_default_compiler(record_property: Record, case: Case, variant: Variant) -> None:
    subject = Subject.of(case, variant)
    _checked(record_property, case, variant, "compile", lambda: properties.compiles(subject, "inductor"))


@pytest.mark.parametrize(("case", "variant"), GRID)
def test_dtypes(record_property: Record, case: Case, variant: Variant) -> None:
    record_property("guarantee", (case.name, "dtypes", ""))
    properties.dtypes(Subject.of(case, variant))


@pytest.mark.parametrize(("case", "variant"), GRID)
def test_pure(record_property: Record, case: Case, variant: Variant) -> None:
    record_property("guarantee", (case.name, "pure", ""))
    properties.pure(Subject.of(case, variant))


@pytest.mark.parametrize(("case", "variant"), USUAL)
def test_reads_no_value(record_property: Record, case: Case, variant: Variant) -> None:
    subject = Subject.of(case, variant)
    # What cannot be compiled in one graph depends on values: the same exemption, for the same reason.
    reason = case.spec.exemptions.get("compile", "")
    record_property("guarantee", (case.name, "no_read", reason))
    if reason:
        pytest.skip(reason)

    def with_hyper(hyper: dict[str, Any]) -> Callable[..., torch.Tensor]:
        evaluate = subject.evaluate
        assert isinstance(evaluate, partial)
        return partial(evaluate.func, **hyper)

    properties.reads_nothing(subject, with_hyper)


@pytest.mark.parametrize(("case", "variant"), GRID)
def test_wrong_input(case: Case, variant: Variant) -> None:
    properties.rejects_shapes(Subject.of(case, variant))
