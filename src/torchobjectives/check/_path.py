"""The loss along a line of predictions: what its gradient explains of its change, and where it jumps."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise
from statistics import median
from typing import Any

import torch
from torch import Tensor

from torchobjectives.check._subject import Subject

# How often the worst part is halved: a kink or a steep piece vanishes on the way, a jump does not.
HALVINGS = {torch.float64: 14, torch.float32: 10}
# Of what is not explained in a part; less than that, and it vanishes.
LEFT = 3e-3
# What float64 and float32 leave of a number after some arithmetic.
NOISE = {torch.float64: 1e-11, torch.float32: 1e-5}
# Into so many stretches a part is cut where differences over tiny widths are noise.
STRETCHES = 16


@dataclass(frozen=True)
class Point:
    """The loss at one place of the line, its slope along it and its gradient."""

    value: float
    slope: float
    size: float
    """What the slope would be about if its terms, of one number each, had random signs."""
    gradient: Tensor


@dataclass
class Line:
    """The loss between two predictions; places are numbers from 0 to 1."""

    subject: Subject
    start: Tensor
    end: Tensor
    loss: Callable[..., Any] | None = None
    _points: dict[float, Point | None] = field(default_factory=dict)

    @functools.cached_property
    def dtype(self) -> torch.dtype:
        """How precise the loss is, whatever y_pred is."""
        return coarsest(self.subject)

    def __call__(self, place: float) -> Point | None:
        """The loss at a place; None where it is not finite, or has no gradient."""
        if place not in self._points:
            step = self.end - self.start
            outcome = self.subject.evaluate(self.start + place * step, loss=self.loss)
            usable = outcome.is_number and outcome.has_slope and outcome.gradient is not None
            point = None
            if usable and outcome.gradient is not None:
                terms = outcome.gradient.double() * step.double()
                point = Point(outcome.number, float(terms.sum()), float(terms.norm()), outcome.gradient)
            self._points[place] = point
        return self._points[place]

    def unexplained(self, low: float, high: float) -> float:
        """The change of the loss between two places less the integral of its gradient, by Simpson's rule."""
        first, middle, last = self(low), self((low + high) / 2), self(high)
        if first is None or middle is None or last is None:
            return 0.0
        integral = (first.slope + 4 * middle.slope + last.slope) * (high - low) / 6
        return last.value - first.value - integral

    def central(self, place: float, width: float) -> float | None:
        """The slope at a place by differences."""
        before, after = self(place - width), self(place + width)
        return None if before is None or after is None else (after.value - before.value) / (2 * width)


def coarsest(subject: Subject) -> torch.dtype:
    """The dtype of the fewest digits that y_pred passes through on its way into the loss."""
    dtypes, passed = [subject.y_pred.dtype.to_real()], {id(subject.trace.sources["y_pred"])}
    for call in subject.trace.calls:
        if not any(id(tensor) in passed for tensor in call.inputs):
            continue
        # What is compared or counted, and then cast, has no digits to lose.
        numbers = [tensor for tensor in call.outputs if tensor.is_floating_point() or tensor.is_complex()]
        passed |= {id(tensor) for tensor in numbers}
        dtypes += [tensor.dtype.to_real() for tensor in numbers]
    return max(dtypes, key=lambda dtype: torch.finfo(dtype).eps)


@dataclass(frozen=True)
class Part:
    """A part of a line whose change the gradient does not explain."""

    low: float
    high: float
    unexplained: float


@dataclass(frozen=True)
class Account:
    """How much the loss changes along a line, and how much of it its gradient leaves unexplained."""

    line: Line
    change: float
    parts: tuple[Part, ...]
    """The worst first."""

    @property
    def unexplained(self) -> float:
        """Over all parts."""
        return sum(abs(part.unexplained) for part in self.parts)


def account(line: Line, count: int) -> Account | None:
    """Cut a line into so many parts, and compare the change over each with its gradient; None without any change."""
    cuts = [step / count for step in range(count + 1)]
    parts, change = [], 0.0
    for low, high in pairwise(cuts):
        first, last = line(low), line(high)
        if first is None or last is None or line((low + high) / 2) is None:
            continue
        change += abs(last.value - first.value)
        parts.append(Part(low, high, line.unexplained(low, high)))
    if len(parts) < count / 2 or change == 0:
        return None
    return Account(line, change, tuple(sorted(parts, key=lambda part: -abs(part.unexplained))))


@dataclass(frozen=True)
class Jump:
    """A place where the value jumps; whether the gradient jumps there, too."""

    height: float
    gradient_jumps: bool


def narrowed(line: Line, part: Part) -> Part:
    """The worst spot of a part, by halving it again and again."""
    low, high, rest = part.low, part.high, part.unexplained
    for _ in range(HALVINGS.get(line.dtype, 8)):
        middle = (low + high) / 2
        left, right = line.unexplained(low, middle), line.unexplained(middle, high)
        low, high, rest = (low, middle, left) if abs(left) >= abs(right) else (middle, high, right)
        if abs(rest) < LEFT * abs(part.unexplained):
            break
    return Part(low, high, rest)


def jump_in(line: Line, part: Part) -> Jump | None:
    """The jump that a part holds, if the change that is not explained stays where the part is narrowed."""
    spot = narrowed(line, part)
    first, last = line(spot.low), line(spot.high)
    if first is None or last is None:
        return None
    width, height = spot.high - spot.low, abs(last.value - first.value)
    noise = NOISE.get(line.dtype, 1e-2) * max(abs(first.value), abs(last.value))
    # Next to a jump the loss hardly moves; where it is rough all over, this is none.
    beside = line(spot.low - width), line(spot.high + width)
    around = [abs(a.value - b.value) for a, b in zip(beside, (first, last), strict=True) if a is not None]
    if height <= max(noise, LEFT * abs(part.unexplained), 20 * max(around, default=0.0)):
        return None
    slope = max(float(first.gradient.norm()), float(last.gradient.norm()))
    difference = float((first.gradient - last.gradient).norm())
    return Jump(height, difference > 1e-3 * slope)


@dataclass(frozen=True)
class Slopes:
    """The slope that autograd says, and the one that the loss shows."""

    said: float
    seen: float
    slack: float = 0.0
    """How far apart they may be, where neither is exact."""

    @property
    def differ(self) -> bool:
        """Whether by more than a hundredth."""
        return abs(self.said - self.seen) > max(1e-2 * max(abs(self.said), abs(self.seen)), self.slack)


def slopes_in(line: Line, part: Part) -> Slopes | None:
    """Both slopes within a part; None where nothing can be said."""
    if line.dtype == torch.float64:
        return slopes_at(line, (part.low + part.high) / 2)
    # In half precision values are steps, and gradients are rounded as well.
    return slopes_over(line, part) if line.dtype == torch.float32 else None


def slopes_at(line: Line, place: float) -> Slopes | None:
    """Both slopes at a place; None where differences of two widths do not agree, as at a kink."""
    point = line(place)
    near, far = (line.central(place, width) for width in (1e-5, 1e-4))
    if point is None or near is None or far is None:
        return None
    if 10 * abs(near - far) > max(abs(point.slope - near), 1e-2 * abs(near)):
        return None
    return Slopes(point.slope, near)


def slopes_over(line: Line, part: Part) -> Slopes | None:
    """Both slopes over a part that is wide enough for few digits, its kinks kept apart."""
    width = (part.high - part.low) / STRETCHES
    points = [point for at in range(STRETCHES + 1) if (point := line(part.low + at * width)) is not None]
    if len(points) <= STRETCHES:
        return None
    pairs = list(pairwise(points))
    rests = [(b.value - a.value) / width - (a.slope + b.slope) / 2 for a, b in pairs]
    rest = median(rests)
    said = sum(a.slope + b.slope for a, b in pairs) / (2 * STRETCHES)
    # A kink or a jump is in a few of the stretches, and noise has both signs: a wrong slope is in all.
    steady = sum(each * rest > 0 and abs(each) > abs(rest) / 2 for each in rests)
    if steady < 0.75 * STRETCHES:
        return Slopes(said, said)
    # Within a stretch the slope may be any between those at its ends.
    turning = sum(abs(b.slope - a.slope) for a, b in pairs) / (2 * STRETCHES)
    noise = NOISE[line.dtype] * max(abs(point.value) for point in points) / (part.high - part.low)
    size = max(point.size for point in points)
    return Slopes(said, said + rest, max(turning, noise, 1e-2 * size))
