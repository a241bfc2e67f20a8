"""Checks of what is kept of a loss: its state in a checkpoint, and itself where it is pickled or copied."""

from __future__ import annotations

import copy
import functools
import inspect
import pickle
import types
from collections.abc import Iterator, Mapping
from typing import Any

from torch import Tensor, nn

from torchobjectives.check._check import Check, check
from torchobjectives.check._inside import INTERNAL, Walk, is_library, last_of, listed, reseed
from torchobjectives.check._kinds import plausible
from torchobjectives.check._report import Finding, number
from torchobjectives.check._subject import SEED, Subject, alike
from torchobjectives.check.state import differ, in_mode


@check("saves-its-state", needs=("number",), unless=("mutates-input", "keeps-graph"))
def saves_its_state(subject: Subject) -> Iterator[Finding]:
    """What calls leave behind in a loss, and later ones need, is in its state_dict()."""
    if subject.module is None:
        yield from _state_of_an_object(subject)
        return
    used = _used(subject)
    if used is None:
        return
    resumed = in_mode(subject.copy(), True)
    try:
        resumed.load_state_dict(copy.deepcopy(used.state_dict()))
    except Exception as error:
        said = " ".join(str(error).split())
        yield Finding(
            "state-not-saved",
            "warning",
            f"After three calls the state_dict() does not load into a new {subject.name}: {said}",
            "Give each buffer its final shape in __init__, so that a checkpoint fits: self.register_buffer(name, "
            "torch.zeros(...))",
            {"error": said},
        )
        return
    wanted, got = _next(subject, used), _next(subject, resumed)
    if not differ(wanted, got, 1e-5) or differ(got, _next(subject, resumed)):
        return
    lost = _lost(subject, used, resumed, got)
    if not lost:
        return
    # Who says that a buffer is not to be saved means it.
    meant = all(path in _left_out(used) for path in lost)
    name = lost[0].rpartition(".")[2]
    yield Finding(
        "state-not-saved",
        "note" if meant else "warning",
        f"After three calls the next value is {number(wanted)}; in a new {subject.name} with the state_dict() of the "
        f"first it is {number(got)}. {listed(lost)} {'is' if len(lost) == 1 else 'are'} lost with a checkpoint.",
        f"self.register_buffer('{name}', torch.tensor(...)), and change it with no_grad: self.{name}.copy_(...); "
        "or get_extra_state and set_extra_state.",
        {"values": [wanted, got], "attributes": lost},
    )


def _used(subject: Subject) -> Any:
    """A copy after three calls in training mode; None where those fail."""
    loss = in_mode(subject.copy(), True)
    for y_pred in (subject.y_pred, plausible(subject), plausible(subject)):
        if subject.evaluate(y_pred, loss=loss, gradient=False).error is not None:
            return None
    return loss


def _next(subject: Subject, loss: Any) -> float:
    """What a call would give; the loss stays as it is, and its generators do not count."""
    try:
        twin = copy.deepcopy(loss)
    except Exception:
        return float("nan")
    reseed(twin, SEED, subject.original)
    return subject.value(loss=twin)


def _state_of_an_object(subject: Subject) -> Iterator[Finding]:
    """An object that is no module has no state_dict()."""
    loss = subject.original
    if not vars(loss) if hasattr(loss, "__dict__") else True:
        return
    if not _is_object(loss):
        return
    used = _used(subject)
    if used is None:
        return
    fresh, after = _next(subject, subject.copy()), _next(subject, used)
    if differ(fresh, _next(subject, subject.copy())) or not differ(fresh, after, 1e-5):
        return
    changed = [f"self.{name}" for name, value in vars(used).items() if not same(value, vars(loss).get(name))]
    if changed:
        yield Finding(
            "state-not-saved",
            "note",
            f"The first call gives {number(fresh)}, one after three others {number(after)}: {listed(changed)} changes, "
            f"and {subject.name} is no nn.Module, so that no state_dict() saves it.",
            "Make it an nn.Module, and its state buffers: self.register_buffer(...)",
            {"values": [fresh, after], "attributes": changed},
        )


def _is_object(loss: Any) -> bool:
    """Whether a loss is an object of somebody's class, not a function."""
    return not isinstance(loss, types.FunctionType | types.MethodType | functools.partial | types.BuiltinFunctionType)


def _left_out(loss: nn.Module) -> set[str]:
    """The paths of the buffers that are not to be saved."""
    return {
        f"self.{prefix}.{name}" if prefix else f"self.{name}"
        for prefix, module in loss.named_modules()
        for name in module._non_persistent_buffers_set
    }


def _lost(subject: Subject, used: nn.Module, resumed: nn.Module, got: float) -> list[str]:
    """The attributes that differ, and without which the next value is another one."""
    found = []
    others = dict(resumed.named_modules())
    saved = set(used.state_dict())
    for prefix, module in used.named_modules():
        dot = f"{prefix}." if prefix else ""
        for name, value in {**vars(module), **module._buffers}.items():
            if name in INTERNAL or dot + name in saved or same(value, getattr(others.get(prefix), name, None)):
                continue
            try:
                twin = copy.deepcopy(resumed)
                setattr(dict(twin.named_modules())[prefix], name, copy.deepcopy(value))
            except Exception:
                continue
            if differ(_next(subject, twin), got):
                found.append(f"self.{dot}{name}")
    return found


def same(one: Any, other: Any) -> bool:
    """Whether two attributes hold the same."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return alike(one.detach(), other.detach())
    try:
        return pickle.dumps(one) == pickle.dumps(other)
    except Exception:
        return one is other


@check("pickles")
def pickles(subject: Subject) -> Iterator[Finding]:
    """A loss with attributes can be pickled and copied."""
    loss = subject.original
    if not hasattr(loss, "__dict__") or inspect.isroutine(loss) or isinstance(loss, functools.partial | type):
        return
    if is_library(type(loss).__module__):
        return
    text = _failure(loss)
    faults = list(_faults("self", loss, set(), loss)) if text else []
    for path, said, fix in faults[:3]:
        yield Finding(
            "not-picklable",
            "warning",
            f"`{path}` {said}, which cannot be pickled: torch.save(loss) and processes that are spawned (DDP, "
            "DataLoader) fail.",
            fix,
            {"attribute": path, "error": text},
        )


@check("copies", unless=("keeps-graph", "not-picklable"))
def copies(subject: Subject) -> Iterator[Finding]:
    """A loss can be copied."""
    loss = subject.original
    try:
        copy.deepcopy(loss)
    except Exception as error:
        said = " ".join(str(error).split()).split(". ")[0]
        attached = [h.path for h in Walk(outside=False).all_of(loss) if _is_attached(h.value)]
        where = f" {listed(attached)} holds a graph." if attached else ""
        fix = (
            f"Keep what has no graph: {attached[0]} = {last_of(attached[0])}.detach()"
            if attached
            else "Keep in attributes what copy.deepcopy takes."
        )
        yield Finding(
            "not-picklable",
            "warning",
            f"copy.deepcopy(loss) raises {type(error).__name__}: {said}.{where} Averaged models, sweeps and parallel "
            "copies need it.",
            fix,
            {"attribute": attached[0] if attached else None, "error": said},
        )


def _is_attached(value: Any) -> bool:
    return isinstance(value, Tensor) and value.grad_fn is not None


class _Nowhere:
    """A file that keeps nothing, for losses that hold networks."""

    def write(self, data: Any) -> int:
        """Take it."""
        return len(data)


def _failure(value: Any) -> str:
    """Why a value cannot be pickled; empty where it can."""
    try:
        pickle.Pickler(_Nowhere(), protocol=4).dump(value)
    except Exception as error:
        return f"{type(error).__name__}: {' '.join(str(error).split())}"
    return ""


def _faults(path: str, value: Any, seen: set[int], loss: Any) -> Iterator[tuple[str, str, str]]:
    """The parts that cannot be pickled: where, what they are, and what to do. A class of a local name is no fault."""
    if id(value) in seen or isinstance(value, type):
        return
    seen.add(id(value))
    text = "" if value is loss else _failure(value)
    if value is not loss and not text:
        return
    if inspect.isfunction(value):
        name = last_of(path)
        if value.__name__ == "<lambda>":
            yield path, "is a lambda", f"Write it as a function at the top of the file, or as a method: def {name}(...)"
        elif "<locals>" in value.__qualname__:
            said = f"is the function {value.__name__}, which is defined inside another"
            yield path, said, f"Move {value.__name__} to the top of the file, or make it a method."
        return
    if inspect.ismethod(value):
        yield from _faults(path, value.__self__, seen, loss)
        return
    failing = [(name, part) for name, part in _parts(path, value) if part is loss or _failure(part)]
    for name, part in failing:
        yield from _faults(name, part, seen, loss)
    if not failing and value is not loss and not _is_local(type(value)) and not isinstance(value, nn.Module):
        name = last_of(path)
        yield (
            path,
            f"holds a {type(value).__name__} ({text.rstrip('.')})",
            f"Make it where it is used, or leave it out of the pickle: a __getstate__ that drops {name!r}.",
        )


def _parts(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """The parts that are pickled with a value."""
    if isinstance(value, functools.partial):
        yield from ((path, part) for part in (value.func, *value.args, *value.keywords.values()))
    elif isinstance(value, Mapping):
        yield from ((f"{path}[{key!r}]", part) for key, part in value.items())
    elif isinstance(value, list | tuple | set | frozenset):
        yield from ((f"{path}[{at}]", part) for at, part in enumerate(value))
    else:
        for name, part in _plain_state(value).items():
            if isinstance(value, nn.Module) and name in ("_modules", "_parameters", "_buffers"):
                yield from ((f"{path}.{key}", entry) for key, entry in part.items())
            else:
                yield f"{path}.{name}", part


def _plain_state(value: Any) -> dict[str, Any]:
    """The attributes that are pickled; none of what is pickled in a way of its own."""
    kind: Any = type(value)
    if isinstance(value, types.ModuleType) or kind.__reduce__ is not object.__reduce__:
        return {}
    try:
        state = value.__getstate__()
    except Exception:
        return {}
    return state if isinstance(state, dict) else {}


def _is_local(kind: type) -> bool:
    return "<locals>" in kind.__qualname__ or kind.__module__ == "__main__"


CHECKS: tuple[Check, ...] = (saves_its_state, pickles, copies)
