"""The selectors themselves: each chooses among the entries of an inventory, and any two combine."""

from __future__ import annotations

import abc
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NoReturn, final, get_args

from torch import nn

from torchobjectives._validate import choice, near
from torchobjectives.params._marks import expression
from torchobjectives.params._roles import Entry, Role, inventory


class Selector(abc.ABC):
    """Chooses among the trainable parameters of a model.

    Called on a model it gives ``(name, parameter)`` pairs in the model's own order: tied tensors once, under
    their first name; frozen ones never. ``a | b`` selects what either does, ``a & b`` what both do, ``a - b``
    what ``a`` does and ``b`` does not; a string on the right is a pattern of names. As everywhere in Python,
    ``-`` binds before ``&``, and ``&`` before ``|``.
    """

    def __call__(self, model: nn.Module) -> list[tuple[str, nn.Parameter]]:
        """The selected ``(name, parameter)`` pairs of the model."""
        return [(entry.name, entry.parameter) for entry in trainable(self, inventory(model))]

    @abc.abstractmethod
    def pick(self, entries: Sequence[Entry]) -> list[Entry]:
        """The selected ones among all parameters of a model; whoever asks leaves the frozen ones out."""

    def __or__(self, other: Selector | str) -> Selector:
        """What one of the two selects."""
        return Combined("|", self, as_selector(other))

    def __and__(self, other: Selector | str) -> Selector:
        """What both select."""
        return Combined("&", self, as_selector(other))

    def __sub__(self, other: Selector | str) -> Selector:
        """What this one selects and the other does not."""
        return Combined("-", self, as_selector(other))

    def __bool__(self) -> NoReturn:
        raise TypeError(f"{self!r} is neither true nor false before it meets a model: combine selectors by |, & and -")

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def trainable(selector: Selector, entries: Sequence[Entry]) -> list[Entry]:
    """What a selector picks and training changes, in the model's own order."""
    picked = {entry.name for entry in selector.pick(entries)}
    return [entry for entry in entries if entry.name in picked and entry.trainable]


def as_selector(chosen: object) -> Selector:
    """A selector as it is, and a string as a pattern."""
    if isinstance(chosen, Selector):
        return chosen
    if isinstance(chosen, str):
        return Matching((chosen,))
    raise TypeError(f"wanted a selector such as select.weights(), or a pattern such as '*.bias', got {chosen!r}")


@final
@dataclass(frozen=True, repr=False)
class Combined(Selector):
    """Two selectors and what becomes of them; both are asked, so a pattern without a match is always found out."""

    sign: Literal["|", "&", "-"]
    left: Selector
    right: Selector

    def pick(self, entries: Sequence[Entry]) -> list[Entry]:
        left = {entry.name for entry in self.left.pick(entries)}
        right = {entry.name for entry in self.right.pick(entries)}
        kept = left | right if self.sign == "|" else left & right if self.sign == "&" else left - right
        return [entry for entry in entries if entry.name in kept]

    def __repr__(self) -> str:
        sides = (f"({side!r})" if isinstance(side, Combined) else repr(side) for side in (self.left, self.right))
        return f" {self.sign} ".join(sides)


@final
@dataclass(frozen=True, repr=False)
class Weights(Selector):
    """What is regularized by default: the role says so, unless a mark says otherwise."""

    def pick(self, entries: Sequence[Entry]) -> list[Entry]:
        return [e for e in entries if e.mark == "regularized" or (e.mark is None and e.role == "weight")]

    def __repr__(self) -> str:
        return "select.weights()"


@final
@dataclass(frozen=True, repr=False)
class OfRole(Selector):
    """By role; ``spelling`` is the function that the user called."""

    roles: tuple[Role, ...]
    spelling: str = "role"

    def __post_init__(self) -> None:
        if not self.roles:
            raise ValueError('select.role() needs at least one role, such as "bias"')
        for role in self.roles:
            choice("role", role, get_args(Role))

    def pick(self, entries: Sequence[Entry]) -> list[Entry]:
        return [entry for entry in entries if entry.role in self.roles]

    def __repr__(self) -> str:
        return f"select.{self.spelling}({', '.join(map(repr, self.roles)) if self.spelling == 'role' else ''})"


@final
@dataclass(frozen=True, repr=False)
class OfType(Selector):
    """By the types of the modules around a parameter."""

    types: tuple[type, ...]

    def __post_init__(self) -> None:
        if not self.types:
            raise ValueError("select.of_type() needs at least one type, such as nn.Linear")
        for kind in self.types:
            if not isinstance(kind, type):
                raise TypeError(f"select.of_type() wants types such as nn.Linear, got {kind!r}")

    def pick(self, entries: Sequence[Entry]) -> list[Entry]:
        return [e for e in entries if any(isinstance(module, self.types) for module in e.within())]

    def __repr__(self) -> str:
        return f"select.of_type({', '.join(kind.__name__ for kind in self.types)})"


@final
@dataclass(frozen=True, repr=False)
class Everything(Selector):
    """All parameters."""

    def pick(self, entries: Sequence[Entry]) -> list[Entry]:
        return list(entries)

    def __repr__(self) -> str:
        return "select.everything()"


@final
@dataclass(frozen=True, repr=False)
class Matching(Selector):
    """By name."""

    patterns: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.patterns:
            raise ValueError('select.matching() needs at least one pattern, such as "*.head.*"')
        for pattern in self.patterns:
            if not isinstance(pattern, str):
                raise TypeError(f"a pattern must be a string, got {pattern!r} of type {type(pattern).__name__}")
            if not pattern:
                raise ValueError('a pattern must not be empty; "*" matches every parameter')

    def pick(self, entries: Sequence[Entry]) -> list[Entry]:
        chosen: set[str] = set()
        for pattern in self.patterns:
            wanted = expression(pattern)
            matched = [e for e in entries if any(re.fullmatch(wanted, alias) for alias in e.aliases)]
            if not matched:
                names = [entry.name for entry in entries]
                raise ValueError(f"pattern {pattern!r} matches no parameter. {near(pattern, names)}")
            chosen.update(entry.name for entry in matched)
        return [entry for entry in entries if entry.name in chosen]

    def __repr__(self) -> str:
        return f"select.matching({', '.join(map(repr, self.patterns))})"
