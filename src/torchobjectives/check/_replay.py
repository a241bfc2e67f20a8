"""Why a loss is not finite: the batch is called once more, and the sample, the call and its line are named."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from torchobjectives.check._calls import Part, parts_of
from torchobjectives.check._culprit import FILLS, backward_culprit
from torchobjectives.check._report import Finding, Level, counted, number
from torchobjectives.check._subject import Subject
from torchobjectives.check._trace import Call, Trace, broken_samples, has, is_not_finite, located, makes, tensors_in

FIXES = {
    "log": "Take the log where it cannot be 0: F.logsigmoid or F.log_softmax of the logits, or x.clamp(min=1e-7).log()",
    "exp": "Bound what goes into exp: x.clamp(max=20).exp(), or F.softplus instead",
    "div": "Bound what is divided by: total / count.clamp(min=1)",
    "sqrt": "Its slope at 0 is inf: torch.sqrt(x + 1e-8), or leave out the root",
    "norm": "Its slope at 0 is nan or inf: torch.sqrt((x**2).sum(-1) + 1e-8)",
    "pow": "Bound the base: x.clamp(min=1e-7) ** p",
}
FIXES |= dict.fromkeys(("log2", "log10", "log1p", "xlogy", "logit", "log_", "__log__"), FIXES["log"])
FIXES |= dict.fromkeys(("exp_", "cosh", "sinh", "expm1", "exp2"), FIXES["exp"])
FIXES |= dict.fromkeys(("__truediv__", "true_divide", "truediv", "reciprocal", "__rdiv__", "rdiv"), FIXES["div"])
FIXES |= dict.fromkeys(("__rtruediv__", "mean", "nanmean", "div_", "__itruediv__"), FIXES["div"])
FIXES |= dict.fromkeys(("rsqrt", "std", "var", "std_mean"), FIXES["sqrt"])
FIXES |= dict.fromkeys(("cdist", "linalg_vector_norm", "vector_norm", "pairwise_distance"), FIXES["norm"])
FIXES |= dict.fromkeys(("__pow__", "__rpow__", "pow_", "float_power"), FIXES["pow"])
SLOWER = "A smaller learning rate, or torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)"
# Predictions that go up to this before they are nan have diverged.
LARGE = 1e4
# How much is called again at most, in numbers of y_pred.
MOST = 2**24


@dataclass(frozen=True)
class Step:
    """A step as it was."""

    step: int
    value: float
    part: Part


def not_finite(now: Step, before: Step | None) -> Finding:
    """What made the loss of a step nan or inf; the step before, where it is kept, may have broken the weights."""
    said, evidence = f"Step {now.step}: the loss is {number(now.value)}", {"step": now.step, "loss": str(now.value)}
    last = "" if before is None else f" The step before it was {number(before.value)}."
    terms = parts_of(now.part)
    # What was not finite before, of a loss that was finite, is so on purpose.
    meant = set() if before is None else {which for part in parts_of(before.part) for which in _broken(part)}
    for part in terms:
        if _size(part) > MOST:
            continue
        broken = {which: tensor for which, tensor in _broken(part).items() if which not in meant}
        come = next((tensor for (_, what), tensor in broken.items() if what.startswith("y_pred")), None)
        if come is not None:
            return _came_broken(said + part.of, evidence, come, now, before)
        if not _is_askable(part):
            for (_, what), tensor in broken.items():
                return _of_the_data(said + part.of, evidence, what, tensor, last)
            continue
        found = _replayed(said, part, evidence, last)
        if isinstance(found, Finding):
            return found
        for what, tensor in _inputs(part) if found is not None else ():
            if tensor is found:
                return _of_the_data(said + part.of, evidence, what, tensor, last)
    largest = max((_largest(part.y_pred) for part in terms), default=float("nan"))
    again = "The same batch again did not show which call gives it."
    if not all(part.is_replayable for part in terms):
        again = "Which call gives it is not known: the loss keeps what it writes to, and is not called again."
    return Finding(
        "nan-at-extremes",
        "error",
        f"{said}; predictions go up to {number(largest)}. {again}{last}",
        "check_loss(loss, y_pred, y_true) on this batch; torch.autograd.set_detect_anomaly(True) for the model.",
        {**evidence, "largest": largest},
    )


def _size(part: Part) -> int:
    return sum(tensor.numel() for tensor in tensors_in([part.y_pred]))


def _broken(part: Part) -> dict[tuple[str, str], Tensor]:
    """What a term was given that is not finite, by its name and that of the argument."""
    if _size(part) > MOST:
        return {}
    return {
        (part.name, what): tensor
        for what, tensor in _inputs(part)
        if tensor.is_floating_point() and not bool(tensor.isfinite().all())
    }


def _inputs(part: Part) -> Iterator[tuple[str, Tensor]]:
    yield from _entries("y_pred", part.y_pred)
    yield from _entries("y_true", part.y_true)
    for name, value in (*((f"argument {at}", v) for at, v in enumerate(part.rest, 3)), *part.named.items()):
        yield from _entries(name, value)


def _entries(name: str, value: Any) -> Iterator[tuple[str, Tensor]]:
    """The tensors in nested containers, as they are reached."""
    if isinstance(value, Tensor):
        yield name, value
    elif isinstance(value, Mapping | list | tuple):
        for key, entry in value.items() if isinstance(value, Mapping) else enumerate(value):
            yield from _entries(f"{name}[{key!r}]", entry)


def _of_the_data(said: str, evidence: dict[str, Any], what: str, tensor: Tensor, last: str) -> Finding:
    """An argument is not finite itself; y_pred where it was so before, on purpose."""
    rows, count = _rows(tensor), int((~tensor.isfinite()).sum())
    where = f", first at sample {rows[0]} of {len(tensor)}" if rows else ""
    mask = f"mask = {what if what.isidentifier() else 'values'}.isfinite()"
    fix = f"Look for missing values in the data, or leave them out: {mask}"
    if what == "y_pred":
        fix = "They were so before and did not count; look for a target that makes one of them count."
    return Finding(
        "nan-at-extremes",
        "error",
        f"{said}, because {what} holds {counted(count, 'number')} that {'is' if count == 1 else 'are'} not finite"
        f"{where}.{last}",
        fix,
        {**evidence, "samples": rows},
    )


def _came_broken(said: str, evidence: dict[str, Any], y_pred: Tensor, now: Step, before: Step | None) -> Finding:
    """y_pred is not finite itself: the gradient of the step before, the weights or the inputs made it so."""
    rows = _rows(y_pred)
    some = 0 < (count := _bad_rows(y_pred)) < (len(y_pred) if y_pred.ndim else 0)
    where = f" (first at sample {rows[0]})" if rows else ""
    said += f", because y_pred is not finite already{where}."
    model = Finding(
        "nan-at-extremes",
        "error",
        f"{said} It came so from the model."
        + (f" Only {count} of {len(y_pred)} samples are so: look at their inputs." if some else ""),
        "Look at the inputs and the weights: x.isfinite().all(); torch.autograd.set_detect_anomaly(True).",
        {**evidence, "samples": rows},
    )
    if before is None or now.step != before.step + 1:
        return model
    for earlier in parts_of(before.part):
        found = _bad_gradient(said, evidence, earlier, before)
        if found is not None:
            return found
    largest = max(_largest(earlier.y_pred) for earlier in parts_of(before.part))
    # Weights that are nan spare no sample, and those that diverge have been large before.
    if some and largest < LARGE:
        return model
    return Finding(
        "nan-at-extremes",
        "error",
        f"{said} The step before, the loss was {number(before.value)} and predictions went up to {number(largest)}: "
        "the training diverged, the loss did not.",
        SLOWER,
        {**evidence, "before": before.value, "largest": largest},
    )


def _bad_gradient(said: str, evidence: dict[str, Any], part: Part, before: Step) -> Finding | None:
    """Whether the step before had a finite loss, and a gradient that was not."""
    if not _is_askable(part):
        return None
    subject = Subject(part.again, part.y_pred, part.y_true)
    outcome = subject.example
    if not outcome.is_number or outcome.gradient is None or outcome.has_slope:
        return None
    rows = _rows(outcome.gradient)
    culprit = backward_culprit(subject, subject.y_pred)
    name, place = (culprit.name, culprit.place) if culprit else ("", None)
    cause = f" Cause: `{name}()`{located(place)}." if name else ""
    return Finding(
        "nan-gradient",
        "error",
        f"{said} The step before, the loss{part.of} was finite, {number(outcome.number)}, but its gradient was not"
        f"{f' (first at sample {rows[0]})' if rows else ''}, and the weights broke with it.{cause}",
        FIXES.get(name, "Make what goes into such a call safe first: torch.where hides a nan in the value alone."),
        {**evidence, "before": outcome.number, "samples": rows, "call": name, "place": str(place)},
    )


def _is_askable(part: Part) -> bool:
    """Whether a term may be called again, and is of tensors."""
    tensors = isinstance(part.y_pred, Tensor) and isinstance(part.y_true, Tensor)
    return tensors and _size(part) <= MOST and part.is_replayable


def _replayed(said: str, part: Part, evidence: dict[str, Any], last: str) -> Finding | Tensor | None:
    """Call a term again, and name the call that gave what is not finite, or the argument; None if it is finite now."""
    subject = Subject(part.again, part.y_pred, part.y_true)
    value = subject.value()
    if math.isfinite(value) or subject.evaluate(gradient=False).value is None:
        return None
    trace = subject.traced(subject.y_pred, subject.y_true)
    came = _came_in(trace, part)
    if came is not None:
        return came
    call = _culprit(trace.calls)
    sample = _sample(subject, call)
    y_pred, count = subject.y_pred, len(subject.y_pred) if subject.y_pred.ndim else 1
    largest = _largest(y_pred if sample is None else y_pred[sample])
    where = "" if sample is None else f", at sample {sample} of {count}"
    cause = f"; the largest prediction {'there' if sample is not None else 'of the batch'} is {number(largest)}"
    if call is not None:
        given = next((t for t in call.outputs if t.is_floating_point()), None)
        result = "nan" if given is not None and bool(given.isnan().any()) else "inf"
        result = "-inf" if given is not None and result == "inf" and bool((given == -math.inf).any()) else result
        cause += f", and `{call.name.strip('_')}()` gave {result}{located(call.place)}"
    if math.isfinite(beyond := _wider(subject)):
        cause += f". It is {number(beyond)} in float64: the training diverged"
    code, level, fix = _kind(subject, call, math.isfinite(beyond))
    evidence = {**evidence, "sample": sample, "largest": largest, "call": call.name.strip("_") if call else None}
    evidence["place"] = str(call.place) if call else None
    return Finding(code, level, f"{said}{part.of}{where}{cause}.{last}", fix, evidence)


def _came_in(trace: Trace, part: Part) -> Tensor | None:
    """The argument from which what is not finite goes through the calls to the value; None where a call made some."""
    given = {id(tensor): tensor for tensor in tensors_in([part.rest, part.named])}
    given |= {id(trace.sources["y_pred"]): part.y_pred, id(trace.sources["y_true"]): part.y_true}
    made = {id(t): call for call in trace.calls for t in call.outputs if not any(t is other for other in call.inputs)}
    came: list[Tensor] = []
    wait = [call for call in trace.calls if has(is_not_finite, call.outputs)][-1:]
    while wait:
        call = wait.pop()
        bad = [tensor for tensor in call.inputs if has(is_not_finite, [tensor])]
        if not bad and call.name not in FILLS:
            return None
        came += [given[id(tensor)] for tensor in bad if id(tensor) in given]
        wait += [made.pop(id(tensor)) for tensor in bad if id(tensor) in made]
    return came[0] if came else None


def _wider(subject: Subject) -> float:
    """The loss in float64, where that is only too large for float32; nan where it is not."""
    y_true = subject.y_true.double() if subject.y_true.is_floating_point() else subject.y_true
    value = subject.value(subject.y_pred.double(), y_true, loss=subject.copy(torch.float64))
    return value if abs(value) > torch.finfo(torch.float32).max else math.nan


def _kind(subject: Subject, call: Call | None, diverged: bool) -> tuple[str, Level, str]:
    """The code, its level and the fix."""
    if diverged:
        return "nan-at-extremes", "error", SLOWER
    if subject.y_pred.dtype in (torch.float16, torch.bfloat16) and math.isfinite(subject.value(subject.y_pred.float())):
        half = str(subject.y_pred.dtype).removeprefix("torch.")
        return "half-precision", "error", f"It is finite in float32, and not in {half}: loss(y_pred.float(), y_true)"
    name = call.name.strip("_") if call else ""
    nothing = not subject.y_true.is_floating_point() and bool((subject.y_true < 0).all())
    if nothing or (call is not None and _of_nothing(call)):
        fix = "There is nothing to average in this batch: total / count.clamp(min=1), or skip such a batch"
        return "empty-targets", "error", fix
    fix = FIXES.get(name) or FIXES.get(f"__{name}__", "Bound what goes into this call, or compute in log space.")
    return "nan-at-extremes", "error", fix


def _of_nothing(call: Call) -> bool:
    """Whether a call averages nothing, or divides by a count of 0."""
    if any(tensor.numel() == 0 for tensor in call.inputs):
        return True
    divides = "div" in call.name
    return divides and len(call.inputs) > 1 and call.inputs[1].ndim == 0 and not bool(call.inputs[1].any())


def _culprit(calls: list[Call]) -> Call | None:
    """The first call whose output is not finite though its inputs are; of masks, which are so on purpose, none."""
    made = [call for call in calls if call.name not in FILLS and has(is_not_finite, call.outputs)]
    for bad in (is_not_finite, Tensor.isnan):
        for call in made:
            if makes(bad, call):
                return call
    return made[0] if made else None


def _sample(subject: Subject, call: Call | None) -> int | None:
    """The first sample that makes it so: by the output of the call, else by calling parts of the batch."""
    if subject.y_pred.ndim == 0:
        return None
    count = len(subject.y_pred)
    for tensor in call.outputs if call is not None else ():
        rows = _rows(tensor)
        if tensor.ndim and len(tensor) == count and rows:
            return rows[0]
    if subject.y_true.ndim == 0 or len(subject.y_true) != count or count < 2:
        return None
    low, high = 0, count
    while high - low > 1:
        middle = (low + high) // 2
        if math.isfinite(subject.value(subject.y_pred[low:middle], subject.y_true[low:middle])):
            low = middle
        else:
            high = middle
    alone = subject.value(subject.y_pred[low:high], subject.y_true[low:high])
    keep = torch.arange(count, device=subject.y_pred.device) != low
    # A loss of whole batches has no value for one sample, which says nothing of that sample.
    return low if not math.isfinite(alone) and _without(subject, keep) else None


def _without(subject: Subject, keep: Tensor) -> bool:
    """Whether fewer samples are not finite when this one is left out, or none."""
    return math.isfinite(subject.value(subject.y_pred[keep], subject.y_true[keep.to(subject.y_true.device)]))


def _rows(tensor: Tensor) -> list[int]:
    """The first samples in which something is not finite."""
    if tensor.ndim == 0 or not tensor.is_floating_point():
        return []
    return [int(row) for row in broken_samples(tensor).nonzero().flatten()[:5]]


def _bad_rows(tensor: Tensor) -> int:
    return int(broken_samples(tensor).sum()) if tensor.ndim else 0


def _largest(tensors: Any) -> float:
    return max((float(t.detach().abs().max()) for t in tensors_in([tensors]) if t.numel()), default=float("nan"))
