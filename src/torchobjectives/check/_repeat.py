"""Whether a loss may be called again while a model trains, and nothing else notices."""

from __future__ import annotations

import dis
import functools
import inspect
import types
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import Tensor, nn

# What has more numbers of its own is not copied for a question.
HEAVY = 2**20
OURS = ("torch", "torchobjectives")
SPEAKS = {"print", "open", "input", "next", "setattr", "exec", "eval"}
PLAIN: tuple[type, ...] = (int, float, complex, str, bytes, bool, type(None), tuple, frozenset, range, type, Enum)
PLAIN += (Tensor, torch.dtype, torch.device, types.ModuleType)
_known: WeakKeyDictionary[Any, bool] = WeakKeyDictionary()


def is_repeatable(loss: Callable[..., Any]) -> bool:
    """Whether a call of the loss, or of a copy, changes nothing: by what its code refers to."""
    try:
        if loss not in _known:
            _known[loss] = _is_repeatable(loss, 4)
        return _known[loss]
    except TypeError:
        return _is_repeatable(loss, 4)


def is_heavy(loss: Any) -> bool:
    """Whether a copy of it would be large, or one of a whole trainer."""
    if isinstance(loss, nn.Module):
        return sum(tensor.numel() for tensor in (*loss.parameters(), *loss.buffers())) > HEAVY
    return inspect.ismethod(loss) and not isinstance(loss.__self__, type)


def _is_repeatable(loss: Any, depth: int) -> bool:
    if isinstance(loss, functools.partial):
        held = all(_is_constant(value, depth) for value in (*loss.args, *loss.keywords.values()))
        return held and _is_repeatable(loss.func, depth)
    if is_heavy(loss):
        return False
    if isinstance(loss, nn.Module):
        # What it holds is copied; what its code refers to is not.
        own = [module for module in loss.modules() if not _is_ours(type(module))]
        functions = [f for module in own for f in vars(type(module)).values() if inspect.isfunction(f)]
        return all(_refers_to_constants(function, depth) for function in functions)
    if inspect.isbuiltin(loss) or _is_ours(loss):
        return True
    return inspect.isfunction(loss) and _refers_to_constants(loss, depth)


def _is_ours(item: Any) -> bool:
    """Whether it is of torch or of this library."""
    return (getattr(item, "__module__", None) or "").partition(".")[0] in OURS


def _refers_to_constants(function: types.FunctionType, depth: int) -> bool:
    """Whether a function stores nothing beyond itself, and refers to nothing that would change."""
    code = inspect.unwrap(function).__code__
    if SPEAKS & set(code.co_names) or depth == 0:
        return False
    for instruction in dis.get_instructions(code):
        outer = instruction.opname == "STORE_DEREF" and instruction.argval in code.co_freevars
        if outer or instruction.opname == "STORE_GLOBAL":
            return False
    return all(_is_constant(value, depth - 1) for value in _referred(function))


def _referred(function: types.FunctionType) -> Iterator[Any]:
    for cell in function.__closure__ or ():
        try:
            yield cell.cell_contents
        except ValueError:  # not filled yet
            continue
    for name in function.__code__.co_names:
        if name in function.__globals__:
            yield function.__globals__[name]
    yield from function.__defaults__ or ()


def _is_constant(value: Any, depth: int) -> bool:
    if isinstance(value, PLAIN):
        return True
    if isinstance(value, nn.Module):
        # It is not copied with the function: what it holds besides parameters may be running.
        return not any(True for _ in value.buffers()) and (_is_ours(type(value)) or _is_repeatable(value, depth))
    return callable(value) and depth > 0 and _is_repeatable(value, depth)
