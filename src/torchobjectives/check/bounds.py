"""Checks of whether a loss has a least value, and of what does not count: outputs that are cut off, a truth."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator

import torch
from torch import Tensor

from torchobjectives.check._check import Check, check
from torchobjectives.check._flow import flow, saturated
from torchobjectives.check._kinds import class_axis, is_linear, logarithms_along, right
from torchobjectives.check._probes import tells
from torchobjectives.check._report import Finding, number
from torchobjectives.check._subject import Subject
from torchobjectives.check.direction import reversed_all
from torchobjectives.check.minimum import AND_BOUNDED, EXPLAINED

# Ten times as far each time: what falls in proportion falls without end.
FURTHER = (10.0, 100.0, 1000.0, 10000.0)


@check("bounded-below", needs=("number", "gradient"), unless=("argument-order", "broadcast", "probs-vs-logits"))
def bounded_below(subject: Subject) -> Iterator[Finding]:
    """The loss has a least value: it does not fall without end."""
    yield from itertools.islice(itertools.chain(_in_predictions(subject), _in_parameters(subject)), 1)


def _in_predictions(subject: Subject) -> Iterator[Finding]:
    """Along its gradient, or towards the truth."""
    if subject.pred_kind in ("probabilities", "log_probabilities", "positive", "embedding"):
        return
    if logarithms_along(subject.y_pred) is not None:
        return
    exact = subject.double or subject
    slope = exact.example.gradient
    if slope is None or not exact.example.has_slope or not bool(slope.any()):
        return
    if subject.known and reversed_all(subject):
        return
    ways = {"against its gradient": -slope / slope.abs().max()}
    said = right(exact, 1.0) if subject.known and subject.true_kind not in ("values", "counts", "boxes") else None
    if said is not None:
        ways["towards the truth"] = said / said.abs().max().clamp(min=1e-12)
    for name, way in ways.items():
        steps = {size: exact.value(exact.y_pred + size * way) for size in FURTHER}
        one, two, three, four = steps.values()
        if not _falls(one, two, three, four):
            continue
        sure, why = _is_meant(subject)
        if not sure and two - three > 30 * (one - two) and subject.y_pred.shape == subject.y_true.shape:
            sure, why = True, ""  # faster than in proportion: that is no critic
        yield Finding(
            "unbounded-below",
            "error" if sure else "note",
            f"The loss keeps falling: {number(one)} at 10 steps {name}, {number(two)} at 100, {number(three)} at "
            f"1000, {number(four)} at 10000. " + (why or "A sign, a square or an absolute value is missing somewhere."),
            "Look for a term that is negative and grows with y_pred: - log p of either class, and (y_pred - y_true) "
            "squared or in absolute value.",
            {"way": name, "values": steps},
        )
        return


def _in_parameters(subject: Subject) -> Iterator[Finding]:
    """Along a parameter of the loss, as fast whatever y_pred is: it is a term of the parameter alone that falls.

    What falls as fast as the predictions say may be meant, as a multiplier that another optimizer raises.
    """
    names = [] if subject.module is None else [n for n, p in subject.module.named_parameters() if p.requires_grad]
    for name in names:
        for sign in (1, -1):
            # Of most parameters one number tells, and a loss may hold a network of them.
            if not _moved(subject, subject.y_pred, name, sign * FURTHER[1]) < 0:
                continue
            here = _along(subject, subject.y_pred, name, sign)
            if not _falls(*here):
                continue
            there = _along(subject, subject.y_pred + subject.random(), name, sign)
            slope, other = (values[1] - values[2] for values in (here, there))
            if _falls(*there) and abs(slope - other) <= 1e-3 * abs(slope):
                one, two, three, four = map(number, here)
                yield Finding(
                    "unbounded-below",
                    "error",
                    f"The loss falls without end in its own parameter `{name}`, whatever y_pred is: {one} at "
                    f"{name} {'+' if sign > 0 else '-'} 10, {two} at 100, {three} at 1000, {four} at 10000. An "
                    "optimizer would follow.",
                    f"Look at the sign of the term of {name} alone: exp(-log_var) * loss + log_var, not - log_var.",
                    {"parameter": name, "values": here},
                )


def _along(subject: Subject, y_pred: Tensor, name: str, sign: int) -> list[float]:
    """The loss ever further along a parameter."""
    return [_moved(subject, y_pred, name, sign * size) for size in FURTHER]


def _moved(subject: Subject, y_pred: Tensor, name: str, by: float) -> float:
    """The loss with a parameter of a copy moved."""
    loss = subject.copy()
    if loss is subject.original or not isinstance(loss, torch.nn.Module):
        return math.nan
    loss.get_parameter(name).data += by
    return subject.value(y_pred, loss=loss)


def _falls(one: float, two: float, three: float, four: float) -> bool:
    """Whether values at ten times as many steps each fall at least in proportion, perhaps out of range."""
    if not (math.isfinite(one) and math.isfinite(two) and two < one and two < 0):
        return False
    if three == -math.inf:
        return one - two > 100
    if not (three < two and two - three >= 5 * (one - two)):
        return False
    return four == -math.inf or (four < three and three - four >= 5 * (two - three))


def _is_meant(subject: Subject) -> tuple[bool, str]:
    """Whether falling without end is a fault; and words for the case that it may be meant."""
    if not subject.known:
        return False, "Fine for a critic's scores or a policy's log-probabilities; a fault of most others."
    critic = (
        subject.true_kind == "binary" and is_linear(subject) and (subject.pred_kind == "scores" or not subject.sure)
    )
    if critic or (subject.pred_kind == "scores" and not subject.sure):
        return False, "Fine for a critic's scores."
    classes = subject.true_kind == "class_indices" and class_axis(subject) is not None
    if not classes and subject.y_pred.shape != subject.y_true.shape:
        return False, "Fine where y_pred holds a scale of its own, as in log-densities."
    return True, ""


@check("live-outputs", needs=("number", "gradient", "y_pred_kind", "y_true_kind"), unless=AND_BOUNDED)
def live_outputs(subject: Subject) -> Iterator[Finding]:
    """Predictions that are wrong get a gradient."""
    slope, calls = subject.example.gradient, flow(subject.trace, subject.y_pred.numel()).clamped
    if slope is None or not calls or not subject.example.has_slope:
        return
    dead = slope == 0
    share = float(dead.double().mean())
    call = next((call for call in calls if call.outputs and bool(saturated(call).any())), None)
    if share <= 0.5 or call is None:
        return
    truth = lowest_truth(subject)
    if truth is None:
        return
    at, moved = subject.example.number, subject.value(torch.where(dead, truth, subject.y_pred))
    best = subject.value(truth)
    if not at - moved > 0.2 * (at - best) > 0:
        return
    advice = (
        "Clip probabilities, not logits: torch.sigmoid(y_pred).clamp(1e-7, 1 - 1e-7), or use F.binary_cross_entropy"
        "_with_logits."
        if subject.pred_kind != "real"
        else "Bound the slope, not the value: F.huber_loss(y_pred, y_true, delta=...)"
    )
    yield Finding(
        "dead-outputs",
        "warning",
        f"{100 * share:.0f} % of the predictions get a gradient of exactly 0 although the loss is high "
        f"({number(at)}; with those put right {number(moved)}): `{call.name}` at {call.place} cuts them off.",
        advice,
        {"share": share, "loss": at, "put right": moved, "place": str(call.place)},
    )


@check("truth-counts", needs=("number", "gradient", "y_true_kind"), unless=EXPLAINED)
def truth_counts(subject: Subject) -> Iterator[Finding]:
    """What y_true holds matters, where the caller says what it is."""
    y_true, at = subject.y_true, subject.value()
    live = y_true[~subject.ignored]
    if "y_true_kind" not in subject.given or subject.example.slope == 0 or not bool((live != live[:1]).any()):
        return
    # A truth that nothing reads is there for the signature's sake.
    if not any("y_true" in call.sources for call in subject.trace.calls):
        return
    for _ in range(4):
        other = y_true.clone()
        other[~subject.ignored] = live[torch.randint(len(live), (len(live),), generator=subject.generator)]
        if subject.value(y_true=other) != at:
            return
    yield Finding(
        "wrong-minimum",
        "error",
        f"With other values of y_true, drawn at random from its own, the loss stays exactly {number(at)}: what y_true "
        "says does not count.",
        "Print what is made of y_true before it meets y_pred: labels[:, None] == labels compares all pairs, and "
        "labels == labels.t() of one axis each label with itself.",
        {"value": at},
    )


def lowest_truth(subject: Subject) -> Tensor | None:
    """Of the predictions that say the truth the one that costs least."""
    values = [(value, said) for said in tells(subject) if math.isfinite(value := subject.value(said))]
    return min(values, key=lambda pair: pair[0])[1] if values else None


CHECKS: tuple[Check, ...] = (bounded_below, truth_counts, live_outputs)
