"""What a loss does with its input: each call of torch's on tensors that come from it, and the line that makes it."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode, resolve_name

HERE = str(Path(__file__).parent)
TORCH = str(Path(torch.__file__).parent)


@dataclass(frozen=True)
class Place:
    """A line of somebody's file."""

    file: str
    line: int
    text: str = ""

    def __str__(self) -> str:
        where = f"{Path(self.file).name}, line {self.line}"
        return f"{where} ({self.text})" if self.text else where


@dataclass(frozen=True)
class Call:
    """A call of one of torch's functions."""

    name: str
    """Its last part: ``log_softmax``, ``detach``, ``__getitem__``."""
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    sources: frozenset[str]
    """Whether y_pred, y_true or both are behind the inputs."""
    place: Place | None


@dataclass
class Trace(TorchFunctionMode):
    """Records the calls within; ``sources`` are the tensors whose descendants are followed."""

    sources: Mapping[str, Tensor] = field(default_factory=dict)
    calls: list[Call] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._of: dict[int, frozenset[str]] = {id(tensor): frozenset([name]) for name, tensor in self.sources.items()}
        # An id is a tensor's only while it lives.
        self._kept: list[Tensor] = list(self.sources.values())

    def of(self, tensor: Tensor) -> frozenset[str]:
        """Which of the sources a tensor comes from."""
        return self._of.get(id(tensor), frozenset())

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Make the call, and record it; one that fails, too."""
        inputs = tuple(tensors_in((args, kwargs or {})))
        sources = frozenset().union(*(self.of(tensor) for tensor in inputs))
        try:
            result = func(*args, **(kwargs or {}))
        except Exception:
            self.calls.append(Call(name_of(func), inputs, (), sources, _place(sys._getframe(1))))
            raise
        outputs = tuple(tensors_in(result))
        for tensor in outputs:
            if not any(tensor is other for other in inputs):
                self._of[id(tensor)] = sources
                self._kept.append(tensor)
        self.calls.append(Call(name_of(func), inputs, outputs, sources, _place(sys._getframe(1))))
        return result

    def first(self, *names: str, source: str | None = None) -> Call | None:
        """The first call of one of these names, on what comes from a source."""
        found = (call for call in self.calls if call.name in names and (source is None or source in call.sources))
        return next(found, None)


def tensors_in(value: Any) -> Iterator[Tensor]:
    """The tensors in nested lists, tuples and dicts."""
    if isinstance(value, Tensor):
        yield value
    elif isinstance(value, Mapping):
        for entry in value.values():
            yield from tensors_in(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from tensors_in(entry)


def has(bad: Callable[[Tensor], Tensor], tensors: Iterable[Tensor]) -> bool:
    """Whether some of the numbers in tensors are bad."""
    return any(tensor.is_floating_point() and bool(bad(tensor.detach()).any()) for tensor in tensors)


def makes(bad: Callable[[Tensor], Tensor], call: Call) -> bool:
    """Whether a call makes bad numbers of others."""
    return has(bad, call.outputs) and not has(bad, call.inputs)


def is_not_finite(tensor: Tensor) -> Tensor:
    """Which numbers are nan or inf."""
    return ~tensor.isfinite()


def broken_samples(tensor: Tensor) -> Tensor:
    """Which samples hold a number that is nan or inf."""
    return is_not_finite(tensor).reshape(len(tensor), -1).any(1)


def name_of(func: Callable[..., Any]) -> str:
    """The last part of what a function of torch's is called."""
    # Of an attribute such as .grad or .T the getter is called.
    if getattr(func, "__name__", "") == "__get__":
        return str(getattr(getattr(func, "__self__", None), "__name__", "__get__"))
    resolved = resolve_name(func)
    return str(resolved or getattr(func, "__name__", func)).rpartition(".")[2]


def _place(frame: FrameType | None) -> Place | None:
    """The nearest line that is neither torch's nor of this folder."""
    while frame is not None:
        file = frame.f_code.co_filename
        if file.startswith(HERE):
            break  # what called the loss is none of its lines
        if is_foreign(file):
            text = traceback.extract_stack(frame, limit=1)[-1].line or ""
            return Place(file, frame.f_lineno, text.strip())
        frame = frame.f_back
    return None


def place_of_call() -> Place | None:
    """The nearest line that is neither torch's nor of this folder, before those of the mode that asks."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None and frame.f_code.co_filename.startswith(HERE):
        frame = frame.f_back
    return _place(frame)


def located(place: Place | None) -> str:
    """Where something is, for a sentence; nothing where nobody knows."""
    return f" at {place}" if place else ""


def is_foreign(file: str) -> bool:
    """Whether a file is neither torch's nor of this folder."""
    return not (file.startswith((TORCH, HERE)) or file.startswith("<frozen"))


def place_of(error: BaseException) -> Place | None:
    """The innermost line of somebody's file at which an error was raised."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if is_foreign(frame.filename)]
    return Place(frames[-1].filename, frames[-1].lineno or 0, (frames[-1].line or "").strip()) if frames else None
