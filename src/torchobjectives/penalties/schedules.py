"""Schedules: a coefficient that changes from one optimizer step to the next."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias, final

from torchobjectives._validate import number, whole

__all__ = ["Coefficient", "Schedule", "cosine_schedule", "linear_schedule"]

Schedule: TypeAlias = Callable[[int], float]
Coefficient: TypeAlias = float | Schedule


def linear_schedule(start: float, stop: float, steps: int) -> Schedule:
    """From ``start`` to ``stop`` in a straight line over ``steps`` optimizer steps, then ``stop``.

    Args:
        start: The coefficient of the first step, >= 0.
        stop: The coefficient from step ``steps`` on, >= 0.
        steps: How many steps the way takes, >= 1.

    Returns:
        A coefficient for any penalty: ``L1(linear_schedule(0, 1e-3, 500))``.

    Raises:
        ValueError: A coefficient that is negative, NaN or infinite; fewer than 1 step.

    Example:
        >>> warm_up = linear_schedule(0.0, 0.1, 10)
        >>> [warm_up(step) for step in (0, 5, 10, 11)]
        [0.0, 0.05, 0.1, 0.1]
    """
    return _Linear(start, stop, steps)


def cosine_schedule(start: float, stop: float, steps: int) -> Schedule:
    """From ``start`` to ``stop`` along half a cosine over ``steps`` optimizer steps, then ``stop``.

    Args:
        start: The coefficient of the first step, >= 0.
        stop: The coefficient from step ``steps`` on, >= 0.
        steps: How many steps the way takes, >= 1.

    Returns:
        A coefficient for any penalty.

    Raises:
        ValueError: A coefficient that is negative, NaN or infinite; fewer than 1 step.

    Example:
        >>> [round(cosine_schedule(0.0, 0.1, 10)(step), 4) for step in (0, 5, 10, 11)]
        [0.0, 0.05, 0.1, 0.1]
    """
    return _Cosine(start, stop, steps)


@dataclass(frozen=True)
class _Way:
    start: float
    stop: float
    steps: int

    def __post_init__(self) -> None:
        number("start", self.start, low=0.0)
        number("stop", self.stop, low=0.0)
        whole(steps=self.steps, low=1)

    def _at(self, share: float) -> float:
        return (1 - share) * self.start + share * self.stop


@final
class _Linear(_Way):
    def __call__(self, step: int) -> float:
        return self._at(min(step / self.steps, 1.0))

    def __repr__(self) -> str:
        return f"linear_schedule({self.start}, {self.stop}, {self.steps})"


@final
class _Cosine(_Way):
    def __call__(self, step: int) -> float:
        return self._at((1 - math.cos(math.pi * min(step / self.steps, 1.0))) / 2)

    def __repr__(self) -> str:
        return f"cosine_schedule({self.start}, {self.stop}, {self.steps})"


def checked_coefficient(coefficient: object) -> Coefficient:
    """A number >= 0, or a schedule, as it was given."""
    return coefficient if callable(coefficient) else number("coefficient", coefficient, low=0.0)


def at(coefficient: Coefficient, step: int) -> float:
    """The coefficient of a step.

    Raises:
        ValueError: a schedule gives a number that is none, negative or infinite.
    """
    return (
        number(f"the schedule's coefficient of step {step}", coefficient(step), low=0.0)
        if callable(coefficient)
        else coefficient
    )
