"""Checks of dtypes: half precision, targets in another dtype, and results in a wider one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from torchobjectives.check._check import Check, check
from torchobjectives.check._culprit import FILLS, POLYNOMIAL, Culprit, backward_culprit, forward_culprit
from torchobjectives.check._far import saying_truth
from torchobjectives.check._report import Finding, Level, number
from torchobjectives.check._subject import Outcome, Subject, once
from torchobjectives.check._trace import Call, Place, Trace, located

HALVES = (torch.bfloat16, torch.float16)
CONFIDENT = 12.0
# Of the mean of a sum; float16 holds the sum of some hundreds of such numbers.
MODERATE = 100.0
# What reduces by itself.
REDUCED = frozenset(
    {"mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "cross_entropy", "nll_loss", "kl_div", "soft_margin_loss"}
    | {"binary_cross_entropy", "binary_cross_entropy_with_logits", "poisson_nll_loss"}
)
# What torch says where a number is written into a float16 tensor that cannot hold it.
BEYOND = ("value cannot be converted to type", "Half without overflow")
# A loss that is off by more, and by far more than rounding its input explains, is another loss.
OFF, TIMES_NOISE = 0.25, 10.0
SAME = 1e-4
NARROW = (torch.uint8, torch.int8, torch.int16)
WRAPPING = ("mul", "sub", "rsub", "add", "neg", "pow", "square", "__mul__", "__sub__", "__rsub__", "__add__", "__pow__")
CASTS = ("long", "int", "short", "byte", "char", "to", "type", "type_as")
LABELS = ("class_indices", "labels_of_embeddings")


# Half precision


@dataclass(frozen=True)
class Half:
    """What the loss gives in a half precision, and in float32 on the same rounded numbers."""

    dtype: torch.dtype
    twin: Subject
    said: str
    low: Outcome
    full: Outcome
    noise: float

    @property
    def name(self) -> str:
        """The dtype, as it is called."""
        return str(self.dtype).removeprefix("torch.")

    @property
    def broken(self) -> bool:
        """Whether the loss, or a number of its gradient, is not finite though it could be."""
        largest = torch.finfo(self.dtype).max
        if not self.low.is_number:
            return abs(self.full.number) < largest
        low, full = self.low.gradient, self.full.gradient
        if low is None or full is None:
            return False
        missing = full[~low.isfinite()]
        return missing.numel() > 0 and bool((missing.abs() < largest).all())

    @property
    def off(self) -> bool:
        """Whether it is another number."""
        apart, size = abs(self.low.number - self.full.number), max(abs(self.low.number), abs(self.full.number))
        return apart > OFF * size and apart > TIMES_NOISE * self.noise


@check("half-precision", needs=("number", "gradient"), unless=("nan-at-extremes", "nan-gradient"))
def half_precision(subject: Subject) -> Iterator[Finding]:
    """In bfloat16 and float16 the loss is what it is in float32."""
    if subject.y_pred.dtype != torch.float32 or _is_random(subject):
        return
    for dtype in HALVES:
        for said, y_pred, compared in _predictions(subject):
            half = _halved(subject, dtype, said, y_pred, noise=compared)
            if half is None:
                continue
            if half.low.error is not None:
                yield from _filled(half)
                return
            if half.broken:
                at = forward_culprit if not half.low.is_number else backward_culprit
                culprit = at(half.twin, half.twin.y_pred)
                if culprit is None or not _in_truth(half, culprit):
                    # sqrt(x + 1e-8) is right, and has no slope at 0 in float16: that is no error.
                    mild = half.low.is_number or (culprit is not None and _of_many(half, culprit))
                    yield _of_half(half, culprit, "note" if mild else "error")
                    return
            elif compared and half.off:
                yield _of_half(half, None, "error")
                return


def _in_truth(half: Half, culprit: Culprit) -> bool:
    """Whether a number is too large in truth; not a sum of which the loss is a small share."""
    if culprit.name in REDUCED and half.low.number == float("inf"):
        return True  # on the CPU torch adds up in float16 what elsewhere is added up in float32
    shared = culprit.name == "sum" and "y_pred" in culprit.sources and not half.low.is_number
    # Sums and powers of many or large numbers overflow in truth.
    return culprit.name in POLYNOMIAL and not shared


def _of_many(half: Half, culprit: Culprit) -> bool:
    """Whether it is the count alone that makes a sum large: of a large map a masked mean is right all the same."""
    return culprit.name == "sum" and abs(half.full.number) < MODERATE


def _is_random(subject: Subject) -> bool:
    """Whether the loss draws numbers: other ones in another dtype."""
    return subject.value(seed=1) != subject.value(seed=0)


def _predictions(subject: Subject) -> Iterator[tuple[str, Tensor, bool]]:
    """Predictions, and whether the loss is far enough from 0 there to compare it."""
    yield "on the example", subject.y_pred, True
    if subject.pred_kind in ("logits", "scores"):
        for strength, said in ((CONFIDENT, "correct"), (-CONFIDENT, "wrong")):
            wanted = saying_truth(subject, strength)
            if wanted is not None:
                yield f"at {subject.pred_kind} of +-{CONFIDENT:g} (all {said})", wanted, False


def _halved(subject: Subject, dtype: torch.dtype, said: str, y_pred: Tensor, *, noise: bool) -> Half | None:
    """The loss in half precision, and in float32; None where it does not run in both."""
    # Where rounding makes a probability certain, that is not the loss's doing.
    if subject.pred_kind != "logits" and bool((_is_certain(y_pred.to(dtype)) & ~_is_certain(y_pred)).any()):
        return None
    loss = subject.copy(dtype)
    truth = subject.y_true.to(dtype) if subject.y_true.is_floating_point() else subject.y_true
    twin = Subject(loss, y_pred.to(dtype), truth, subject.ignore_index)
    full = Subject(loss, twin.y_pred.float(), truth.float() if truth.is_floating_point() else truth)
    # The parameters as they were rounded, too.
    reference = full.copy(torch.float32) if isinstance(loss, nn.Module) else loss
    low, high = twin.example, full.evaluate(loss=reference)
    if not high.is_number or not high.has_slope:
        return None
    if low.error is not None and not low.backward and all(words in str(low.error) for words in BEYOND):
        return Half(dtype, twin, said, low, high, 0.0)
    if low.error is not None or low.value is None:
        return None
    if not low.value.is_floating_point() or low.value.numel() != 1:
        return None
    spread = 0.0
    for _ in range(3 if noise and low.is_number else 0):
        moved = full.y_pred * (1 + torch.finfo(dtype).eps * subject.random())
        again = full.copy(torch.float32) if isinstance(loss, nn.Module) else loss
        spread = max(spread, abs(full.value(moved, loss=again) - high.number))
    largest = max((float(tensor.abs().max()) for tensor in _intermediate(full)), default=0.0) if noise else 0.0
    return Half(dtype, twin, said, low, high, max(spread, torch.finfo(dtype).eps * largest))


def _filled(half: Half) -> Iterator[Finding]:
    """A number beyond the dtype may be written into what comes of y_pred: that raises on every device."""
    call: Call | None = next((call for call in half.twin.trace.calls[-1:] if not call.outputs), None)
    if call is None or call.name not in FILLS or "y_pred" not in call.sources:
        return
    yield Finding(
        "half-precision",
        "error",
        f"In {half.name} the loss raises {type(half.low.error).__name__}: {half.low.error}; in float32 it is "
        f"{number(half.full.number)}. `{call.name}`{located(call.place)} writes a number beyond 65504, where "
        f"{half.name} ends.",
        'As a mask before a softmax float("-inf"), or torch.finfo(x.dtype).min; or compute in float32: '
        "y_pred = y_pred.float() at the start.",
        {
            "dtype": half.name,
            "value": None,
            "float32": half.full.number,
            "operation": call.name,
            "place": str(call.place),
        },
    )


def _is_certain(y_pred: Tensor) -> Tensor:
    return (y_pred == 0) | (y_pred == 1)


def _intermediate(subject: Subject) -> Iterator[Tensor]:
    for call in subject.trace.calls:
        for tensor in call.outputs:
            if tensor.is_floating_point() and tensor.numel() and bool(tensor.isfinite().all()):
                yield tensor.detach()


def _of_half(half: Half, culprit: Culprit | None, level: Level) -> Finding:
    cause = f" Cause: `{culprit.said}`{culprit.at}." if culprit is not None else ""
    seen = f"{half.name}: {number(half.low.number)}, float32: {number(half.full.number)}"
    if half.low.is_number and half.broken:
        seen = f"{half.name}: the gradient is not finite, in float32 it is (loss {number(half.full.number)})"
    if culprit is not None and culprit.name == "sum":
        why = "float16 ends at 65504: the sum is beyond that, though what is made of it is not."
    else:
        small = "1e-8 is exactly 0 and " if half.dtype == torch.float16 else ""
        why = (
            f"Around 1 the numbers of {half.name} lie {torch.finfo(half.dtype).eps:.2g} apart: {small}1 - 1e-6 is "
            "exactly 1, so a small eps or clamp does nothing; float16 ends at 65504."
        )
    return Finding(
        "half-precision",
        level,
        f"{seen}, {half.said}, of the same rounded numbers.{cause} {why}",
        "Compute in float32: y_pred = y_pred.float() at the start" + (f". Or: {culprit.fix}" if culprit else "."),
        {
            "dtype": half.name,
            "value": half.low.number,
            "float32": half.full.number,
            "operation": culprit.name if culprit else None,
            "place": str(culprit.place) if culprit else None,
        },
    )


# Targets


@check("target-dtype", needs=("number",))
def target_dtype(subject: Subject) -> Iterator[Finding]:
    """The same targets in another dtype give the same loss."""
    finding = wrapped(subject)
    if finding is not None:
        yield finding
        return
    if subject.y_true.dtype == torch.bool or not _whole(subject.y_true) or _is_random(subject):
        return
    here = subject.example.number
    # As it stands in the example it is wrong for certain; elsewhere, if integers come here at all.
    own = torch.int64 if subject.true_kind in LABELS else torch.float32
    for dtype in _others(subject):
        there = subject.value(subject.y_pred, subject.y_true.to(dtype))
        # Raising is fine: nobody trains with that.
        if there != there or abs(here - there) <= SAME * max(abs(here), abs(there), 1e-6):
            continue
        binary = not subject.y_true.is_floating_point() and subject.true_kind == "binary"
        yield _of_dtype(subject, dtype, there, "error" if dtype == own or binary else "note")
        return


def _whole(values: Tensor) -> bool:
    return not values.is_floating_point() or bool((values == values.round()).all())


def _others(subject: Subject) -> list[torch.dtype]:
    """The dtypes that hold the same targets, the one that tells most first."""
    y_true, labels = subject.y_true, subject.true_kind in LABELS
    dtypes = [torch.int64, torch.int32] if labels else [torch.float32, torch.int64, torch.int32]
    # An index in uint8 is a mask, and that is another question.
    indexed = any(
        call.name in ("__getitem__", "index_select", "take") and "y_true" in call.sources
        for call in subject.trace.calls
    )
    if not indexed and y_true.numel() and 0 <= float(y_true.min()) <= float(y_true.max()) <= 255:
        dtypes.append(torch.uint8)
    comparable = y_true.shape == subject.y_pred.shape or labels
    return [dtype for dtype in dtypes if dtype != y_true.dtype and (comparable or not dtype.is_floating_point)]


def _of_dtype(subject: Subject, dtype: torch.dtype, there: float, level: Level) -> Finding:
    names = [str(each).removeprefix("torch.") for each in (subject.y_true.dtype, dtype)]
    values = [subject.example.number, there]
    # The dtype in which arithmetic on targets is worst comes first.
    if dtype == torch.uint8:
        names.reverse()
        values.reverse()
    why = ": the numbers of uint8 go from 0 to 255, and 2 * y - 1 or -y wraps" if "uint8" in names else ""
    why = why or ": integers are cut where they meet fractions, as in torch.full_like(y_true, 0.1)"
    return Finding(
        "dtype-hazard",
        level,
        f"{names[0]} targets give {number(values[0])}, the same targets as {names[1]} {number(values[1])}{why}.",
        "Convert at the start: y_true = y_true.to(y_pred.dtype), or y_true.long() for class indices.",
        {names[0]: values[0], names[1]: values[1]},
    )


class Wraps(TorchFunctionMode):
    """Notes the first arithmetic on narrow integers that comes out otherwise in int64."""

    def __init__(self) -> None:
        super().__init__()
        self.found: tuple[str, torch.dtype] | None = None
        self._busy = False

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Make the call, and once more in int64 where it is one that may wrap."""
        result = func(*args, **(kwargs or {}))
        name = getattr(func, "__name__", "")
        if self._busy or self.found or name not in WRAPPING or not _is_narrow(result):
            return result
        self._busy = True
        try:
            wide = func(*(a.long() if isinstance(a, Tensor) else a for a in args), **(kwargs or {}))
            if isinstance(wide, Tensor) and bool((wide != result.long()).any()):
                self.found = name, result.dtype
        except Exception:
            return result
        finally:
            self._busy = False
        return result


def _is_narrow(value: Any) -> bool:
    return isinstance(value, Tensor) and value.dtype in NARROW


@once
def wrapped(subject: Subject) -> Finding | None:
    """Arithmetic within the loss may wrap on the example itself."""
    narrow = [call for call in subject.trace.calls if any(_is_narrow(tensor) for tensor in call.outputs)]
    loss, wraps = subject.copy(), Wraps()
    if not narrow:
        return None

    def watched(y_pred: Tensor, y_true: Tensor) -> Any:
        with wraps:
            return loss(y_pred, y_true)

    subject.evaluate(loss=watched, gradient=False)
    if wraps.found is None:
        return None
    name, dtype = str(wraps.found[0]).strip("_"), str(wraps.found[1]).removeprefix("torch.")
    place = next((call.place for call in narrow if call.name == wraps.found[0]), None)
    as_float = subject.value(subject.y_pred, subject.y_true.to(subject.y_pred.dtype))
    instead = "" if as_float != as_float else f" {number(subject.example.number)} here, {number(as_float)} with floats."
    if as_float == subject.example.number:
        instead = ""
    return Finding(
        "dtype-hazard",
        "error",
        f"`{name}` on {dtype} wraps around{located(place)}: 2 * y - 1 of y = 0 is 255, not -1."
        f"{instead} The loss is another one than is written.",
        "Convert first: y_true = y_true.to(y_pred.dtype).",
        {"operation": name, "dtype": dtype, "value": subject.example.number, "as_float": as_float},
    )


@check("fractions-count", needs=("number",), unless=("dtype-hazard",))
def fractions_count(subject: Subject) -> Iterator[Finding]:
    """Fractions of the targets are not cut off."""
    y_true = subject.y_true
    if not y_true.is_floating_point() or not bool(y_true.isfinite().all()) or _whole(y_true):
        return
    cast = _cast_of_fractions(subject.trace)
    if cast is None:
        return
    here = subject.example.number
    cut, moved = subject.value(y_true=y_true.trunc()), subject.value(y_true=y_true + 1)
    turned = subject.value(y_true=y_true.flip(0)) if y_true.ndim else moved
    felt = any(other == other and abs(other - here) > 1e-6 * abs(here) for other in (moved, turned))
    if cut != here or not felt:
        return
    yield Finding(
        "dtype-hazard",
        "error",
        f"Cutting all fractions off y_true changes nothing: the loss stays {number(here)}, exactly, though the targets "
        f"hold fractions and shifting them by 1 gives {number(moved)}. They are cast to integers at {cast}.",
        "Keep floating point: y_true.to(y_pred.dtype) in place of y_true.long().",
        {"value": here, "truncated": cut, "shifted": moved, "place": str(cast)},
    )


def _cast_of_fractions(trace: Trace) -> Place | None:
    """Where a floating-point truth that holds fractions becomes one of integers."""
    for call in trace.calls:
        if call.name not in CASTS or call.sources != {"y_true"} or not call.inputs or not call.outputs:
            continue
        before, after = call.inputs[0], call.outputs[0]
        counts = not after.is_floating_point() and after.dtype != torch.bool
        if before.is_floating_point() and counts and not _whole(before):
            return call.place
    return None


# Results


@check("result-dtype", needs=("number",))
def result_dtype(subject: Subject) -> Iterator[Finding]:
    """A float32 prediction gives a float32 loss."""
    value = subject.example.value
    if subject.y_pred.dtype != torch.float32 or subject.y_true.dtype == torch.float64 or value is None:
        return
    if value.dtype != torch.float64:
        return
    wide = next((call for call in subject.trace.calls if _widens(call.inputs, call.outputs)), None)
    at = f" It begins with `{wide.name.strip('_')}` at {wide.place}." if wide is not None and wide.place else ""
    yield Finding(
        "float64-promotion",
        "note",
        f"A float32 y_pred gives a float64 loss.{at} That is slow on a GPU, and fails on devices without float64.",
        "Make constants like y_pred: torch.tensor(value, dtype=y_pred.dtype, device=y_pred.device).",
        {"dtype": "float64", "place": str(wide.place) if wide is not None else None},
    )


def _widens(inputs: tuple[Tensor, ...], outputs: tuple[Tensor, ...]) -> bool:
    wide = [tensor for tensor in outputs if tensor.dtype == torch.float64]
    return bool(wide) and not any(tensor.dtype == torch.float64 for tensor in inputs)


CHECKS: tuple[Check, ...] = (half_precision, target_dtype, fractions_count, result_dtype)
