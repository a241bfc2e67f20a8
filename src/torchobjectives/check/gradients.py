"""Checks of the gradient: it is the slope of the loss, and it has a slope itself."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from torchobjectives.check import _stops
from torchobjectives.check._check import Check, check
from torchobjectives.check._far import saying_truth
from torchobjectives.check._kinds import logarithms_along, plausible
from torchobjectives.check._path import Account, Jump, Line, Slopes, account, coarsest, jump_in, slopes_in
from torchobjectives.check._report import Finding, number
from torchobjectives.check._subject import LARGE, Subject
from torchobjectives.check.structure import spelt, stopping

PARTS = 24
FEW_PARTS = 10
SLOW = 3e-3
# Of the change along a line; less than that is the work of the rule of integration.
SHARE = 0.01
# Of the change along a line; a smaller one is a matter of taste.
JUMP_SHARE = 0.02
STOPPED = ("stopped-on-purpose", "gradient-mismatch", "part-without-gradient")


@check("gradient-is-slope", needs=("number", "gradient"), unless=("constant-loss",))
def gradient_is_slope(subject: Subject) -> Iterator[Finding]:
    """Along lines between predictions the gradient adds up to the change of the loss."""
    if not subject.example.has_slope:
        return
    twin = subject.double or subject
    if (axis := logarithms_along(subject.y_pred)) is not None:
        twin = _normalised(twin, axis)
    count = FEW_PARTS if subject.y_pred.numel() > LARGE or _is_slow(twin) else PARTS
    for line in lines(twin):
        found = account(line, count)
        if found is None or found.unexplained <= SHARE * found.change:
            continue
        finding = _smooth(subject, twin, found) or _jumps(subject, found)
        if finding is not None:
            yield finding
            return


def _normalised(subject: Subject, axis: int) -> Subject:
    """The same of any numbers, as of logits: what takes logarithms of probabilities need be right for such alone."""

    def normalised(y_pred: Tensor, y_true: Tensor) -> Any:
        return subject.copy()(y_pred.log_softmax(axis), y_true)

    twin = subject.twin(normalised, subject.y_pred, subject.y_true)
    twin.pred_kind = "logits"
    return twin


def _is_slow(subject: Subject) -> bool:
    """Whether a call takes so long that a hundred would be felt; the best of three, for others may be at work."""
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        subject.evaluate()
        seconds.append(time.perf_counter() - start)
    return min(seconds) > SLOW


def lines(subject: Subject) -> Iterator[Line]:
    """Lines within the domain: from the example to a random prediction, and from a wrong one to a right one."""
    yield Line(subject, subject.y_pred, plausible(subject))
    yield Line(subject, _jittered(subject), _jittered(subject))
    if subject.pred_kind in ("logits", "scores"):
        wrong, good = saying_truth(subject, -2.0), saying_truth(subject, 2.0)
        if wrong is not None and good is not None:
            # Not all at once, and not through ties: each number crosses at a place of its own.
            yield Line(subject, wrong + 0.3 * subject.random(), good + 0.3 * subject.random())


def _jittered(subject: Subject) -> Tensor:
    """The example, each number moved towards one that is as plausible."""
    share = torch.rand(subject.y_pred.shape, generator=subject.generator, dtype=torch.float64).to(subject.y_pred)
    return subject.y_pred + share * (plausible(subject) - subject.y_pred)


def _smooth(subject: Subject, twin: Subject, found: Account) -> Finding | None:
    """The gradient may differ from the slope all over."""
    slopes = _majority(found)
    if slopes is None:
        return None
    evidence = {"autograd": slopes.said, "slope": slopes.seen, "change": found.change, "unexplained": found.unexplained}
    said = f"Autograd says the slope is {slopes.said:+.4g}, the loss itself says {slopes.seen:+.4g}"
    functions = _stops.by_hand(subject)
    surrogates = [function for function in functions if _stops.is_surrogate(twin, function)]
    wrong = [function.__name__ for function in functions if function not in surrogates]
    purpose, reading = _stops.stop_on_purpose(subject.trace), _stops.reading(subject.trace)
    if surrogates and not wrong:
        stop = f"The backward pass of `{surrogates[0].__name__}` is not that of its forward pass, which steps or passes"
        return _on_purpose(f"{stop} its input on. {said}.", {**evidence, "function": surrogates[0].__name__})
    if wrong and purpose is None and reading is None:
        return Finding(
            "gradient-mismatch",
            "error",
            f"{said}, along a line of predictions. The hand-written backward of `{wrong[0]}` is wrong.",
            f"Compare it with torch.autograd.gradcheck({wrong[0]}.apply, inputs in float64), or leave the backward "
            "pass to autograd.",
            {**evidence, "function": wrong[0]},
        )
    if purpose is not None:
        name = "no_grad()" if purpose.name not in _stops.DETACHES else spelt(purpose).strip("`")
        return _on_purpose(f"`{name}` is used at {purpose.place}. {said}.", {**evidence, "place": str(purpose.place)})
    if reading is not None:
        if _stops.reads_are_weights(subject):
            stop = f"{spelt(reading)} makes a constant weight at {reading.place}"
            return _on_purpose(f"{stop}. {said}.", {**evidence, "place": str(reading.place)})
        return _part(found, evidence, f"A term passes through {spelt(reading)} at {reading.place}")
    return Finding(
        "gradient-mismatch",
        "error",
        f"{said}, along a line of predictions. Training follows the gradient, not the loss.",
        "Look for a backward pass that is not autograd's own, and compare with torch.autograd.gradcheck in float64.",
        evidence,
    )


def _majority(found: Account) -> Slopes | None:
    """The slopes at the worst places, if they differ at most of those where both are known; the widest apart."""
    worst = found.parts[: 5 if found.line.dtype == torch.float64 else 3]  # fewer where each takes many calls
    known = [slopes for slopes in (slopes_in(found.line, part) for part in worst) if slopes is not None]
    apart = [slopes for slopes in known if slopes.differ]
    if len(apart) < 2 or 2 * len(apart) <= len(known):
        return None
    return max(apart, key=lambda slopes: abs(slopes.said - slopes.seen))


def _on_purpose(said: str, evidence: Mapping[str, object]) -> Finding:
    return Finding(
        "stopped-on-purpose",
        "note",
        f"{said} The gradient is not the derivative of the value.",
        "Fine if intended; otherwise leave it out.",
        evidence,
    )


def _jumps(subject: Subject, found: Account) -> Finding | None:
    """The loss may jump where the gradient does not: a decision is a term of it."""
    if found.unexplained <= JUMP_SHARE * found.change:
        return None
    jumps = [jump for jump in (jump_in(found.line, part) for part in found.parts[:3]) if jump is not None]
    if not jumps:
        return None
    # Where the gradient jumps, too, a decision selects what counts, as hard examples are selected.
    if all(jump.gradient_jumps for jump in jumps) and not _stops.adds_decisions(subject.trace):
        return None
    highest = max(jumps, key=lambda jump: jump.height)
    evidence = {"change": found.change, "unexplained": found.unexplained, "jump": highest.height}
    purpose = _stops.stop_on_purpose(subject.trace)
    if purpose is not None:
        said = f"{spelt(purpose)} is used at {purpose.place}. The loss jumps by {number(highest.height)} at one place."
        return _on_purpose(said, {**evidence, "place": str(purpose.place)})
    return _part(found, evidence, _seen(subject, highest))


def _seen(subject: Subject, jump: Jump) -> str:
    stop = stopping(subject)
    seen = f" (I saw {spelt(stop)} at {stop.place})" if stop else ""
    return f"The rest are jumps, the highest of {number(jump.height)}: one term is not differentiable{seen}"


def _part(found: Account, evidence: Mapping[str, object], said: str) -> Finding:
    return Finding(
        "part-without-gradient",
        "error",
        f"Along a line of predictions the loss changes by {number(found.change)}, and its gradient leaves "
        f"{number(found.unexplained)} of that unexplained. {said}. That term is in the value, but nothing learns it.",
        "Use the soft value (probabilities) in place of the decision, and keep tensors: no .item(), no numpy. If the "
        "term is only to be watched, log it, and leave it out of what is returned.",
        evidence,
    )


@check("second-derivative", needs=("number", "gradient"), unless=STOPPED)
def second_derivative(subject: Subject) -> Iterator[Finding]:
    """The gradient can be differentiated again, where it changes."""
    twin = subject.double
    if twin is None or not subject.example.has_slope or subject.y_pred.numel() > LARGE:
        return
    if coarsest(twin) != torch.float64:  # differences over tiny widths would be noise
        return
    seen = [bend for bend in (_bend(twin, plausible(twin)) for _ in range(3)) if bend is not None]
    wrong = [bend for bend in seen if bend.error or bend.apart > 0.05 * bend.change]
    if len(wrong) < 2 or 2 * len(wrong) <= len(seen):
        return
    worst = max(wrong, key=lambda bend: bend.apart)
    what = f"raises {worst.error}" if worst.error else f"is {number(100 * worst.apart / worst.change)} % off"
    yield Finding(
        "no-double-backward",
        "note",
        f"The gradient changes at a rate of {number(worst.change)} as y_pred moves; its own backward pass {what}. "
        "Gradient penalties, meta-learning and second-order optimizers get a wrong answer, or none.",
        "Write the backward pass of a Function in differentiable operations on saved tensors, not on numbers that are "
        "detached; where no second derivative is needed, leave it as it is.",
        {"change": worst.change, "apart": worst.apart, "error": worst.error},
    )


@dataclass(frozen=True)
class Bend:
    """How fast the gradient changes along a direction, and how far from that autograd's answer is."""

    change: float
    apart: float
    error: str = ""


def _bend(twin: Subject, y_pred: Tensor) -> Bend | None:
    direction = twin.random()
    outcomes = [twin.evaluate(y_pred + step * direction) for step in (-1e-5, 1e-5, -3e-5, 3e-5)]
    gradients = [outcome.gradient for outcome in outcomes if outcome.gradient is not None and outcome.has_slope]
    graph = _stops.graph_of(twin, y_pred)
    if graph is None or len(gradients) < 4:
        return None
    change, wider = (gradients[1] - gradients[0]) / 2e-5, (gradients[3] - gradients[2]) / 6e-5
    size = float(change.norm())
    # At a kink nothing can be said, and of a gradient that does not change there is no second derivative.
    if float((change - wider).norm()) > 1e-2 * size or size <= 1e-4 * float(gradients[0].norm()):
        return None
    try:
        (gradient,) = torch.autograd.grad(graph[1], [graph[0]], create_graph=True)
        if not gradient.requires_grad:
            return Bend(size, size)
        # The slope of a sign, which abs() leaves, makes torch load its compiler, and that takes seconds.
        if any(node.name().startswith("Sgn") for node in _stops.nodes(gradient.sum())):
            return None
        (product,) = torch.autograd.grad((gradient * direction).sum(), [graph[0]], allow_unused=True)
    except RuntimeError as error:
        return Bend(size, size, f"{type(error).__name__}: {' '.join(str(error).split())[:100]}")
    return Bend(size, size if product is None else float((product - change).norm()))


CHECKS: tuple[Check, ...] = (gradient_is_slope, second_derivative)
