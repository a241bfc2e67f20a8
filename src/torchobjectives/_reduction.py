"""The reduction algebra: the one owner of weight, mask, precision and denominator.

A loss function reads ``prepare``, its maths, ``reduce``, under the decorator :func:`full_precision`.
Between the two calls it sees plain numbers in float32 or float64, one value per unit to make, and no
masked slot: dead slots hold legal numbers, so that neither value nor gradient can see what was there.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Literal, TypeVar, cast

import torch
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._link import REAL, Domain

Reduction = Literal["mean", "sum", "none"]
REDUCTIONS: Final = ("mean", "sum", "none")
F = TypeVar("F", bound=Callable[..., Tensor])


class _Totals:
    """The private fourth reduction behind :func:`totals`: numerator and denominator, not yet divided."""

    def __repr__(self) -> str:
        return "totals"


TOTALS: Final = _Totals()


def full_precision(function: F) -> F:
    """Evaluate a loss function with autocast off and half inputs in float32; restore the dtype.

    The result has the promoted dtype of the inputs, and float32 where autocast was on, as torch's.
    """

    @functools.wraps(function)
    def evaluate(y_pred: Tensor, y_true: Tensor, **arguments: Any) -> Tensor:
        _validate.tensor("y_pred", y_pred)
        _validate.tensor("y_true", y_true)
        reduction = arguments.get("reduction", "mean")
        if reduction not in REDUCTIONS and reduction is not TOTALS:
            _validate.choice("reduction", reduction, REDUCTIONS)
        autocast = autocast_enabled(y_pred.device.type)
        half = _is_half(y_pred) or _is_half(y_true)
        if not (half or autocast):
            return function(y_pred, y_true, **arguments)
        with without_autocast(y_pred.device.type):
            value = function(widened(y_pred), widened(y_true), **arguments)
        if autocast or reduction is TOTALS:
            return value
        return value.to(_result_dtype(y_pred, y_true))

    evaluate.in_contract = True  # type: ignore[attr-defined]
    # A code object of its own, under the loss's own name: torch.compile counts recompilations per code object.
    evaluate.__code__ = evaluate.__code__.replace(co_name=function.__name__)  # type: ignore[attr-defined]
    return cast(F, evaluate)


def autocast_enabled(device_type: str) -> bool:
    """Whether autocast is on for a kind of device; False where autocast does not exist (meta)."""
    return torch.amp.is_autocast_available(device_type) and torch.is_autocast_enabled(device_type)


def without_autocast(device_type: str) -> AbstractContextManager[Any]:
    """A block in which nothing is rounded to half precision on its own."""
    return torch.autocast(device_type, enabled=False) if autocast_enabled(device_type) else nullcontext()


def _is_half(values: Tensor) -> bool:
    return values.dtype.itemsize < 4 and values.is_floating_point()


def widened(values: Tensor) -> Tensor:
    """Half-precision numbers as float32; anything else as it is."""
    return values.float() if _is_half(values) else values


def _result_dtype(y_pred: Tensor, y_true: Tensor) -> torch.dtype:
    return torch.promote_types(y_pred.dtype, y_true.dtype) if y_true.is_floating_point() else y_pred.dtype


def prepare(
    y_pred: Tensor,
    y_true: Tensor,
    weight: Tensor | None,
    mask: Tensor | None,
    *,
    pred: Domain = REAL,
    true: Domain = REAL,
    unit_axis: int | None = None,
) -> tuple[Tensor, Tensor, Tensor | None]:
    """Check a pair of equal shape, give both one dtype, fill dead slots; return them with the unit weights.

    Args:
        y_pred: the prediction.
        y_true: the target, of the same shape.
        weight: weights ≥ 0 of the units' shape or a leading part of it.
        mask: which units count (True), likewise.
        pred: the legal values of ``y_pred``.
        true: the legal values of ``y_true``.
        unit_axis: the axis that makes up one unit (a vector); None where each element is a unit.

    Returns:
        ``y_pred``, ``y_true`` and the weight per unit: 0 where dead, None where every unit counts once.
    """
    y_pred, y_true = checked_pair(y_pred, y_true)
    if weight is not None or mask is not None:
        units = y_pred if unit_axis is None else y_pred.select(unit_axis, 0)
        w = unit_weight(units, weight, mask)
        live = live_slots(w)
        if live is not None:
            live = live if unit_axis is None else live.unsqueeze(unit_axis)
            y_pred, y_true = fill_dead(y_pred, live, pred.fill), fill_dead(y_true, live, true.fill)
    else:
        w = None
    pred.check("y_pred", y_pred)
    true.check("y_true", y_true)
    return y_pred, y_true, w


def checked_pair(y_pred: Tensor, y_true: Tensor) -> tuple[Tensor, Tensor]:
    """A prediction and a target of equal shape in one dtype; anything else raises."""
    _validate.prediction(y_pred)
    _validate.real_target(y_true)
    _validate.same_shape(y_pred, y_true)
    return one_dtype(y_pred, y_true)


def prepare_parameters(
    y_pred: Tensor,
    y_true: Tensor,
    weight: Tensor | None,
    mask: Tensor | None,
    *,
    names: tuple[str, ...],
    true: Domain = REAL,
) -> tuple[tuple[Tensor, ...], Tensor, Tensor | None]:
    """Check and prepare predictions (…, k) whose last axis holds k parameters of one target each, (…).

    Returns:
        The parameters, each of y_true's shape; ``y_true``; and the weight per unit, as :func:`prepare` has it.

    Raises:
        ValueError: the last axis has another length, or the other axes are not y_true's.
    """
    _validate.prediction(y_pred)
    _validate.real_target(y_true)
    if y_pred.ndim == 0 or y_pred.shape[-1] != len(names) or y_pred.shape[:-1] != y_true.shape:
        wanted = (*_validate.shape(y_true), len(names))
        raise ValueError(
            f"y_pred has shape {_validate.shape(y_pred)}, y_true {_validate.shape(y_true)}: wanted y_pred {wanted}, "
            f"whose last axis holds {', '.join(names)}." + _parameters_hint(y_pred, y_true, len(names))
        )
    y_pred, y_true = one_dtype(y_pred, y_true)
    w = unit_weight(y_true, weight, mask)
    live = live_slots(w)
    if live is not None:
        y_pred, y_true = fill_dead(y_pred, live.unsqueeze(-1), 0.0), fill_dead(y_true, live, true.fill)
    true.check("y_true", y_true)
    return y_pred.unbind(-1), y_true, w


def _parameters_hint(y_pred: Tensor, y_true: Tensor, count: int) -> str:
    """The likely fix: an axis of length 1 too many, or parameters in the wrong axis."""
    for axis in reversed(range(y_pred.ndim - 1)):
        fits = y_pred.shape[:axis] + y_pred.shape[axis + 1 :] == (*y_true.shape, count)
        if y_pred.shape[axis] == 1 and fits:
            return f" Did you mean y_pred.squeeze({axis})?"
    if y_true.ndim and y_true.shape[-1] == 1 and y_pred.shape == (*y_true.shape[:-1], count):
        return f" Did you mean y_true.squeeze({y_true.ndim - 1})?"
    for axis in range(y_pred.ndim - 1):
        if y_pred.shape[axis] == count and y_pred.shape[:axis] + y_pred.shape[axis + 1 :] == y_true.shape:
            return f" Did you mean y_pred.movedim({axis}, -1)?"
    return ""


def one_dtype(y_pred: Tensor, y_true: Tensor) -> tuple[Tensor, Tensor]:
    """Both in one floating dtype: integer targets take y_pred's, two floating dtypes the wider."""
    if y_pred.dtype == y_true.dtype:
        return y_pred, y_true
    dtype = _result_dtype(y_pred, y_true)
    return y_pred.to(dtype), y_true.to(dtype)


def unit_weight(units: Tensor, weight: Tensor | None, mask: Tensor | None) -> Tensor | None:
    """``weight`` × ``mask`` in the shape, dtype and device of ``units``; None where both are None."""
    if mask is not None:
        _validate.tensor("mask", mask)
        if mask.dtype is not torch.bool:
            raise TypeError(
                f"mask has dtype {_validate.dtype_name(mask.dtype)}, wanted bool (True = counts). "
                "Did you mean mask.bool(), or weight=mask?"
            )
        mask = _expanded("mask", mask, units)
    if weight is None:
        # By way of int8, which is the same byte: torch converts bool ten times as slowly.
        return None if mask is None else mask.view(torch.int8).to(units.dtype)
    _validate.tensor("weight", weight)
    if weight.is_complex() or weight.dtype is torch.bool:
        hint = " Did you mean mask=weight?" if weight.dtype is torch.bool else ""
        raise TypeError(f"weight has dtype {_validate.dtype_name(weight.dtype)}, wanted numbers >= 0.{hint}")
    weight = _expanded("weight", weight, units).to(units.dtype)
    if mask is not None:
        weight = torch.where(mask, weight, 0.0)
    if weight.numel() and _validate.readable(weight):
        low, high = (float(bound) for bound in torch.aminmax(weight.detach()))
        if not 0.0 <= low <= high < float("inf"):
            raise ValueError(f"weight holds values from {low:g} to {high:g}, wanted finite numbers >= 0.")
    return weight


def _expanded(name: str, values: Tensor, units: Tensor) -> Tensor:
    if values.shape != units.shape[: values.ndim]:
        short = values.ndim == 2 and values.shape[1] == 1 and values.shape[:1] == units.shape[:1]
        hint = f" Did you mean {name}.squeeze(1)?" if short else ""
        raise ValueError(
            f"{name} has shape {_validate.shape(values)}, the units of this loss {_validate.shape(units)}: "
            f"wanted that shape or a leading part of it.{hint}"
        )
    return values.reshape(values.shape + (1,) * (units.ndim - values.ndim)).expand(units.shape)


def live_slots(w: Tensor | None) -> Tensor | None:
    """Which units count, or None where it can be read that all do (and nothing needs filling)."""
    if w is None or (_validate.readable(w) and (not w.numel() or bool(w.detach().amin() > 0))):
        return None
    return w.detach() > 0


def fill_dead(values: Tensor, live: Tensor, legal: float) -> Tensor:
    """``values`` with a legal number in every dead slot."""
    return torch.where(live, values, torch.as_tensor(legal, dtype=values.dtype, device=values.device))


def reduce(values: Tensor, w: Tensor | None, reduction: Reduction, *, mass: Tensor | None = None) -> Tensor:
    """Reduce one value per unit: ``mean = Σwℓ / Σw``, ``sum = Σwℓ``, ``none = wℓ``.

    Args:
        values: ℓ, one value per unit.
        w: the weight per unit from :func:`prepare`, None for 1.
        reduction: how to reduce.
        mass: what the denominator sums up, where that is not ``w``.
    """
    if w is not None:
        values = values * w
    if reduction == "none":
        return values
    if reduction == "sum":
        return values.sum()
    mass = w if mass is None else mass
    if mass is None and reduction == "mean":
        # The mean of nothing is 0 and hangs on the graph; torch's is NaN.
        return values.mean() if values.numel() else values.sum()
    total = values.sum()
    total_mass = total.new_full((), values.numel()) if mass is None else mass.sum()
    if isinstance(reduction, _Totals):
        return torch.stack((total, total_mass))
    return total / torch.where(total_mass > 0, total_mass, 1.0)


def reduce_kernel(
    kernel: Callable[..., Tensor],
    y_pred: Tensor,
    y_true: Tensor,
    w: Tensor | None,
    reduction: Reduction,
    **arguments: Any,
) -> Tensor:
    """Reduce the values of one of torch's own kernels.

    Where nothing is weighed this is the kernel's own reduction: the same number in half the passes.
    """
    if w is None and reduction in ("mean", "sum") and y_true.numel():
        return kernel(y_pred, y_true, reduction=reduction, **arguments)
    return reduce(kernel(y_pred, y_true, reduction="none", **arguments), w, reduction)


def kernel_loss(
    kernel: Callable[..., Tensor],
    y_pred: Tensor,
    y_true: Tensor,
    weight: Tensor | None,
    mask: Tensor | None,
    reduction: Reduction,
    **arguments: Any,
) -> Tensor:
    """The whole of a loss whose values are one of torch's own kernels, for any real y_pred and y_true.

    Weight 0 annihilates whatever value is finite, and the slopes of these kernels are finite where their values
    are. So where the outcome can be read, dead slots are filled only if it shows that they need to be: filling
    costs several times what the kernel does.
    """
    y_pred, y_true = checked_pair(y_pred, y_true)
    w = unit_weight(y_pred, weight, mask)
    if w is not None and _validate.readable(y_pred, y_true, w):
        values = kernel(y_pred, y_true, reduction="none", **arguments)
        # In place, for nobody else holds the values: one large tensor less.
        values = values * w if w.requires_grad else values.mul_(w)
        value = reduce(values, None, reduction, mass=w)
        if math.isfinite(float(value.detach().sum())):
            return value
    live = live_slots(w)
    if live is not None:
        y_pred, y_true = fill_dead(y_pred, live, REAL.fill), fill_dead(y_true, live, REAL.fill)
    return reduce_kernel(kernel, y_pred, y_true, w, reduction, **arguments)


def whole_batch(value: Tensor, reduction: Reduction) -> Tensor:
    """The one value of a loss over the whole batch, whatever the reduction."""
    if isinstance(reduction, _Totals):
        raise ValueError(
            "This loss has one value per batch: it is no quotient of sums over units, so totals cannot split it. "
            "Evaluate it on the whole batch."
        )
    return value


def totals(
    loss: Callable[..., Tensor],
    y_pred: Tensor,
    y_true: Tensor,
    *,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    r"""Return the numerator and the denominator of a loss's mean, :math:`(\sum w\ell, \sum w)`.

    Gradient accumulation and multi-process training add both up and divide once, globally.

    Args:
        loss: one of this library's losses: a class instance, or a function
            (hyper-parameters through ``functools.partial``).
        y_pred: the prediction.
        y_true: the target.
        weight: as in the loss.
        mask: as in the loss.

    Returns:
        Two scalars in at least float32. Both are 0 where nothing counts.

    Raises:
        ValueError: the loss has one value per batch, or is not a loss of this library.

    >>> import torch
    >>> from torchobjectives import HuberLoss, totals
    >>> y_pred, y_true = torch.tensor([0.0, 3.0, 1.0]), torch.tensor([1.0, 1.0, 1.0])
    >>> total, mass = totals(HuberLoss(), y_pred, y_true, mask=torch.tensor([True, True, False]))
    >>> total, mass
    (tensor(2.), tensor(2.))
    """
    evaluate, bound = _evaluator(loss)
    given = {name: value for name, value in (("weight", weight), ("mask", mask)) if value is not None}
    total, mass = evaluate(y_pred, y_true, **{**bound, **given, "reduction": TOTALS}).unbind()
    return total, mass


def _evaluator(loss: Callable[..., Tensor]) -> tuple[Callable[..., Tensor], dict[str, Any]]:
    """What evaluates ``loss`` under any reduction, and the keywords that partials around it hold."""
    inner: Any = loss
    bound: dict[str, Any] = {}
    while isinstance(inner, functools.partial) and not inner.args:
        bound = {**inner.keywords, **bound}
        inner = inner.func
    if hasattr(inner, "evaluate"):
        return inner.evaluate, bound
    if not getattr(inner, "in_contract", False):
        raise ValueError(f"totals takes a loss of this library, got {loss!r}. Wrap a function with as_loss first.")
    return inner, bound
