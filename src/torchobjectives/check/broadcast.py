"""The check of tensors that are combined though their shapes do not match."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, zip_longest

import torch
from torch import Tensor

from torchobjectives.check._batch import apart, composition, sampled
from torchobjectives.check._check import check
from torchobjectives.check._report import Finding, number
from torchobjectives.check._subject import LARGE, Subject
from torchobjectives.check._trace import Call, Trace, located

ELEMENTWISE = {
    *("add", "sub", "subtract", "mul", "multiply", "div", "divide", "true_divide", "pow", "where", "xlogy", "hypot"),
    *("__add__", "__sub__", "__mul__", "__truediv__", "__pow__"),
    *("__radd__", "__rsub__", "__rmul__", "__rtruediv__", "__rpow__", "rsub", "logaddexp", "maximum", "minimum"),
    *("eq", "ne", "gt", "ge", "lt", "le", "__eq__", "__ne__", "__gt__", "__ge__", "__lt__", "__le__", "max", "min"),
    *("mse_loss", "l1_loss", "smooth_l1_loss", "huber_loss", "kl_div", "soft_margin_loss", "gaussian_nll_loss"),
    *("poisson_nll_loss", "hinge_embedding_loss", "logical_and", "logical_or"),
}
SIGNS = {"add": "+", "sub": "-", "mul": "*", "div": "/", "eq": "==", "ne": "!=", "gt": ">", "ge": ">=", "lt": "<"}
SIGNS |= {"le": "<=", "pow": "**"}
# Calls that add an axis, or move one, and say so; and those that may be meant for it.
INSERTS = ("unsqueeze", "T", "mT", "t", "transpose", "permute", "movedim", "swapaxes", "expand", "meshgrid")
MATRICES = (
    "matmul",
    "__matmul__",
    "__rmatmul__",
    "mm",
    "bmm",
    "einsum",
    "cdist",
    "outer",
    "linear",
    "addmm",
    "baddbmm",
)


@dataclass(frozen=True)
class Meeting:
    """A call that combines all of one tensor with all of another."""

    call: Call
    first: Tensor
    second: Tensor

    @property
    def shape(self) -> tuple[int, ...]:
        """What comes of it."""
        return _combined(self.first, self.second)


def meetings(trace: Trace) -> Iterator[Meeting]:
    """Tensors of as many numbers, of which every one meets every other."""
    for call in trace.calls:
        if call.name.removesuffix("_") not in ELEMENTWISE and call.name not in ELEMENTWISE:
            continue
        for first, second in combinations(call.inputs, 2):
            if first.numel() != second.numel() or first.shape == second.shape or not first.numel() > 1:
                continue
            if _long(first) != _long(second):
                continue
            if math.prod(_combined(first, second)) > first.numel():
                yield Meeting(call, first, second)


def _long(tensor: Tensor) -> list[int]:
    return [size for size in tensor.shape if size > 1]


def _combined(first: Tensor, second: Tensor) -> tuple[int, ...]:
    """The shape that both are broadcast to; () where they do not fit."""
    # torch.broadcast_shapes says the same, after a second spent on loading sympy.
    sizes = list(zip_longest(reversed(first.shape), reversed(second.shape), fillvalue=1))
    fit = all(one == other or 1 in (one, other) for one, other in sizes)
    return tuple(max(pair) for pair in reversed(sizes)) if fit else ()


def origin(trace: Trace, tensor: Tensor) -> str:
    """How a tensor came to its shape: given, inserted, shaped (which may mean it), gathered, or by the way."""
    while True:
        call = next((call for call in trace.calls if any(tensor is output for output in call.outputs)), None)
        if call is None:
            return "given"
        if call.name in ("gather", "take_along_dim"):
            return "gathered"
        like = [other for other in call.inputs if other.shape == tensor.shape and other is not tensor]
        if like and call.name not in ("T", "t", "mT"):
            tensor = like[0]
            continue
        if not call.inputs:
            return "given"
        source = call.inputs[0]
        if call.name in INSERTS or (call.name == "__getitem__" and tensor.ndim > source.ndim):
            return "inserted"
        if call.name in ("view", "reshape", "unflatten", "view_as", "reshape_as"):
            return "inserted" if tensor.ndim > 1 and tensor.shape[0] == 1 else "shaped"
        if tensor.ndim < source.ndim or 1 not in tensor.shape[1:]:
            return "by the way"
        return "gathered" if call.name == "__getitem__" else "kept"


@check("shapes-match", needs=("number", "gradient", "samples"))
def shapes_match(subject: Subject) -> Iterator[Finding]:
    """No prediction is compared with the truths of other samples, unless the code says that it is meant."""
    if subject.y_pred.numel() > LARGE:
        rows = slice(0, 3)
        trace = subject.traced(subject.y_pred[rows], subject.y_true[rows])
    else:
        trace = subject.trace
    found = [meeting for meeting in meetings(trace) if _is_accident(subject, trace, meeting)]
    if not found or not _of_samples(subject, found[0]):
        return
    meeting = found[0]
    aligned = _aligned(subject)
    here = subject.example.number
    if aligned is not None and not apart(aligned, here, 1e-6):
        return
    outside = subject.y_pred.shape != subject.y_true.shape and aligned is not None
    shapes = [tuple(tensor.shape) for tensor in (meeting.first, meeting.second)]
    seen = f" Value {number(here)} instead of {number(aligned)}." if aligned is not None and outside else ""
    sign = SIGNS.get(meeting.call.name.strip("_").removeprefix("r"), meeting.call.name)
    between = trace.of(meeting.first) ^ trace.of(meeting.second) == {"y_pred", "y_true"}
    where = located(meeting.call.place)
    parts = f"y_pred {tuple(subject.y_pred.shape)} and y_true {tuple(subject.y_true.shape)} were"
    parts = parts if outside else f"Tensors of shapes {shapes[0]} and {shapes[1]} were"
    yield Finding(
        "broadcast",
        "error",
        f"{parts} combined to {meeting.shape} by `{sign}`{where}: every "
        f"{'prediction is compared with every target' if between else 'sample meets every other'}.{seen}",
        _fix(subject) if outside else _fix_inside(meeting),
        {"shapes": shapes, "combined": meeting.shape, "value": here, "aligned": aligned},
    )


def _is_accident(subject: Subject, trace: Trace, meeting: Meeting) -> bool:
    """Whether nothing says that all shall meet all."""
    sources = trace.of(meeting.first), trace.of(meeting.second)
    if not all(sources) or (sources[0] == sources[1] and len(sources[0]) == 1):
        return False
    origins = {origin(trace, meeting.first), origin(trace, meeting.second)}
    if origins == {"inserted"}:
        return False
    if _is_a_product_of_sums(trace, meeting):
        return True
    across = not sources[0] & sources[1]
    if across and not origins & {"inserted", "shaped", "kept"}:
        return True
    if _makes_matrix(trace, meeting) or (not across and origins & {"inserted", "shaped"}):
        return False
    if across:
        return _prefers_constant(subject)
    # A loss per sample times a weight per sample is again one per sample.
    return bool(origins & {"gathered", "kept"}) and composition(subject) is None


def _is_a_product_of_sums(trace: Trace, meeting: Meeting) -> bool:
    """Whether all products of two tensors are added up at once: nobody forms pairs for that."""
    if meeting.call.name not in ("mul", "multiply", "div", "divide", "__mul__", "__rmul__", "__truediv__"):
        return False
    products = meeting.call.outputs[0]
    uses = [call for call in trace.calls if any(products is tensor for tensor in call.inputs)]
    return bool(uses) and all(call.name in ("mean", "sum") and call.outputs[0].numel() == 1 for call in uses)


def _makes_matrix(trace: Trace, meeting: Meeting) -> bool:
    """Whether products of all with all are formed elsewhere, too: distances of all pairs are."""
    return any(
        call.name in MATRICES and any(tuple(out.shape) == meeting.shape for out in call.outputs) for call in trace.calls
    )


def _prefers_constant(subject: Subject) -> bool:
    """Whether the mean of all truths is a better prediction than the truth: so it is where each meets all."""
    y_pred, y_true = subject.y_pred, subject.y_true
    if y_pred.numel() != y_true.numel():
        return False
    truth = y_true.reshape(y_pred.shape).to(y_pred)
    mean = truth.mean()
    right, constant = truth, mean
    if bool(((truth == 0) | (truth == 1)).all()) and 0 < mean < 1:
        unit = bool(((y_pred >= 0) & (y_pred <= 1)).all())
        right = 0.96 * truth + 0.02 if unit else 8 * truth - 4
        constant = mean if unit else torch.logit(mean)
    at_truth, at_mean = subject.value(right), subject.value(constant.expand_as(truth).clone())
    return at_mean < at_truth and apart(at_mean, at_truth, 0.01)


def _of_samples(subject: Subject, meeting: Meeting) -> bool:
    """Whether it is the samples that meet: with one more the sizes grow by one."""
    y_pred, y_true = (torch.cat([tensor, tensor[:1]]) for tensor in sampled(subject))
    return any(
        other.call.place == meeting.call.place and other.call.name == meeting.call.name
        for other in meetings(subject.traced(y_pred, y_true))
    )


def _aligned(subject: Subject) -> float | None:
    """What the loss is of y_pred in the shape of y_true, if that is another one of as many numbers."""
    y_pred, y_true = subject.y_pred, subject.y_true
    if y_pred.shape == y_true.shape or _long(y_pred) != _long(y_true):
        return None
    outcome = subject.evaluate(y_pred.reshape(y_true.shape), gradient=False)
    return outcome.number if outcome.is_number else None


def _fix(subject: Subject) -> str:
    y_pred, y_true = subject.y_pred, subject.y_true
    name, long, short = ("y_pred", y_pred, y_true) if y_pred.ndim >= y_true.ndim else ("y_true", y_true, y_pred)
    for axis, size in enumerate(long.shape):
        if size == 1 and (*long.shape[:axis], *long.shape[axis + 1 :]) == tuple(short.shape):
            return f"Give both one shape: {name}.squeeze({axis})"
    return f"Give both one shape: {name}.view({', '.join(map(str, short.shape))})"


def _fix_inside(meeting: Meeting) -> str:
    long = meeting.first if meeting.first.ndim >= meeting.second.ndim else meeting.second
    axis = next((axis for axis, size in enumerate(long.shape) if size == 1 and axis), None)
    change = f"squeeze({axis}) what has shape {tuple(long.shape)}" if axis is not None else "give both one shape"
    return f"Before they meet, {change}; assert a.shape == b.shape keeps it so."
