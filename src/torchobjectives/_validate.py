"""Argument checks whose messages name the fix.

Shapes and dtypes are always checked. Values are looked at only where reading them is free: see
:func:`readable`.
"""

from __future__ import annotations

import difflib
import math
import sys
from collections.abc import Iterable, Sequence
from numbers import Real

import torch
from torch import Tensor


def readable(*tensors: Tensor) -> bool:
    """Whether the values of all ``tensors`` can be read without a cost or an error.

    True for plain CPU tensors only: not while compiling, exporting or tracing, not inside ``torch.func``
    transforms or under a dispatch mode (fake tensors, ``make_fx``), not for subclasses, not on a device
    that would have to synchronise.
    """
    if torch.compiler.is_compiling() or torch.jit.is_tracing():  # type: ignore[attr-defined, no-untyped-call]
        return False
    # torch has no public question for a dispatch mode; the call is a plain read of a thread-local stack.
    if inside_transform() or torch._C._len_torch_dispatch_stack():
        return False
    return all(type(t) in (Tensor, torch.nn.Parameter) and t.device.type == "cpu" for t in tensors)


def inside_transform() -> bool:
    """Whether a ``torch.func`` transform (grad, vmap, jvp, …) runs in eager mode; torch has no public question."""
    return not torch.compiler.is_compiling() and torch._C._functorch.peek_interpreter_stack() is not None


def near(word: str, known: Iterable[str]) -> str:
    """The end of a message about an unknown word: the nearest known ones, or what there is."""
    names = list(dict.fromkeys(known))
    core = word.replace("*", "").strip(".").lower()
    scores = {name: _resemblance(core, name.lower()) for name in names}
    best = max(scores.values(), default=0.0)
    if best < 0.6:
        more = f" and {len(names) - 20} more" if len(names) > 20 else ""
        return f"Known: {', '.join(map(repr, names[:20])) or 'nothing'}{more}."
    close = sorted((name for name in names if scores[name] >= max(best - 0.1, 0.6)), key=lambda name: -scores[name])
    return f"Did you mean {' or '.join(map(repr, close[:3]))}?"


def _resemblance(core: str, name: str) -> float:
    """How close a word is to a dotted name, to one of its ends, or to one of its parts."""
    parts = name.split(".")
    forms = [*(".".join(parts[i:]) for i in range(len(parts))), *parts]
    return max(difflib.SequenceMatcher(None, core, form).ratio() for form in forms)


def choice(name: str, value: object, options: Sequence[str]) -> None:
    """Raise unless ``value`` is one of ``options``."""
    if value not in options:
        wanted = ", ".join(map(repr, options))
        raise ValueError(f"{name} is {value!r}, wanted one of {wanted}. {near(str(value), options)}")


def in_range(
    *, low: float = -math.inf, high: float = math.inf, open_low: bool = False, open_high: bool = False
) -> _Range:
    """A check of hyper-parameters: ``in_range(low=0)(gamma=gamma)``."""
    return _Range(low, high, open_low, open_high)


class _Range:
    """Checks that hyper-parameters are finite numbers inside an interval; ``tensors``: or tensors of them."""

    def __init__(self, low: float, high: float, open_low: bool, open_high: bool) -> None:
        self.low, self.high, self.open_low, self.open_high = low, high, open_low, open_high

    def __str__(self) -> str:
        if math.isinf(self.high) and math.isinf(self.low):
            return "a finite number"
        if math.isinf(self.high):
            return f"a finite number {'>' if self.open_low else '>='} {self.low:g}"
        if math.isinf(self.low):
            return f"a finite number {'<' if self.open_high else '<='} {self.high:g}"
        return f"a number in {'(' if self.open_low else '['}{self.low:g}, {self.high:g}{')' if self.open_high else ']'}"

    def _holds(self, low: float, high: float) -> bool:
        above = low > self.low if self.open_low else low >= self.low
        below = high < self.high if self.open_high else high <= self.high
        # Comparisons, not math.isfinite: under torch.compile a number may be symbolic. An int may be beyond any float.
        return above and below and -sys.float_info.max <= low and high <= sys.float_info.max

    def __call__(self, **values: object) -> None:
        for name, value in values.items():
            if type(value) is float or type(value) is int:
                if not self._holds(value, value):
                    if type(value) is int and abs(value) > sys.float_info.max:
                        raise ValueError(f"{name} is larger than any float, wanted {self}.")
                    raise ValueError(f"{name} is {value!r}, wanted {self}.")
            elif isinstance(value, Tensor):
                raise TypeError(f"{name} has type Tensor, wanted {self}. Did you mean {name}.item()?")
            elif isinstance(value, Real) and not isinstance(value, bool):
                try:
                    plain = float(value)
                except OverflowError:
                    raise ValueError(f"{name} is larger than any float, wanted {self}.") from None
                self(**{name: plain})
            else:
                raise TypeError(f"{name} has type {type(value).__name__}, wanted {self}.")

    def tensors(self, **values: object) -> None:
        """The same for hyper-parameters that may be tensors, such as learnable ones."""
        for name, value in values.items():
            if isinstance(value, Tensor):
                self._check_tensor(name, value)
            else:
                self(**{name: value})

    def _check_tensor(self, name: str, value: Tensor) -> None:
        if value.is_complex() or value.dtype is torch.bool:
            raise TypeError(f"{name} has dtype {_short(value.dtype)}, wanted {self}.")
        if value.numel() and readable(value):
            low, high = (float(bound) for bound in torch.aminmax(value.detach()))
            if not self._holds(low, high):
                raise ValueError(f"{name} holds values from {low:g} to {high:g}, wanted {self}.")


finite = in_range()
positive = in_range(low=0.0, open_low=True)
non_negative = in_range(low=0.0)
fraction = in_range(low=0.0, high=1.0)


def number(name: str, value: object, *, low: float = -math.inf, high: float = math.inf) -> float:
    """``value`` as a plain number, once it is known to be finite and in ``[low, high]``."""
    in_range(low=low, high=high)(**{name: value})
    return value if type(value) is int else float(value)  # type: ignore[arg-type]


def flag(**values: object) -> None:
    """Raise unless every value is True or False."""
    for name, value in values.items():
        if not isinstance(value, bool):
            raise TypeError(f"{name} is {value!r}, wanted True or False.")


def integer(**values: object) -> None:
    """Raise unless every value is an integer."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, torch.SymInt)):
            raise TypeError(f"{name} has type {type(value).__name__}, wanted a whole number.")


def whole(*, low: int, **values: int) -> None:
    """Raise unless every value is an integer of at least ``low``."""
    integer(**values)
    for name, value in values.items():
        if value < low:
            raise ValueError(f"{name} is {value}, wanted a whole number >= {low}.")


def numbers(name: str, values: object) -> Tensor:
    """A sequence of numbers as a float64 tensor."""
    try:
        return torch.as_tensor(values, dtype=torch.float64)
    except (TypeError, ValueError, RuntimeError):
        raise TypeError(f"{name} is {values!r}, wanted a tensor or a list of numbers.") from None


def tensor(name: str, value: object) -> None:
    """Raise unless ``value`` is a tensor."""
    if not isinstance(value, Tensor):
        raise TypeError(
            f"{name} has type {type(value).__name__}, wanted a tensor. Did you mean torch.as_tensor({name})?"
        )


def prediction(y_pred: Tensor) -> None:
    """Raise unless ``y_pred`` holds real floating-point numbers."""
    if not y_pred.is_floating_point():
        raise TypeError(
            f"y_pred has dtype {_short(y_pred.dtype)}, wanted a floating-point prediction. "
            "The prediction comes first: did you swap y_pred and y_true?"
        )


def real_target(y_true: Tensor) -> None:
    """Raise if ``y_true`` is complex; integers and booleans are numbers here."""
    if y_true.is_complex():
        raise TypeError(f"y_true has dtype {_short(y_true.dtype)}, wanted real numbers.")


def like(name: str, value: float | Tensor, y_pred: Tensor) -> float | Tensor:
    """A hyper-parameter in y_pred's dtype; a tensor must broadcast to y_pred's shape without enlarging it."""
    if not isinstance(value, Tensor):
        return value
    missing = y_pred.ndim - value.ndim
    if missing < 0 or any(v not in (1, p) for v, p in zip(value.shape, y_pred.shape[missing:], strict=True)):
        raise ValueError(
            f"{name} has shape {shape(value)}, y_pred {shape(y_pred)}: {name} must broadcast to y_pred's shape."
        )
    return value.to(y_pred.dtype)


def survives(y_pred: Tensor, *, may_vanish: bool = False, **values: float | Tensor) -> None:
    """Raise if a hyper-parameter becomes infinite in y_pred's dtype, or 0 without being 0.

    An empty y_pred is what a class checks its hyper-parameters with: what vanishes may be meant for float64.
    """
    numbers = torch.finfo(y_pred.dtype)
    # Up to half the least number a value is rounded to 0.
    least = 0.0 if may_vanish or not y_pred.numel() else numbers.tiny * numbers.eps / 2
    for name, value in values.items():
        if not isinstance(value, Tensor):
            low = high = abs(value)
        elif value.numel() and readable(value):
            sizes = value.detach().abs()
            low, high = (float(bound) for bound in torch.aminmax(torch.where(sizes == 0, 1.0, sizes)))
        else:
            continue
        if high > numbers.max or 0 < low <= least:
            held, becomes = (high, "infinite") if high > numbers.max else (low, "0")
            raise ValueError(
                f"{name} {'holds' if isinstance(value, Tensor) else 'is'} {float(held):g}, which is {becomes} in "
                f"{_short(y_pred.dtype)}, the dtype computed in: wanted another number, or y_pred in float64."
            )


def same_shape(y_pred: Tensor, y_true: Tensor) -> None:
    """Raise unless the shapes are equal: nothing broadcasts silently."""
    if y_pred.shape != y_true.shape:
        raise ValueError(
            f"y_pred has shape {shape(y_pred)}, y_true {shape(y_true)}: shapes must be equal."
            + squeeze_hint(y_pred, y_true)
        )


def squeeze_hint(y_pred: Tensor, y_true: Tensor) -> str:
    """``Did you mean y_pred.squeeze(1)?`` where exactly one axis of length 1 is too many."""
    for name, long, short in (("y_pred", y_pred, y_true), ("y_true", y_true, y_pred)):
        for axis in reversed(range(long.ndim)):
            if long.shape[axis] == 1 and long.shape[:axis] + long.shape[axis + 1 :] == short.shape:
                return f" Did you mean {name}.squeeze({axis})?"
    return ""


def shape(tensor: Tensor) -> tuple[int, ...]:
    """The shape as a plain tuple, for messages."""
    return tuple(tensor.shape)


def _short(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


dtype_name = _short
