"""A device that is not there: which tensors would have been left behind, had a loss been moved to it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from torchobjectives.check._trace import Place, name_of, place_of_call, tensors_in

# Never reached, only compared and asked for its type; it is an accelerator, as autocast knows nothing of others.
THERE = torch.device("cuda", 99)
# What takes tensors of two devices, or looks at the shape of one of them alone.
TOLERANT = frozenset(
    {"to", "type", "type_as", "cuda", "cpu", "copy_", "expand_as", "view_as", "reshape_as", "__setitem__", "set_"}
    | {"new_tensor", "is_same_size", "result_type", "can_cast", "promote_types", "broadcast_tensors", "__set__"}
)
# Whose result is where its first tensor is.
AS_FIRST = TOLERANT - {"to", "type_as"}


@dataclass(frozen=True)
class Mixed:
    """A call with tensors of two devices."""

    paths: frozenset[str]
    """Which of the tensors left behind are behind its inputs."""
    call: str
    place: Place | None


@dataclass
class Elsewhere(TorchFunctionMode):
    """Calculates as ever, but says of some tensors that they are on another device, and records what mixes the two.

    Args:
        moved: The tensors that are said to be there.
        stayed: Those that are not, by name.
    """

    moved: Iterable[Tensor]
    stayed: Mapping[str, Tensor]
    mixed: list[Mixed] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        # An id is a tensor's only while it lives.
        self._kept = [*self.moved, *self.stayed.values()]
        self._real = self._kept[0].device
        self._there = {id(tensor) for tensor in self.moved}
        self._paths = {id(tensor): frozenset([name]) for name, tensor in self.stayed.items()}

    def __torch_function__(
        self, func: Callable[..., Any], types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        """Make the call where the tensors are."""
        name, options = name_of(func), kwargs or {}
        tensors = tuple(tensors_in((args, options)))
        first = tensors[0] if tensors else None
        there = first is not None and id(first) in self._there
        if there and name in ("device", "is_cuda", "get_device") and len(args) <= 2:
            return {"device": THERE, "is_cuda": True, "get_device": THERE.index}[name]
        wanted = asked_device(name, args, options)
        self._record(name, tensors)
        if name in ("cuda", "cpu"):
            assert first is not None
            return self._labelled(first.clone(), "there" if name == "cuda" else "anywhere")
        result = func(*_here(args, self._real), **_here(options, self._real))
        if name == "type" and isinstance(result, str):
            return result.replace("torch.", "torch.cuda.") if there else result
        for tensor in tensors_in(result):
            if any(tensor is other for other in tensors):
                if wanted is None and name not in ("to", "type_as"):
                    continue  # changed in place
                result = tensor = tensor.clone()
            self._labelled(tensor, *self._whereabouts(name, tensors, wanted))
        return result

    def _record(self, name: str, tensors: tuple[Tensor, ...]) -> None:
        left = [t for t in tensors if t.ndim and id(t) in self._paths and id(t) not in self._there]
        there = [t for t in tensors if id(t) in self._there]
        fits = name in TOLERANT
        if name == "__getitem__" and there:
            # A tensor there takes indices from everywhere, and a single index is read as a number.
            fits = tensors[0] is there[0] or not any(tensor.ndim for tensor in there)
        if left and there and not fits:
            paths = frozenset().union(*(self._paths[id(tensor)] for tensor in left))
            self.mixed.append(Mixed(paths, name, place_of_call()))

    def _whereabouts(self, name: str, tensors: tuple[Tensor, ...], wanted: str | None) -> tuple[str, frozenset[str]]:
        """Where a result is, and what is behind it."""
        paths = frozenset().union(*(self._paths.get(id(tensor), frozenset()) for tensor in tensors))
        if wanted is not None:
            return wanted, frozenset()
        if name in ("to", "type_as") and len(tensors) > 1:
            tensors = tensors[1:]
        elif name in AS_FIRST:
            tensors = tensors[:1]
        there = any(id(tensor) in self._there for tensor in tensors)
        return ("there", frozenset()) if there else ("here", paths)

    def _labelled(self, tensor: Tensor, where: str, paths: frozenset[str] = frozenset()) -> Tensor:
        self._kept.append(tensor)
        self._there.discard(id(tensor))
        self._paths.pop(id(tensor), None)
        if where == "there":
            self._there.add(id(tensor))
        elif where == "here" and paths:
            self._paths[id(tensor)] = paths
        return tensor


def asked_device(name: str, args: tuple[Any, ...], options: Mapping[str, Any]) -> str | None:
    """Which device a call asks for: ``there``, ``anywhere`` else, or None."""
    asked = [value for value in (*args, options.get("device")) if isinstance(value, torch.device)]
    texts = [*(args[1:2] if name in ("to", "type") else ()), options.get("device")]
    asked += [torch.device(text) for text in texts if isinstance(text, str) and not text.startswith("torch.")]
    if name == "type" and any(isinstance(text, str) and text.startswith("torch.cuda.") for text in args):
        return "there"
    if not asked:
        return None
    return "there" if asked[0].type == THERE.type else "anywhere"


def _here(value: Any, real: torch.device) -> Any:
    """Arguments with the device that is there in place of that which is not."""
    if isinstance(value, dict):
        return {key: _here(entry, real) for key, entry in value.items()}
    if type(value) in (list, tuple):
        return type(value)(_here(entry, real) for entry in value)
    if isinstance(value, torch.device):
        return real if value.type == THERE.type else value
    if isinstance(value, str) and value.startswith("torch.cuda."):
        return value.replace("torch.cuda.", "torch.")
    return real if isinstance(value, str) and value.startswith("cuda") else value
