"""Whether a loss may be called again while a model trains, and nothing else notices."""

from __future__ import annotations

import copy
import dis
import functools
import inspect
import sys
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum
from typing import Any

import torch
from torch import Tensor, nn

from torchobjectives.check._trace import is_foreign

# What has more numbers of its own is not copied for a question.
HEAVY = 2**20
# How far functions that call functions are followed.
DEPTH = 4
OURS = {"torch", "torchobjectives"}
# Of these modules any function may be called; of others those that are named are looked into.
SILENT = OURS | {"cmath", "collections", "copy", "dataclasses", "enum", "functools", "itertools", "math", "numpy"}
SILENT |= {"operator", "random", "statistics", "time", "typing", "warnings"}
KNOWN = OURS | {"numpy"} | sys.stdlib_module_names  # classes of these do nothing but what they are for
SPEAKS = {"print", "open", "input"}
BINDS = {"next", "__next__", "setattr", "delattr", "exec", "eval", "globals", "vars", "__setattr__", "__dict__"}
# Methods that write into a tensor end in "_"; these, and what getattr gives, may write too.
WRITES = {"__setitem__", "__iadd__", "__isub__", "__imul__", "__itruediv__", "backward", "copyto", "getattr"}
WRITES |= {"setitem", "iadd", "isub", "imul", "itruediv", "ipow", "batch_norm", "instance_norm"}
MUTATES = {"append", "appendleft", "extend", "insert", "add", "update", "setdefault", "pop", "popleft", "popitem"}
MUTATES |= {"clear", "remove", "discard", "sort", "step"}
PLAIN = (int, float, complex, str, bytes, bool, type(None), range, Enum, torch.dtype, torch.device)


def is_repeatable(loss: Callable[..., Any], *given: Any) -> bool:
    """Whether a call of a copy of the loss, with what is given besides the batch, changes nothing that stays."""
    known = isinstance(loss, nn.Module | functools.partial) or inspect.isroutine(loss) or _root(type(loss)) == "torch"
    return known and not is_heavy(loss) and not _surveyed(loss, given).is_noticed


def is_replayable(loss: Callable[..., Any], *given: Any) -> bool:
    """Whether a call of a copy of the loss changes no number of the training; that it is called may be noticed."""
    return not _surveyed(loss, given).changes


def is_heavy(loss: Any) -> bool:
    """Whether a copy of it would be large, or one of a whole trainer."""
    if isinstance(loss, nn.Module):
        return sum(tensor.numel() for tensor in (*loss.parameters(), *loss.buffers())) > HEAVY
    return inspect.ismethod(loss) and not isinstance(loss.__self__, type)


def _surveyed(loss: Any, given: Iterable[Any]) -> _Survey:
    survey = _Survey()
    if is_heavy(loss) or inspect.isroutine(loss) or isinstance(loss, functools.partial):
        survey.value(loss, DEPTH)
    else:
        survey.copied(loss, DEPTH)
    for value in given:
        survey.value(value, DEPTH)
    return survey


@dataclass(frozen=True)
class _Code:
    """What the code of a function does, with that of the functions within it."""

    names: frozenset[str]
    """Of globals, attributes and methods."""
    binds: bool
    """Whether it gives a name or an attribute that stays another value."""
    binds_own: bool
    """Whether it does so with an attribute of its first argument."""
    writes: bool
    """Whether it may write into a tensor or a container."""


@functools.lru_cache(maxsize=512)
def _read(code: types.CodeType) -> _Code:
    """Read the instructions; in doubt a function does more than less."""
    parts = list(_nested(code))
    names = frozenset(name for part in parts for name in part.co_names)
    binds, binds_own = bool(names & BINDS), False
    writes = any(map(_is_of_a_write, names))
    for part in parts:
        # The names of arguments are a constant.
        writes = writes or any(isinstance(c, tuple) and {"out", "inplace"} & set(c) for c in part.co_consts)
        instructions = list(dis.get_instructions(part))
        for at, instruction in enumerate(instructions):
            name = instruction.opname
            outer = name in ("STORE_DEREF", "DELETE_DEREF") and instruction.argval in code.co_freevars
            binds = binds or outer or name in ("STORE_GLOBAL", "DELETE_GLOBAL", "IMPORT_NAME")
            writes = writes or name in ("STORE_SUBSCR", "STORE_SLICE", "DELETE_SUBSCR")
            writes = writes or (_is_in_place(instruction) and not _is_of_a_new_local(instructions, at))
            if name in ("STORE_ATTR", "DELETE_ATTR"):
                own = bool(part.co_argcount) and _holder(instructions, at) == part.co_varnames[0]
                binds, binds_own = binds or not own, binds_own or own
    return _Code(names, binds, binds_own, writes)


def _is_of_a_write(name: str) -> bool:
    return name in WRITES or (name.endswith("_") and not name.endswith("__"))


def _nested(code: types.CodeType) -> Iterator[types.CodeType]:
    yield code
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield from _nested(constant)


def _is_in_place(instruction: dis.Instruction) -> bool:
    return instruction.opname == "BINARY_OP" and instruction.argrepr.endswith("=")


def _is_of_a_new_local(instructions: list[dis.Instruction], at: int) -> bool:
    """Whether ``total += …`` is of a local that was made by arithmetic or of a constant: nobody else holds that."""
    store = instructions[at + 1]
    if store.opname != "STORE_FAST":
        return False
    before = [
        instructions[place - 1]
        for place, other in enumerate(instructions)
        if other.opname.startswith("STORE_FAST") and store.argval == other.argval and place > 0
    ]
    arithmetic = ("LOAD_CONST", "LOAD_SMALL_INT", "BINARY_OP", "UNARY_NEGATIVE")
    made = all(one.opname in arithmetic and one.argrepr != "[]" for one in before)
    return made and not all(map(_is_in_place, before))


def _holder(instructions: list[dis.Instruction], at: int) -> Any:
    """The local whose attribute is stored, or that of something it holds; None for anything else."""
    before = at - 1
    if instructions[before].opname == "SWAP":  # x.attribute += …
        stored = instructions[at].argval
        while before > 0 and (instructions[before].opname, instructions[before + 1].argval) != ("COPY", stored):
            before -= 1
        before -= 1
    while instructions[before].opname == "LOAD_ATTR" and instructions[before].argval != "__class__":
        before -= 1
    loaded = instructions[before]
    if "LOAD_FAST" not in loaded.opname:
        return None
    return loaded.argval[-1] if isinstance(loaded.argval, tuple) else loaded.argval


class _Survey:
    """What a call reaches that stays after it, and what it may do to that."""

    def __init__(self) -> None:
        self.doubt = False
        """Whether something is reached that cannot be looked into, or that notices a call."""
        self._binds = self._writes = self._mutates = False
        self._lasting = self._lists = False  # whether tensors and others, or containers and objects, are reached
        self._seen: dict[tuple[int, bool], Any] = {}

    @property
    def is_noticed(self) -> bool:
        """Whether a call may be noticed."""
        return self.doubt or self.changes

    @property
    def changes(self) -> bool:
        """Whether what stays may be changed."""
        return self._binds or (self._writes and self._lasting) or (self._mutates and self._lists)

    def copied(self, held: Any, depth: int) -> None:
        """Something of which a copy is called: what the copy shares with it stays."""
        memo: dict[int, Any] = {}
        try:
            copy.deepcopy(held, memo)
        except Exception:  # then a part of it is shared
            self.doubt = self._lasting = True
        originals = memo.get(id(memo), [])
        anew = {id(original) for original in originals}
        for kind in {type(held), *map(type, originals)}:
            self.kind(kind, depth, own=True)
        for original in originals:
            if isinstance(original, dict | list | tuple | set):
                for value in original.values() if isinstance(original, dict) else original:
                    if id(value) not in anew:
                        self.value(value, depth)
        self.doubt = self.doubt or not isinstance(held, nn.Module)
        self._global_hooks(depth)

    def value(self, value: Any, depth: int) -> None:
        """Something that is not copied."""
        # It may have been imported under another name.
        self._writes = self._writes or _is_of_a_write(str(getattr(value, "__name__", "")))
        if isinstance(value, tuple | frozenset):
            for entry in value:
                self.value(entry, depth)
        elif isinstance(value, Tensor):
            self._lasting = True
        elif isinstance(value, (*PLAIN, types.ModuleType)) or not self._is_new(value, False):
            return
        elif isinstance(value, type):
            self.kind(value, depth, own=True)
        elif isinstance(value, nn.Module):
            self._module(value, depth)
        elif isinstance(value, types.FunctionType):
            self.function(value, depth, own=False)
        elif isinstance(value, functools.partial):
            self.value((value.func, *value.args, *value.keywords.values()), depth)
        elif not _is_silent(value):
            self._object(value, depth)

    def function(self, function: types.FunctionType, depth: int, *, own: bool) -> None:
        """The code of a function, and what that refers to; of a method ``own``: whether it is of a copy."""
        while not is_foreign(function.__code__.co_filename) and hasattr(function, "__wrapped__"):
            function = function.__wrapped__  # a decorator of torch's
        if _root(function) in OURS and not is_foreign(function.__code__.co_filename):
            return
        code = _read(function.__code__)
        self.doubt = self.doubt or depth == 0 or bool(code.names & SPEAKS)
        self._binds = self._binds or code.binds or (code.binds_own and not own)
        self._writes = self._writes or code.writes
        self._mutates = self._mutates or bool(code.names & MUTATES)
        for value in _referred(function, code.names) if depth else ():
            if isinstance(value, types.ModuleType):
                self._named(value, code.names, depth)
            elif isinstance(value, type):
                self.kind(value, depth - 1, own=True, names=code.names)
            else:
                self.value(value, depth - 1)

    def kind(self, kind: type, depth: int, *, own: bool, names: frozenset[str] = frozenset()) -> None:
        """The methods of a class, and what it holds itself under names: no copy has that for its own."""
        bases = [base for base in kind.__mro__ if _root(base) not in KNOWN]
        for base in bases:
            for entry in vars(base).values() if self._is_new(base, own) else ():
                for function in _behind(entry):
                    self.function(function, depth, own=own and not isinstance(entry, classmethod))
        for base in bases:
            names = names.union(*(_read(function.__code__).names for function in _functions(base)))
        for base in bases:
            for name in names & vars(base).keys():
                if not name.startswith("__") and not any(True for _ in _behind(vars(base)[name])):
                    self._attribute(vars(base)[name], depth)

    def _attribute(self, value: Any, depth: int) -> None:
        """What a class holds: of containers it matters what is in them, and whether somebody changes them."""
        if isinstance(value, list | dict | set):
            self._lists = self._lasting = True
            value = tuple(value.values() if isinstance(value, dict) else value)
        self.value(value, depth)

    def _module(self, module: nn.Module, depth: int) -> None:
        """A module that is not copied: what it holds besides parameters may be running."""
        self._global_hooks(depth)
        for one in module.modules():
            buffers = any(True for _ in one.buffers(recurse=False))
            self.doubt = self.doubt or buffers
            self._lasting = self._lasting or buffers or any(True for _ in one.parameters(recurse=False))
            # A running mean of torch's own.
            self._binds = self._binds or (buffers and one.training and _root(type(one)) == "torch")
            self.kind(type(one), depth, own=False)
            for value in (*one._forward_hooks.values(), *one._forward_pre_hooks.values()):
                self.value(value, depth)
            if _root(type(one)) not in OURS:
                for name, value in vars(one).items():
                    if not (name.startswith("_") and name in vars(_BARE)) and name != "training":
                        self.value(value, depth)

    def _object(self, value: Any, depth: int) -> None:
        """An object that is none of these, or a method of one: it may notice, and may be written to."""
        self.doubt = self._lasting = self._lists = True
        # What is drawn from it is not drawn again.
        self._binds = self._binds or isinstance(value, torch.Generator)
        if not isinstance(value, types.MethodType):
            self.kind(type(value), depth, own=False)
        elif isinstance(value.__func__, types.FunctionType):
            self.function(value.__func__, depth, own=False)
            held = getattr(value.__self__, "__dict__", {})
            for name in _read(value.__func__.__code__).names & held.keys():
                self.value(held[name], depth)

    def _named(self, module: types.ModuleType, names: frozenset[str], depth: int) -> None:
        """What is used of a Python module."""
        if module.__name__.partition(".")[0] in SILENT:
            return
        for name in names & vars(module).keys():
            value = vars(module)[name]
            if not isinstance(value, types.ModuleType):
                self.value(value, depth - 1)
            elif self._is_new(value, True):
                self._named(value, names, depth)

    def _global_hooks(self, depth: int) -> None:
        """Hooks that are called after every module, also after a copy."""
        for name in ("_global_forward_hooks", "_global_forward_pre_hooks"):
            for hook in getattr(nn.modules.module, name, {}).values():
                self.value(hook, depth)

    def _is_new(self, value: Any, own: bool) -> bool:
        """Whether it was not looked at yet."""
        new = (id(value), own) not in self._seen
        self._seen[id(value), own] = value
        return new


_BARE = nn.Module()


def _root(item: Any) -> str:
    """The package that a class, a function or a module is of."""
    return (getattr(item, "__module__", None) or "").partition(".")[0]


def _is_silent(value: Any) -> bool:
    """Whether it is a function that is not written in Python, or a callable object of torch's."""
    if isinstance(value, types.BuiltinFunctionType | types.BuiltinMethodType):
        owner = value.__self__
        return (owner is None or isinstance(owner, types.ModuleType | type)) and value.__name__ not in SPEAKS | BINDS
    return callable(value) and (_root(type(value)) == "torch" or type(value).__name__ in ("ufunc", "method_descriptor"))


def _functions(kind: type) -> Iterator[types.FunctionType]:
    """What a class is written of."""
    for entry in vars(kind).values():
        yield from _behind(entry)


def _behind(entry: Any) -> Iterator[types.FunctionType]:
    """The functions behind what a class holds under a name."""
    entry = getattr(entry, "__func__", entry)  # of a class, or static
    for function in (entry.fget, entry.fset) if isinstance(entry, property) else (entry,):
        if isinstance(function, types.FunctionType):
            yield function


def _referred(function: types.FunctionType, names: frozenset[str]) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not filled yet
            continue
    for name in names:
        if name in function.__globals__:
            yield function.__globals__[name]
    yield from function.__defaults__ or ()
    yield from (function.__kwdefaults__ or {}).values()
