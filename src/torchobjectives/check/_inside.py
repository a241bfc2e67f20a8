"""What a loss holds: its attributes, and what its functions take from outside, each with the name it has there."""

from __future__ import annotations

import functools
import random
import sys
import types
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

import torch
from torch import Tensor, nn

# What torch keeps in a module for itself.
INTERNAL = frozenset(vars(nn.Module()))
DEPTH, ENTRIES = 8, 5000
PLAIN = (str, bytes, int, float, complex, bool, type(None), torch.dtype, torch.device, torch.Size, range, slice)


@dataclass(frozen=True)
class Held:
    """Something that a loss holds."""

    path: str
    """How the loss writes it: ``self.weights[0]``, or ``net.0.weight`` of what it takes from outside."""
    value: Any
    module: str | None = None
    """The outermost module on the way to it, other than the loss: ``net``."""


@dataclass
class Walk:
    """A walk through what a loss holds, each thing once.

    Args:
        outside: Whether to follow what functions take from outside: closures, defaults and globals.
        foreign: Whether to enter modules that the loss does not register.
    """

    outside: bool = True
    foreign: bool = True

    def __post_init__(self) -> None:
        self.seen: set[int] = set()
        self.left = ENTRIES
        self.registered: set[int] = set()

    def all_of(self, loss: Any) -> Iterator[Held]:
        """Everything, the attributes first."""
        if isinstance(loss, nn.Module):
            self.registered = {id(module) for module in loss.modules()}
        if isinstance(loss, functools.partial | types.FunctionType | types.MethodType):
            yield from self.entries_of(loss, "", None, 0)
            return
        yield from self.entries_of(loss, "self", None, 0)
        for kind in own_classes(loss):
            for name, value in vars(kind).items():
                if isinstance(value, types.FunctionType):
                    yield from self.taken(value, None, 0) if self.outside else ()
                elif not name.startswith("__"):
                    yield from self.visit(f"self.{name}", value, None, 0)

    def visit(self, path: str, value: Any, module: str | None, depth: int) -> Iterator[Held]:
        """A thing, and what is in it."""
        if isinstance(value, PLAIN) or id(value) in self.seen or self.left <= 0:
            return
        self.seen.add(id(value))
        self.left -= 1
        if isinstance(value, nn.Module) and id(value) not in self.registered:
            if not self.foreign:
                return
            module = module or path
        yield Held(path, value, module)
        if depth < DEPTH:
            yield from self.entries_of(value, path, module, depth + 1)

    def entries_of(self, value: Any, path: str, module: str | None, depth: int) -> Iterator[Held]:
        """What is in a thing."""
        if isinstance(value, Tensor | type | types.ModuleType | types.BuiltinFunctionType):
            return
        for name, entry in self.named(value, path):
            yield from self.visit(name, entry, module, depth)
        if isinstance(value, types.FunctionType) and self.outside:
            yield from self.taken(value, module, depth)

    def named(self, value: Any, path: str) -> Iterator[tuple[str, Any]]:
        """The parts of a thing that is no function."""
        dot = f"{path}." if path else ""
        if isinstance(value, functools.partial):
            yield path or getattr(value.func, "__name__", type(value.func).__name__), value.func
            yield from ((f"{dot}args[{at}]", entry) for at, entry in enumerate(value.args))
            yield from ((f"{dot}{name}", entry) for name, entry in value.keywords.items())
        elif isinstance(value, types.MethodType):
            yield path or "self", value.__self__
            yield path, value.__func__
        elif isinstance(value, dict):
            yield from ((f"{path}[{key!r}]", entry) for key, entry in islice(list(value.items()), ENTRIES))
        elif isinstance(value, list | tuple | deque):
            yield from ((f"{path}[{at}]", entry) for at, entry in enumerate(islice(value, ENTRIES)))
        elif isinstance(value, set | frozenset):
            yield from ((path, entry) for entry in islice(value, ENTRIES))
        elif isinstance(value, nn.Module):
            for part in (value._parameters, value._buffers, value._modules):
                yield from ((f"{dot}{name}", entry) for name, entry in part.items())
            yield from ((f"{dot}{name}", entry) for name, entry in vars(value).items() if name not in INTERNAL)
        elif not isinstance(value, types.FunctionType) and isinstance(getattr(value, "__dict__", None), dict):
            yield from ((f"{dot}{name}", entry) for name, entry in list(vars(value).items()))

    def taken(self, function: types.FunctionType, module: str | None, depth: int) -> Iterator[Held]:
        """What a function takes from outside."""
        for name, value in outside_of(function):
            yield from self.visit(name, value, module, depth)


def outside_of(function: types.FunctionType) -> Iterator[tuple[str, Any]]:
    """The names a function finds outside, and what they stand for: closure, defaults, globals."""
    code = function.__code__
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            yield name, cell.cell_contents
        except ValueError:  # not bound yet
            continue
    positional = code.co_varnames[: code.co_argcount]
    defaults = function.__defaults__ or ()
    yield from zip(positional[len(positional) - len(defaults) :], defaults, strict=True)
    yield from (function.__kwdefaults__ or {}).items()
    if not is_library(function.__module__):
        for name in sorted(names_of(code)):
            value = function.__globals__.get(name)
            if not (isinstance(value, types.FunctionType) and is_library(value.__module__)):
                yield name, value


def names_of(code: types.CodeType) -> set[str]:
    """The names of globals and attributes in a function, and in the functions within."""
    found = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            found |= names_of(constant)
    return found


def own_classes(loss: Any) -> Iterator[type]:
    """The classes of a loss that somebody wrote, torch's left out."""
    for kind in type(loss).__mro__:
        if kind is not object and not is_library(kind.__module__):
            yield kind


def is_library(module: Any) -> bool:
    """Whether a module's name is one of torch's or of Python's own."""
    top = str(module).partition(".")[0]
    return top in ("torch", "numpy") or (top in sys.stdlib_module_names and top != "__main__")


def functions_of(loss: Any) -> list[types.FunctionType]:
    """The functions that a loss is made of, as far as somebody wrote them."""
    functions = [held.value for held in Walk().all_of(loss) if isinstance(held.value, types.FunctionType)]
    functions += [loss] if isinstance(loss, types.FunctionType) else []
    functions += [v for kind in own_classes(loss) for v in vars(kind).values() if isinstance(v, types.FunctionType)]
    return functions


def words_of(loss: Any) -> set[str]:
    """The names of globals and attributes in the code of a loss."""
    return set().union(*(names_of(function.__code__) for function in functions_of(loss)))


def integers_of(loss: Any) -> set[int]:
    """The integers that are written in the code of a loss, those of its shapes too."""
    found: set[int] = set()
    left: list[Any] = [function.__code__ for function in functions_of(loss)]
    while left:
        one = left.pop()
        left += one.co_consts if isinstance(one, types.CodeType) else one if isinstance(one, tuple) else ()
        if type(one) is int:
            found.add(one)
    return found


def _starts(seed: int) -> dict[type, Callable[[Any], Any]]:
    """The kinds of generators of random numbers, and how each is started anew."""
    starts: dict[type, Callable[[Any], Any]] = {
        torch.Generator: lambda generator: generator.manual_seed(seed),
        random.Random: lambda generator: generator.seed(seed),
    }
    if (numpy := sys.modules.get("numpy")) is not None:
        starts[numpy.random.RandomState] = lambda generator: generator.seed(seed)
        starts[numpy.random.Generator] = lambda generator: setattr(
            generator.bit_generator, "state", type(generator.bit_generator)(seed).state
        )
    return starts


def holds_generator(loss: Any) -> bool:
    """Whether a loss reaches a generator of random numbers, one of its module's too."""
    kinds = tuple(_starts(0))
    return any(isinstance(held.value, kinds) for held in Walk().all_of(loss))


def reseed(loss: Any, seed: int, original: Any) -> bool:
    """Start the generators that a copy holds anew, but none that it shares with the original; whether there are any."""
    shared = {id(held.value) for held in Walk(outside=False).all_of(original)}
    found = False
    for held in Walk(outside=False).all_of(loss):
        for kind, start in _starts(seed).items():
            if isinstance(held.value, kind) and id(held.value) not in shared:
                start(held.value)
                found = True
    return found


def listed(names: list[str], most: int = 3) -> str:
    """Names in a sentence.

    >>> listed(["self.a", "self.b"])
    '`self.a` and `self.b`'
    """
    shown = [f"`{name}`" for name in names[:most]]
    if len(names) > most:
        return f"{', '.join(shown)} and {len(names) - most} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]] if len(shown) > 1 else shown)


def last_of(path: str) -> str:
    """The name at the end of a path.

    >>> last_of("self.heads[0]")
    'heads'
    """
    return path.rpartition(".")[2].split("[")[0]
