"""A look at a training step, and what looks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from torchobjectives.check._calls import Part
from torchobjectives.check._report import Finding

# In so many looks one after the other a thing must be seen.
LOOKS = 3
# After so many looks what costs most looks at every fourth.
OFTEN, SELDOM = 5, 4


@dataclass
class Look:
    """What there is to see at a step."""

    step: int
    count: int
    """How many looks there were before."""
    value: float
    mean: float
    """Of the losses since the last look."""
    loss: Tensor
    whole: Part
    parts: list[Part]
    steps_now: Callable[[], int]
    """At which step the training is when that is asked."""


class Signal:
    """One thing that may be seen."""

    done = False
    """Whether it has nothing more to say."""
    seldom = False
    """Whether it looks less often when it has looked often enough: what it sees is mostly so from the start."""

    def look(self, look: Look) -> Iterator[Finding]:
        """Look, and say what is found."""
        raise NotImplementedError

    def close(self) -> None:
        """Leave nothing behind."""


def varies(y_true: Tensor) -> bool:
    """Whether the targets differ from sample to sample."""
    return len(y_true) > 1 and bool((y_true != y_true[:1]).any())


def sums_to_one(values: Tensor, axis: int) -> bool:
    sums = values.double().sum(axis)
    return bool(torch.allclose(sums, torch.ones_like(sums), atol=1e-3 if values.dtype == torch.float32 else 2e-2))


def listed(names: Iterable[str]) -> str:
    """``log_vars, centres and 3 more``."""
    every = list(names)
    return ", ".join(every[:3]) + (f" and {len(every) - 3} more" if len(every) > 3 else "")
