"""Each generic property must reject at least one deliberately wrong loss, or it proves nothing.

The mutants are squared or logistic losses with one fault each; ``sound`` is the loss that all must accept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
from torch import Tensor

from tests import properties
from tests.cases.base import generator, hard_binary, reals
from tests.properties import Subject
from torchobjectives._reduction import TOTALS, full_precision, prepare, reduce


def _squared(
    fault: Callable[[Tensor, Tensor], Tensor] | None = None,
    reduction_fault: Callable[..., Tensor] = reduce,
    prepare_fault: Callable[..., Any] = prepare,
    precision: Callable[[Callable[..., Tensor]], Callable[..., Tensor]] = full_precision,
) -> Callable[..., Tensor]:
    """A squared error with one part exchanged."""

    def loss(
        y_pred: Tensor,
        y_true: Tensor,
        *,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        reduction: Any = "mean",
    ) -> Tensor:
        y_pred, y_true, w = prepare_fault(y_pred, y_true, weight, mask)
        values = (y_pred - y_true) ** 2 if fault is None else fault(y_pred, y_true)
        return reduction_fault(values, w, reduction)

    return precision(loss)


def divides_by_n(values: Tensor, w: Tensor | None, reduction: str) -> Tensor:
    if w is not None and reduction == "mean":
        return (values * w).sum() / max(values.numel(), 1)
    return reduce(values, w, reduction)  # type: ignore[arg-type]


def plain_mean(values: Tensor, w: Tensor | None, reduction: str) -> Tensor:
    return values.mean() if w is None and reduction == "mean" else reduce(values, w, reduction)  # type: ignore[arg-type]


def unweighted_none(values: Tensor, w: Tensor | None, reduction: str) -> Tensor:
    return values if reduction == "none" else reduce(values, w, reduction)  # type: ignore[arg-type]


def weights_squared(values: Tensor, w: Tensor | None, reduction: str) -> Tensor:
    return reduce(values if w is None else values * w, w, reduction)  # type: ignore[arg-type]


def mean_of_means(values: Tensor, w: Tensor | None, reduction: Any) -> Tensor:
    if reduction is TOTALS:
        return torch.stack((reduce(values, w, "mean"), values.new_ones(())))
    return reduce(values, w, reduction)


def masks_afterwards(y_pred: Tensor, y_true: Tensor, weight: Tensor | None, mask: Tensor | None) -> Any:
    _, _, w = prepare(y_pred, y_true, weight, mask)
    return y_pred, y_true.to(y_pred.dtype), w


def unchecked(y_pred: Tensor, y_true: Tensor, weight: Tensor | None, mask: Tensor | None) -> Any:
    return y_pred, y_true, weight


def by_position(y_pred: Tensor, y_true: Tensor) -> Tensor:
    place = torch.arange(1.0, len(y_pred) + 1, dtype=y_pred.dtype).reshape(-1, *(1,) * (y_pred.ndim - 1))
    return (y_pred - y_true) ** 2 * place


def root_at_zero(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return ((y_pred - y_true) ** 2).sqrt()


def overflowing(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return torch.log(torch.cosh(y_pred - y_true))


def hides_nan(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return ((y_pred - y_true) ** 2).nan_to_num(0.0)


def writes_to_input(y_pred: Tensor, y_true: Tensor) -> Tensor:
    y_true.clamp_(-0.5, 0.5)
    return (y_pred - y_true) ** 2


def draws(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred - y_true + 0 * torch.rand_like(y_pred)) ** 2


def turns_grad_on(y_pred: Tensor, y_true: Tensor) -> Tensor:
    torch.set_grad_enabled(True)
    return (y_pred - y_true) ** 2


def reads(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred - y_true) ** 2 if (y_true < 1e9).all() else y_pred


def half_detached(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (y_pred - y_true) * (y_pred - y_true).detach()


class _Once(torch.autograd.Function):
    """A square whose backward is right and whose second derivative is silently 0."""

    generate_vmap_rule = True

    @staticmethod
    def forward(d: Tensor) -> Tensor:
        return d**2

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(inputs[0])

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> Tensor:
        return slopes[0] * 2 * ctx.saved_tensors[0].detach()

    @staticmethod
    def jvp(ctx: Any, *tangents: Tensor) -> Tensor:
        return torch.zeros_like(tangents[0])


def once_differentiable(y_pred: Tensor, y_true: Tensor) -> Tensor:
    d: Tensor = _Once.apply(y_pred - y_true)
    return d


def in_half(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return loss


def always_float32(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda y_pred, y_true, **more: loss(y_pred.float(), y_true.float(), **more).to(y_pred.dtype)


def forgets_dtype(loss: Callable[..., Tensor]) -> Callable[..., Tensor]:
    return lambda y_pred, y_true, **more: full_precision(loss)(y_pred.float(), y_true.float(), **more)


SOUND = _squared()

REJECTED: list[tuple[str, str, Callable[..., Tensor]]] = [
    ("permutation", "depends on the position", _squared(by_position)),
    ("sum", "none without weights", _squared(reduction_fault=unweighted_none)),
    ("duplication", "divides by N", _squared(reduction_fault=divides_by_n)),
    ("duplication", "weights twice", _squared(reduction_fault=weights_squared)),
    ("removal", "divides by N", _squared(reduction_fault=divides_by_n)),
    ("removal", "masks after the maths", _squared(prepare_fault=masks_afterwards)),
    ("scaling", "divides by N", _squared(reduction_fault=divides_by_n)),
    ("micro_batch", "mean of means", _squared(reduction_fault=mean_of_means)),
    ("degenerate", "NaN for an empty batch", _squared(reduction_fault=plain_mean)),
    ("degenerate", "root at 0", _squared(root_at_zero)),
    ("degenerate", "overflows", _squared(overflowing)),
    ("degenerate", "masks after the maths", _squared(prepare_fault=masks_afterwards)),
    ("hides_no_nan", "hides NaN", _squared(hides_nan)),
    ("gradcheck", "detaches half", _squared(half_detached)),
    ("gradgradcheck", "second derivative 0", _squared(once_differentiable)),
    ("func_grad", "forward derivative 0", _squared(once_differentiable)),
    ("vmap", "reads a value", _squared(reads)),
    ("vmap_over_samples", "reads a value", _squared(reads)),
    ("compiles", "reads a value", _squared(reads)),
    ("reads_nothing", "reads a value", _squared(reads)),
    ("dtypes", "computes in half", _squared(precision=in_half)),
    ("dtypes", "truncates float64", _squared(precision=always_float32)),
    ("dtypes", "forgets the dtype", _squared(precision=forgets_dtype)),
    ("pure", "writes to y_true", _squared(writes_to_input)),
    ("pure", "draws random numbers", _squared(draws)),
    ("pure", "turns gradients on", _squared(turns_grad_on)),
    ("rejects_shapes", "broadcasts", _squared(prepare_fault=unchecked)),
]


def _run(what: str, loss: Callable[..., Tensor]) -> None:
    subject = Subject(loss, reals)
    if what in properties.LAWS:
        properties.LAWS[what](subject, generator(0))
    elif what == "degenerate":
        for dtype in properties.DTYPES:
            properties.degenerate(subject, dtype)
    elif what == "compiles":
        properties.compiles(subject, "aot_eager")
    elif what == "reads_nothing":
        properties.reads_nothing(subject, lambda hyper: partial(loss, **hyper))
    else:
        getattr(properties, what)(subject)


@pytest.mark.parametrize(("what", "loss"), [pytest.param(w, f, id=f"{w}: {name}") for w, name, f in REJECTED])
def test_the_mutant_is_rejected(what: str, loss: Callable[..., Tensor]) -> None:
    try:
        with pytest.raises((AssertionError, RuntimeError, ValueError, TypeError, pytest.fail.Exception)):
            _run(what, loss)
    finally:
        torch.set_grad_enabled(True)


@pytest.mark.parametrize("what", sorted({what for what, _, _ in REJECTED}))
def test_the_sound_loss_is_accepted(what: str) -> None:
    _run(what, SOUND)


def test_every_property_has_a_mutant() -> None:
    checks = {*properties.LAWS, "degenerate", "hides_no_nan", "rejects_shapes"}
    checks |= {
        "gradcheck",
        "gradgradcheck",
        "func_grad",
        "vmap",
        "vmap_over_samples",
        "compiles",
        "dtypes",
        "pure",
        "reads_nothing",
    }
    assert checks == {what for what, _, _ in REJECTED}


def test_a_naive_binary_loss_fails_at_extremes() -> None:
    def naive(y_pred: Tensor, y_true: Tensor, **more: Any) -> Tensor:
        y_pred, y_true, w = prepare(y_pred, y_true, more.pop("weight", None), more.pop("mask", None))
        p = torch.sigmoid(y_pred)
        return reduce(-(y_true * p.log() + (1 - y_true) * (1 - p).log()), w, more.pop("reduction", "mean"))

    with pytest.raises(AssertionError):
        properties.degenerate(Subject(full_precision(naive), hard_binary, y_pred="logits"), torch.float64)
