"""What a loss is called with in training: its terms, each with what it got, and how one is called again."""

from __future__ import annotations

import copy
import functools
import inspect
import random
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from torch import Tensor, nn

from torchobjectives.check._repeat import is_heavy, is_repeatable, is_replayable
from torchobjectives.check._subject import Outcome, Subject
from torchobjectives.objective import BoundObjective, Objective, _item

# Of what is larger the first samples are looked at: a look must not cost as much as a step.
LARGE = 2**18
# So few samples say nothing.
FEW = 8


@dataclass
class Part:
    """A term of a loss, and what it was called with; most losses are one."""

    loss: Callable[..., Any]
    y_pred: Any
    y_true: Any
    rest: tuple[Any, ...] = ()
    named: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    """Of a term of an objective; empty where there is one alone."""
    factor: float = 1.0

    @property
    def of(self) -> str:
        """Which term it is, in a sentence."""
        return f" of term {self.name!r}" if self.name else ""

    @functools.cached_property
    def plain(self) -> bool:
        """Whether it is of two tensors, y_pred and y_true, with the samples along their first axis."""
        pred, true = self.y_pred, self.y_true
        if self.rest or self.named or not (isinstance(pred, Tensor) and isinstance(true, Tensor)):
            return False
        return pred.is_floating_point() and pred.shape[:1] == true.shape[:1] and pred.shape[:1].numel() > 1

    @property
    def again(self) -> Callable[..., Any]:
        """The loss as a function of y_pred and y_true alone."""
        bare = not (self.rest or self.named or is_heavy(self.loss))
        return self.loss if bare else _Again(self.loss, self.rest, self.named)

    @functools.cached_property
    def is_repeatable(self) -> bool:
        """Whether nothing notices that it is called again; every signal of a look asks, and the code is read once."""
        return is_repeatable(self.loss, *self.rest, *self.named.values())

    @property
    def is_replayable(self) -> bool:
        """Whether no number of the training changes when it is called again."""
        return is_replayable(self.loss, *self.rest, *self.named.values())

    def sample(self) -> Subject | None:
        """What can be looked at but not called: of a large batch its first samples; None where that makes no sense."""
        rows = self.rows if self.plain else 0
        return Quiet(self.loss, self.bare[:rows], self.y_true.detach()[:rows]) if rows >= 2 else None

    def subject(self) -> Subject | None:
        """What can be asked anything: a sample, of a loss that may be called again."""
        return self.sample() if self.plain and self.is_repeatable else None

    def whole(self) -> Subject | None:
        """What can be asked for the loss of this batch again, whatever its other arguments are."""
        tensors = isinstance(self.y_pred, Tensor) and isinstance(self.y_true, Tensor)
        if not tensors or self.y_pred.numel() > LARGE or not self.is_repeatable:
            return None
        return Quiet(self.again, self.bare, self.y_true.detach())

    @functools.cached_property
    def bare(self) -> Tensor:
        """y_pred without its graph."""
        bare: Tensor = self.y_pred.detach()
        return bare

    @functools.cached_property
    def rows(self) -> int:
        """How many samples are looked at."""
        count = self.y_pred.shape[0]
        fitting = LARGE * count // max(self.y_pred.numel(), 1)
        return count if fitting >= count else fitting if fitting >= FEW else 0


class Quiet(Subject):
    """What can be asked in the middle of a training, which then goes on as if nobody had."""

    def evaluate(self, *given: Any, **options: Any) -> Outcome:
        """Call the loss, and leave the random numbers as they are."""
        with undisturbed():
            return super().evaluate(*given, **options)


class _Again:
    """A loss with the rest of its arguments; a copy copies the loss alone, and what is heavy not at all."""

    def __init__(self, loss: Callable[..., Any], rest: tuple[Any, ...], named: Mapping[str, Any]) -> None:
        self.loss, self.rest, self.named = loss, rest, named

    def __call__(self, y_pred: Any, y_true: Any) -> Any:
        return self.loss(y_pred, y_true, *self.rest, **self.named)

    def __deepcopy__(self, memo: dict[int, Any]) -> _Again:
        return self if is_heavy(self.loss) else _Again(copy.deepcopy(self.loss, memo), self.rest, self.named)


def names_of(loss: Callable[..., Any]) -> tuple[str, ...]:
    """The names of the arguments that can be given by place."""
    try:
        parameters = inspect.signature(loss.forward if isinstance(loss, nn.Module) else loss).parameters.values()
    except (TypeError, ValueError):
        return ()
    return tuple(p.name for p in parameters if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD))


def split(
    names: tuple[str, ...], args: tuple[Any, ...], kwargs: Mapping[str, Any]
) -> tuple[Any, Any, tuple[Any, ...], dict[str, Any]]:
    """y_pred, y_true and the rest of a call, by place and by name."""
    named = dict(kwargs)
    given = list(args[:2])
    for name in names[len(given) : 2]:
        if name in named:
            given.append(named.pop(name))
    while len(given) < 2 and named:
        given.append(named.pop(next(iter(named))))
    y_pred, y_true = [*given, None, None][:2]
    return y_pred, y_true, args[2:], named


def parts_of(part: Part) -> list[Part]:
    """The loss terms of an objective; of any other loss the one that there is."""
    loss = part.loss.objective if isinstance(part.loss, BoundObjective) else part.loss
    if not isinstance(loss, Objective):
        named = {name: value for name, value in part.named.items() if value is not None}
        return [part if len(named) == len(part.named) else replace(part, named=named)]
    by_name = isinstance(part.y_pred, Mapping) and isinstance(part.y_true, Mapping)

    def own(value: Any, name: str) -> Any:
        return value.get(name) if by_name and isinstance(value, Mapping) else value

    found = []
    for name, module in loss.losses.items():
        given = {key: own(part.named.get(key), name) for key in ("weight", "mask")}
        found.append(
            Part(
                _item(module),
                own(part.y_pred, name),
                own(part.y_true, name),
                named={key: value for key, value in given.items() if value is not None},
                name=name if by_name else "",
                factor=loss.term_weights[name],
            )
        )
    return found


def detached(value: Any) -> Any:
    """Nested tensors without their graphs."""
    if isinstance(value, Tensor):
        return value.detach()
    if isinstance(value, Mapping):
        return {key: detached(entry) for key, entry in value.items()}
    if type(value) in (list, tuple):
        return type(value)(detached(entry) for entry in value)
    return value


@contextmanager
def undisturbed() -> Iterator[None]:
    """The random numbers of Python and numpy are afterwards what they were; of torch's a subject takes care."""
    numpy_random = sys.modules.get("numpy.random")
    state, numpy_state = random.getstate(), numpy_random.get_state() if numpy_random else None
    try:
        yield
    finally:
        random.setstate(state)
        if numpy_random:
            numpy_random.set_state(numpy_state)
