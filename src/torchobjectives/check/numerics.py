"""Checks that the loss and its gradient are finite: on the example, far out, and where things coincide."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from torchobjectives.check._check import Check, check
from torchobjectives.check._culprit import DIVISIONS, LOGS, POWERS, Culprit, backward_culprit, forward_culprit
from torchobjectives.check._far import Probe, coinciding, far
from torchobjectives.check._report import Finding, counted, number
from torchobjectives.check._subject import Outcome, Subject
from torchobjectives.check._trace import broken_samples, is_not_finite

# A loss or a slope that is larger in truth is of no use in float32, which ends at 3.4e38.
LARGEST = 1e30
CHOOSE = (
    "Where nan marks what is missing, choose before the arithmetic: valid = ~y_true.isnan(), then y_pred[valid] and "
    "y_true[valid]. What is left out afterwards is nan in the backward pass."
)
NOT_NUMBERS = ("nan-at-extremes", "nan-gradient", "empty-targets", "probs-vs-logits")


@check("finite", unless=("could-not-run", "not-scalar", "no-gradient", *NOT_NUMBERS))
def finite(subject: Subject) -> Iterator[Finding]:
    """The loss of the example and its gradient are finite."""
    outcome = subject.example
    if outcome.error is not None or outcome.value is None or outcome.value.numel() != 1:
        return
    probe = Probe("the example", subject.y_pred)
    if not outcome.is_number:
        yield _unusable(subject) or _of_example(subject, probe)
    elif outcome.gradient is not None and not outcome.has_slope and not is_not_finite(subject.y_pred).any():
        # Where nan in y_true marks what is missing, and the loss is finite, the gradient has to be, too.
        found = _finding(probe, outcome, backward_culprit(subject, subject.y_pred), (probe.said,))
        yield found if not is_not_finite(subject.y_true).any() else replace(found, fix=CHOOSE)


def _of_example(subject: Subject, probe: Probe) -> Finding:
    """Why the loss of the example is not finite, though the example is."""
    outcome, culprit = subject.example, forward_culprit(subject, subject.y_pred)
    if culprit is not None and culprit.sources == {"y_true"} and culprit.name in (*DIVISIONS, "mean"):
        return _nothing_to_average(outcome, culprit)
    outside = culprit is not None and (_outside(subject, culprit) or culprit.sources == {"y_true"})
    if not outside and not _too_large(subject, probe, culprit):
        return _finding(probe, outcome, culprit, (probe.said,))
    at = f": `{culprit.said}`{culprit.at} makes it so" if culprit else ""
    held = "; ".join(
        f"{name} goes from {number(float(tensor.min()))} to {number(float(tensor.max()))}"
        for name, tensor in (("y_pred", subject.y_pred), ("y_true", subject.y_true))
    )
    return Finding(
        "could-not-run",
        "error",
        f"On the example the loss is {number(outcome.number)}{at}. {held}.",
        "Pass an example as it comes up in training, within the domain of the loss; or mend the operation that leaves "
        "it.",
        {"value": outcome.number, "operation": culprit.name if culprit else None},
    )


def _unusable(subject: Subject) -> Finding | None:
    """An example that holds what no loss can be of: nothing, or numbers that are not finite."""
    what = ""
    for name, tensor in (("y_pred", subject.y_pred), ("y_true", subject.y_true)):
        if not tensor.numel():
            what = f"{name} is empty, of shape {tuple(tensor.shape)}"
        elif count := int(is_not_finite(tensor).sum()):
            sample = int(broken_samples(tensor).nonzero()[0]) if tensor.ndim else 0
            are = "is" if count == 1 else "are"
            what = f"{name} holds {counted(count, 'number')} that {are} nan or inf, first in sample {sample}"
    if not what and subject.marker is not None and bool((subject.y_true == subject.marker).all()):
        what = f"every target is {subject.marker}, and is ignored"
    if not what:
        return None
    return Finding(
        "could-not-run",
        "error",
        f"On the example the loss is {number(subject.example.number)}: {what}.",
        f"Pass an example of samples that count. {CHOOSE}",
        {"value": subject.example.number},
    )


def _outside(subject: Subject, culprit: Culprit) -> bool:
    """Whether y_pred itself is not in the domain of the operation: it holds another kind of number then."""
    roots = (*LOGS, *POWERS, "sqrt", "logit", "acos", "atanh")
    return culprit.applied_to_y_pred and culprit.name in roots and bool((subject.y_pred < 0).any())


def _nothing_to_average(outcome: Outcome, culprit: Culprit) -> Finding:
    return Finding(
        "empty-targets",
        "error",
        f"On the example the loss is {number(outcome.number)}: `{culprit.said}`{culprit.at} divides by a count of "
        "targets that is 0.",
        "Divide by count.clamp(min=1), and leave out what has nothing to count.",
        {"value": outcome.number, "place": str(culprit.place)},
    )


@check("finite-far-out", needs=("number", "gradient"), unless=NOT_NUMBERS)
def finite_far_out(subject: Subject) -> Iterator[Finding]:
    """The loss and its gradient are finite at predictions that are far out, right or wrong."""
    if subject.example.has_slope:
        yield from _worst(subject, far(subject))


@check("finite-where-equal", needs=("number", "gradient"), unless=NOT_NUMBERS)
def finite_where_equal(subject: Subject) -> Iterator[Finding]:
    """The loss and its gradient are finite where predictions equal the truth, one another, or 0."""
    if subject.example.has_slope:
        yield from _worst(subject, coinciding(subject), equal=True)


@dataclass(frozen=True)
class Broken:
    """A probe at which something is not finite."""

    probe: Probe
    outcome: Outcome
    culprit: Culprit | None


def _worst(subject: Subject, probes: Iterator[Probe], *, equal: bool = False) -> Iterator[Finding]:
    """The mildest probe that breaks the value; if there is none, the mildest that breaks the gradient."""
    broken: list[Broken] = []
    for probe in probes:
        outcome = subject.evaluate(probe.y_pred)
        if outcome.error is not None or outcome.value is None or outcome.value.numel() != 1 or _is_fine(outcome):
            continue
        if not _says_something(subject, probe):
            continue
        at = forward_culprit if not outcome.is_number else backward_culprit
        culprit = at(subject, probe.y_pred)
        if not _too_large(subject, probe, culprit, outcome):
            broken.append(Broken(probe, outcome, culprit))
    if broken:
        first = min(broken, key=lambda found: found.outcome.is_number)
        said = tuple(found.probe.said for found in broken)
        yield _finding(first.probe, first.outcome, first.culprit, said, equal=equal)


def _is_fine(outcome: Outcome) -> bool:
    return outcome.is_number and (outcome.gradient is None or outcome.has_slope)


def _says_something(subject: Subject, probe: Probe) -> bool:
    """Whether the loss is finite at what is like the probe, and harmless: otherwise it is outside of the domain."""
    if probe.near is None:
        return True
    twin = subject.double or subject
    return _is_fine(twin.evaluate(probe.near.to(twin.y_pred.dtype)))


def _too_large(subject: Subject, probe: Probe, culprit: Culprit | None, outcome: Outcome | None = None) -> bool:
    """Whether float32 cannot hold the true number, as float64 tells."""
    outcome = subject.example if outcome is None else outcome
    twin = subject.double
    if twin is None:
        return not outcome.is_number and outcome.number == outcome.number and culprit is not None and culprit.grows
    deep = twin.evaluate(probe.y_pred.double())
    if not outcome.is_number:
        if deep.is_number:
            return abs(deep.number) > LARGEST
        cause = forward_culprit(twin, probe.y_pred.double())
        infinite = deep.number == deep.number and deep.error is None
        return infinite and not probe.edge and cause is not None and cause.grows
    if deep.gradient is None or outcome.gradient is None:
        return False
    missing = deep.gradient[~outcome.gradient.isfinite()]
    return bool((missing.isfinite() & (missing.abs() > LARGEST)).all())


def _finding(
    probe: Probe, outcome: Outcome, culprit: Culprit | None, probes: tuple[str, ...], *, equal: bool = False
) -> Finding:
    """In words; the value counts before the gradient."""
    at = "On the example" if probe.said == "the example" else f"At {probe.said}"
    cause = f" Cause: `{culprit.said}`{culprit.at}." if culprit is not None else ""
    fix = culprit.fix if culprit is not None else "Keep what goes into log, sqrt and / away from 0: clamp it first."
    evidence = {
        "value": outcome.number,
        "probes": list(probes),
        "operation": culprit.name if culprit else None,
        "place": str(culprit.place) if culprit else None,
    }
    if outcome.is_number:
        gradient = outcome.gradient
        bad = 0 if gradient is None else int((~gradient.isfinite()).sum())
        kind = "nan" if gradient is not None and bool(gradient.isnan().any()) else "infinite"
        mask = " torch.where hides it in the value only." if culprit is not None and culprit.where else ""
        message = (
            f"{at} the loss is {number(outcome.number)}, but {bad} numbers of its gradient are {kind}.{cause}{mask} "
            "One such step makes every weight nan."
        )
        return Finding("nan-gradient", "error", message, fix, {**evidence, "numbers": bad})
    code = "nan-gradient" if equal else "nan-at-extremes"
    message = f"{at} the loss is {number(outcome.number)}.{cause} One such step makes every weight nan."
    return Finding(code, "error", message, fix, evidence)


CHECKS: tuple[Check, ...] = (finite, finite_far_out, finite_where_equal)
