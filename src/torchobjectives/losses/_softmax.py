"""What the softmax family stands on: the class axis, class weights, and two statistics per row.

``own_log_probability`` is one pass of torch's kernel. ``log_odds_against`` = log((1 − p_k) / p_k) is exact
where p_k has rounded to 1, which the first cannot recover; composed in eager it costs 2.5 to 3 times as much.
Each loss takes the cheapest statistic that is exact for it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from torchobjectives import _validate
from torchobjectives._link import UNIT, class_axis
from torchobjectives._reduction import Reduction, fill_dead, one_dtype, reduce, reduce_kernel, unit_weight

# So many classes at a time where each needs numbers of y_pred's size.
BLOCK: Final = 8


class Classes(NamedTuple):
    """A checked pair of prediction and target, dead slots filled.

    Exactly one of ``class_index`` (N, …) and ``probabilities`` (N, C, …) is there. ``w`` is the weight per unit
    without class weights; ``mass`` is what the denominator sums, where class weights make it differ.
    """

    y_pred: Tensor
    class_index: Tensor | None
    probabilities: Tensor | None
    w: Tensor | None
    class_weight: Tensor | None
    mass: Tensor | None

    @property
    def plain(self) -> bool:
        """Whether every unit counts once and every class the same."""
        return self.w is None and self.class_weight is None


def prepare_classes(
    y_pred: Tensor,
    y_true: Tensor,
    weight: Tensor | None,
    mask: Tensor | None,
    class_weight: Tensor | Sequence[float] | None,
    ignore_index: int,
) -> Classes:
    """Check and prepare (N, C, …) predictions with class indices (N, …) or probabilities (N, C, …).

    Raises:
        ValueError: a shape does not fit (the message says where the class axis belongs), an index or
            probability is out of range, or ``class_weight`` is negative or not (C,).
        TypeError: class indices are floating point.
    """
    _validate.prediction(y_pred)
    _validate.real_target(y_true)
    _validate.integer(ignore_index=ignore_index)
    axis = class_axis(y_pred)
    if y_pred.ndim == 0 or y_pred.shape[axis] == 0:
        raise ValueError(f"y_pred has shape {_validate.shape(y_pred)}, wanted (N, C, ...) with the classes at dim 1.")
    units = y_pred.select(axis, 0)
    is_index = _is_index(y_pred, y_true, units)
    w = unit_weight(units, weight, mask)
    weights = None if class_weight is None else per_class(y_pred, class_weight=class_weight)
    if is_index:
        return _with_index(y_pred, y_true.long(), w, weights, ignore_index, axis)
    return _with_probabilities(y_pred, y_true, w, weights, axis)


def _with_index(
    y_pred: Tensor, index: Tensor, w: Tensor | None, class_weight: Tensor | None, ignore_index: int, axis: int
) -> Classes:
    ignored = check_index(index, y_pred.shape[axis], w, ignore_index)
    live = None
    if ignored is not None or w is not None:
        live = torch.ones_like(index, dtype=torch.bool) if w is None else w.detach() > 0
        live = live if ignored is None else live & ~ignored
        index = fill_dead(index, live, 0)
    mass = None
    if class_weight is not None:
        mass = at_index(class_weight, index)
        heavy = mass > 0
        if not (_validate.readable(heavy) and bool(heavy.all())):
            live = heavy if live is None else live & heavy
    if live is not None and not (_validate.readable(live) and bool(live.all())):
        y_pred = fill_dead(y_pred, live.unsqueeze(axis), 0.0)
        w = live.to(y_pred.dtype) if w is None else w * live
    if mass is not None and w is not None:
        mass = mass * w
    return Classes(y_pred, index, None, w, class_weight, mass)


def _with_probabilities(
    y_pred: Tensor, y_true: Tensor, w: Tensor | None, class_weight: Tensor | None, axis: int
) -> Classes:
    y_pred, y_true = one_dtype(y_pred, y_true)
    live = None if w is None else w.detach() > 0
    if live is not None:
        y_true = fill_dead(y_true, live.unsqueeze(axis), 1.0 / max(y_pred.shape[axis], 1))
    UNIT.check("y_true (probabilities)", y_true)
    mass = None
    if class_weight is not None:
        class_weight = class_weight.to(y_pred.dtype)
        mass = (y_true * along(class_weight, y_true, axis)).sum(axis)
        live = mass > 0 if live is None else live & (mass > 0)
    if live is not None and not (_validate.readable(live) and bool(live.all())):
        y_pred = fill_dead(y_pred, live.unsqueeze(axis), 0.0)
        w = live.to(y_pred.dtype) if w is None else w * live
    if mass is not None and w is not None:
        mass = mass * w
    return Classes(y_pred, None, y_true, w, class_weight, mass)


def _is_index(y_pred: Tensor, y_true: Tensor, units: Tensor) -> bool:
    """Whether y_true holds class indices; False for probabilities; raises where it can be neither."""
    if y_true.shape == y_pred.shape and y_pred.ndim > 1:
        return False
    if y_true.shape != units.shape:
        raise ValueError(
            f"y_pred has shape {_validate.shape(y_pred)}, y_true {_validate.shape(y_true)}: wanted y_pred (N, C, ...) "
            f"with class indices {_validate.shape(units)} or probabilities {_validate.shape(y_pred)}."
            + _shape_hint(y_pred, y_true, units)
        )
    if y_true.is_floating_point():
        raise TypeError(
            f"y_true has dtype {_validate.dtype_name(y_true.dtype)} and the shape of class indices "
            f"{_validate.shape(y_true)}: indices must be integers. Did you mean y_true.long()?"
        )
    if y_true.dtype is torch.bool and y_pred.shape[class_axis(y_pred)] != 2:
        raise TypeError(
            f"y_true is bool, but y_pred has {y_pred.shape[class_axis(y_pred)]} classes: bool names one of two. "
            "For one logit per sample use a binary loss."
        )
    return True


def _shape_hint(y_pred: Tensor, y_true: Tensor, units: Tensor) -> str:
    if y_pred.ndim > 2 and y_true.shape == y_pred.shape[:-1]:
        return " The class axis is dim 1. Did you mean y_pred.movedim(-1, 1)?"
    if y_pred.ndim > 2 and y_true.ndim == y_pred.ndim and y_true.movedim(-1, 1).shape == y_pred.shape:
        return " The class axis is dim 1. Did you mean y_true.movedim(-1, 1)?"
    if hint := _validate.squeeze_hint(units, y_true).replace("y_pred.squeeze", "y_true.unsqueeze"):
        return hint
    if y_pred.ndim == 1 and y_true.shape == y_pred.shape:
        return " For one logit per sample use a binary loss; for one sample's classes, unsqueeze(0) both."
    return ""


def check_index(index: Tensor, classes: int, w: Tensor | None, ignore_index: int | None) -> Tensor | None:
    """Which targets are ignored; None where it can be read that none is.

    Raises:
        ValueError: a live index is out of range.
    """
    if not _validate.readable(index):
        return None if ignore_index is None else index == ignore_index
    if not index.numel():
        return None
    low, high = (int(bound) for bound in torch.aminmax(index))
    if low >= 0 and high < classes and (ignore_index is None or not low <= ignore_index <= high):
        return None
    ignored = torch.zeros_like(index, dtype=torch.bool) if ignore_index is None else index == ignore_index
    counted = ~ignored if w is None else ~ignored & (w > 0)
    wrong = index[counted & ((index < 0) | (index >= classes))]
    if wrong.numel():
        are, es = ("is", "") if classes == 1 else ("are", "es")
        raise ValueError(
            f"y_true holds the class {int(wrong[0])}, but there {are} {classes} class{es}: wanted indices from 0 to "
            f"{classes - 1}{'' if ignore_index is None else f', or ignore_index={ignore_index}'}."
            + (" For one logit per sample use a binary loss." if classes == 1 else "")
        )
    return ignored if bool(ignored.any()) else None


def per_class(y_pred: Tensor, **given: Tensor | Sequence[float]) -> Tensor:
    """One number ≥ 0 per class, given by name, in the dtype and on the device of ``y_pred``."""
    ((name, values),) = given.items()
    numbers = values if isinstance(values, Tensor) else _validate.numbers(name, values)
    _validate.non_negative.tensors(**{name: numbers})
    classes = y_pred.shape[class_axis(y_pred)]
    if numbers.shape != (classes,):
        raise ValueError(
            f"{name} has shape {_validate.shape(numbers)}, y_pred has {classes} classes (dim 1): wanted ({classes},)."
        )
    return numbers.to(y_pred.dtype).to(y_pred.device)


def at_index(table: Tensor, index: Tensor) -> Tensor:
    """``table[index]`` along dim 0, also for the scalar index that a ``vmap`` over samples leaves."""
    return table.index_select(0, index.reshape(-1)).reshape(index.shape + table.shape[1:])


def along(vector: Tensor, values: Tensor, axis: int) -> Tensor:
    """A vector per class, shaped to multiply ``values`` along the class axis."""
    return vector.reshape(-1, *(1,) * (values.ndim - axis - 1))


def own_log_probability(y_pred: Tensor, index: Tensor) -> Tensor:
    """Log p_k of the class ``index`` per unit: one pass of torch's kernel."""
    return -F.cross_entropy(y_pred, index, reduction="none")


def log_odds_against(y_pred: Tensor, index: Tensor) -> Tensor:
    """log((1 − p_k) / p_k) of the class ``index`` per unit, exact where p_k rounds to 1.

    1 − p_k is its sigmoid and −log p_k its softplus.
    """
    axis = class_axis(y_pred)
    where = index.unsqueeze(axis)
    own = y_pred.gather(axis, where)
    if y_pred.shape[axis] == 1:
        # There is no other class: the odds against are 0, their logarithm as low as the dtype goes.
        return (own * 0 + torch.finfo(y_pred.dtype).min / 4).squeeze(axis)
    others = y_pred.scatter(axis, where, torch.finfo(y_pred.dtype).min / 4)
    # The log-sum-exp is any logit less its log-probability; torch's own takes four times as long far from the highest.
    log_p = F.log_softmax(others, axis)
    best = log_p.detach().argmax(axis, keepdim=True)
    return (others.gather(axis, best) - log_p.gather(axis, best) - own).squeeze(axis)


def all_log_odds_against(y_pred: Tensor) -> Tensor:
    """:func:`log_odds_against` of every class, (N, C, …).

    Only the likeliest class can have p near 1; for all others log1p(−p) loses nothing.
    """
    axis = class_axis(y_pred)
    log_p = F.log_softmax(y_pred, axis)
    top = y_pred.detach().argmax(axis)
    is_top = one_hot(top, y_pred)
    below = torch.where(is_top, -torch.inf, log_p)
    rest = torch.log1p(-torch.exp(below)) - log_p
    return torch.where(is_top, log_odds_against(y_pred, top).unsqueeze(axis), rest)


def one_hot(index: Tensor, like: Tensor) -> Tensor:
    """Where the class axis of ``like`` is at ``index``: bool, of the shape of ``like``."""
    axis = class_axis(like)
    numbers = torch.arange(like.shape[axis], device=index.device)
    return index.unsqueeze(axis) == along(numbers, like, axis)


def over_classes(
    of_index: Callable[[Tensor, Tensor], Tensor], of_all: Callable[[Tensor], Tensor], given: Classes
) -> Tensor:
    """The values of a loss that names the true class, class weights included.

    For an index k: w_k ℓ(k) with ``of_index(y_pred, index)``; for probabilities: Σ_c w_c y_c ℓ(c) with
    ``of_all(y_pred)``, the ℓ of every class.
    """
    weights = given.class_weight
    if given.class_index is not None:
        values = of_index(given.y_pred, given.class_index)
        return values if weights is None else values * at_index(weights, given.class_index)
    assert given.probabilities is not None
    axis = class_axis(given.y_pred)
    values = of_all(given.y_pred) * given.probabilities
    return (values if weights is None else values * along(weights, values, axis)).sum(axis)


def held_log_softmax(y_pred: Tensor) -> Tensor:
    """Log p of every class, where log 0 = −inf, as of a masked class, is held: 0·inf cannot arise."""
    return F.log_softmax(y_pred, class_axis(y_pred)).clamp(min=torch.finfo(y_pred.dtype).min)


def of_own_cost(cost: Callable[[Tensor], Tensor], given: Classes) -> Tensor:
    """:func:`over_classes` for an ℓ that is a function of u = −log p_k alone."""
    return over_classes(
        lambda y_pred, index: cost(-own_log_probability(y_pred, index)),
        lambda y_pred: cost(-held_log_softmax(y_pred)),
        given,
    )


def some_classes_at_a_time(of_index: Callable[..., Tensor], y_pred: Tensor, *more: Tensor) -> Tensor:
    """The ℓ of every class, (N, C, …), from the ℓ of one, where each needs (N, C, …) numbers of its own.

    ``of_index`` sees B classes as so many batches after each other: y_pred (B·N, C, …), indices (B·N, …), and what
    else has y_pred's shape. Its numbers are computed again in backward instead of kept, so that memory stays O(N·C).
    ``torch.func`` knows no checkpoints, and the compiler decides for itself what to keep.
    """
    axis = class_axis(y_pred)
    classes = y_pred.shape[axis]
    plain = torch.compiler.is_compiling() or _validate.inside_transform()

    def of_block(numbers: Tensor, *tensors: Tensor) -> Tensor:
        count = len(numbers)
        first, *rest = (t.unsqueeze(0).expand(count, *t.shape).flatten(0, 1) for t in tensors)
        units = y_pred.select(axis, 0)
        index = along(numbers, units.unsqueeze(0), 0).expand(count, *units.shape).flatten(0, 1)
        return of_index(first, index, *rest).reshape(count, *units.shape)

    def of_classes(first: int) -> Tensor:
        numbers = torch.arange(first, min(first + BLOCK, classes), device=y_pred.device)
        if plain:
            return of_block(numbers, y_pred, *more)
        value: Tensor = checkpoint(of_block, numbers, y_pred, *more, use_reentrant=False, preserve_rng_state=False)
        return value

    return torch.cat([of_classes(first) for first in range(0, classes, BLOCK)]).movedim(0, axis)


def class_mass(given: Classes) -> Tensor:
    """Σ_c w_c y_c per unit: the class weight of a loss that is not linear in the target."""
    assert given.class_weight is not None
    if given.class_index is not None:
        return at_index(given.class_weight, given.class_index)
    assert given.probabilities is not None
    axis = class_axis(given.y_pred)
    return (given.probabilities * along(given.class_weight, given.probabilities, axis)).sum(axis)


def target_of(given: Classes) -> Tensor:
    """The class indices or the probabilities, whichever there are."""
    target = given.class_index if given.class_index is not None else given.probabilities
    assert target is not None
    return target


def reduced_cross_entropy(
    y_pred: Tensor, given: Classes, reduction: Reduction, *, label_smoothing: float = 0.0
) -> Tensor:
    """Cross-entropy of logits, which may have been changed since they were ``given``."""
    target = target_of(given)
    if given.plain:
        return reduce_kernel(F.cross_entropy, y_pred, target, None, reduction, label_smoothing=label_smoothing)
    weights = given.class_weight
    if weights is not None and weights.requires_grad and given.class_index is not None:
        # torch's kernel has no slope for its weights.
        values = -own_log_probability(y_pred, given.class_index) * at_index(weights, given.class_index)
        if label_smoothing:
            axis = class_axis(y_pred)
            every = (held_log_softmax(y_pred) * along(weights, y_pred, axis)).mean(axis)
            values = (1 - label_smoothing) * values - label_smoothing * every
    else:
        values = F.cross_entropy(y_pred, target, weight=weights, reduction="none", label_smoothing=label_smoothing)
    return reduce(values, given.w, reduction, mass=given.mass)


def normalized(odds: Tensor) -> Tensor:
    """Odds ≥ 0 as probabilities over the class axis."""
    return odds / odds.sum(class_axis(odds), keepdim=True)
