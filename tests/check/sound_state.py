"""Sound losses that keep, move, draw or hold something, and do it right; rows as in ``sound.py``."""

import enum
import functools
import types
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.check.faulty_state import features, logits, masks, pixels, rows, vectors
from tests.check.sound import Row

# In place, but not in the input


def fills_a_copy(y_pred: Tensor, y_true: Tensor) -> Tensor:
    live = y_true != 255
    target = y_true.clone()
    target[~live] = 0
    return (F.cross_entropy(y_pred, target, reduction="none") * live).sum() / live.sum().clamp(min=1)


def in_place_between(y_pred: Tensor, y_true: Tensor) -> Tensor:
    error = y_pred - y_true
    error.abs_().clamp_(max=10)
    return error.mean()


def relu_between(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return F.relu(1 - (2 * y_true - 1) * y_pred, inplace=True).mean()


def scatters(y_pred: Tensor, y_true: Tensor) -> Tensor:
    hot = torch.zeros_like(y_pred).scatter_(1, y_true[:, None], 1.0)
    hot.mul_(0.9).add_(0.025)
    return -(hot * F.log_softmax(y_pred, 1)).sum(1).mean()


def asks_for_a_slope(y_pred: Tensor, y_true: Tensor) -> Tensor:
    y_pred.requires_grad_()
    flat = y_true.float().flatten().contiguous().to(y_pred)
    return (y_pred.flatten() - flat).square().mean()


# Random, where that is meant


class DropoutInTraining(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.dropout = nn.Dropout(0.2)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.mse_loss(self.dropout(y_pred), y_true)


def same_directions(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Sliced distances along directions that are the same in every call."""
    generator = torch.Generator().manual_seed(0)
    directions = F.normalize(torch.randn(y_pred.shape[1], 16, generator=generator, dtype=torch.float32), dim=0)
    directions = directions.to(y_pred)
    a, b = (y_pred @ directions).sort(0).values, (y_true @ directions).sort(0).values
    return (a - b).square().mean()


class OwnGenerator(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.generator = torch.Generator().manual_seed(7)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        order = torch.randperm(len(y_pred), generator=self.generator)
        return F.mse_loss(y_pred, y_true) + 0.1 * F.relu(1 - (y_pred - y_pred[order]).abs()).mean()


def counts_its_calls() -> Callable[..., Tensor]:
    """Anneals by a count of its own, which is no random number."""
    step = 0

    def loss(y_pred: Tensor, y_true: Tensor) -> Tensor:
        nonlocal step
        step += 1
        return F.mse_loss(y_pred, y_true) * (1 + 1 / (1000 + step))

    return loss


# Kept, without its graph


class DetachedLogs(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.logs: dict[str, list[Tensor]] = {"mse": []}
        self.values: deque[float] = deque(maxlen=10)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        loss = F.mse_loss(y_pred, y_true)
        self.logs["mse"].append(loss.detach())
        self.values.append(loss.item())
        return loss


class LastValue(nn.Module):
    """Keeps the parts of the last call, with their graph; the next call lets go of them."""

    def __init__(self) -> None:
        super().__init__()
        self.parts: dict[str, Tensor] = {}

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        self.parts = {"mse": F.mse_loss(y_pred, y_true), "l1": F.l1_loss(y_pred, y_true)}
        return self.parts["mse"] + self.parts["l1"]


class SavedCenter(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.center: Tensor
        self.steps: Tensor
        self.register_buffer("center", torch.zeros(3))
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        value = ((y_pred - y_true - 0.1 * self.center) ** 2).mean()
        if self.training:
            self.steps += 1
            self.center.lerp_(y_pred.detach().mean(0), 0.1)
        return value


class ReplacedBuffer(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.mean: Tensor
        self.register_buffer("mean", torch.zeros(3))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        self.mean = (0.9 * self.mean + 0.1 * y_pred.mean(0)).detach()
        return F.mse_loss(y_pred, y_true) + 0.1 * (y_pred.mean(0) - self.mean).square().sum()


class SavedQueue(nn.Module):
    """A queue of former predictions, as a buffer with a pointer."""

    def __init__(self, size: int = 24) -> None:
        super().__init__()
        self.queue: Tensor
        self.at: Tensor
        self.register_buffer("queue", F.normalize(torch.ones(size, 3), dim=1))
        self.register_buffer("at", torch.zeros((), dtype=torch.long))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        q, k = F.normalize(y_pred, dim=1, eps=1e-6), F.normalize(y_true, dim=1, eps=1e-6)
        scores = torch.cat([(q * k).sum(1, keepdim=True), q @ self.queue.clone().T], dim=1) / 0.2
        if self.training:
            at = torch.arange(len(k)) + self.at
            self.queue[at % len(self.queue)] = k.detach()
            self.at.add_(len(k)).remainder_(len(self.queue))
        return F.cross_entropy(scores, torch.zeros(len(q), dtype=torch.long))


class ExtraState(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.scale = 1.0

    def get_extra_state(self) -> dict[str, float]:
        return {"scale": self.scale}

    def set_extra_state(self, state: dict[str, float]) -> None:
        self.scale = state["scale"]

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        loss = F.mse_loss(y_pred, y_true)
        if self.training:
            self.scale = 0.9 * self.scale + 0.1 * loss.item()
        return loss / max(self.scale, 1e-6)


class Epochs(nn.Module):
    """The trainer says which epoch it is."""

    def __init__(self) -> None:
        super().__init__()
        self.epoch, self.calls = 3, 0

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        self.calls += 1
        return F.mse_loss(y_pred, y_true) + min(1.0, self.epoch / 10) * F.l1_loss(y_pred, y_true)


class CachedGrid(nn.Module):
    """Made when it is needed, anew for another size or device."""

    def __init__(self) -> None:
        super().__init__()
        self.grid: Tensor | None = None
        self.cache: dict[Any, Tensor] = {}

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        if self.grid is None or self.grid.shape != y_pred.shape or self.grid.device != y_pred.device:
            self.grid = torch.linspace(1, 2, y_pred.numel(), device=y_pred.device, dtype=y_pred.dtype).view_as(y_pred)
        key = (len(y_pred), y_pred.device)
        if key not in self.cache:
            self.cache[key] = torch.eye(len(y_pred), device=y_pred.device, dtype=y_pred.dtype)
        return (self.grid * (y_pred - y_true) ** 2).mean() + 0 * self.cache[key].sum()


class CachedWithDevice(CachedGrid):
    """The same, after it was used on another device."""

    def __init__(self) -> None:
        super().__init__()
        self.grid = torch.linspace(1, 2, 16)


# Owned


class Listed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_vars = nn.ParameterList([nn.Parameter(torch.zeros(())) for _ in range(2)])
        self.heads = nn.ModuleDict({"a": nn.Linear(3, 3)})

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        terms = F.mse_loss(y_pred, y_true), F.l1_loss(y_pred, y_true)
        return torch.stack([torch.exp(-s) * t + s for s, t in zip(self.log_vars, terms, strict=True)]).sum()


def frozen_network() -> Callable[..., Tensor]:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(3, 8), nn.Tanh()).eval().requires_grad_(False)
    return lambda y_pred, y_true: F.mse_loss(net(y_pred), net(y_true)) + F.mse_loss(y_pred, y_true)


class FrozenTeacher(nn.Module):
    """In a list, so that it is no part of the state_dict."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.teacher = [nn.Linear(3, 5).requires_grad_(False)]

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.mse_loss(self.teacher[0](y_pred), self.teacher[0](y_true)) + F.mse_loss(y_pred, y_true)


def starts_at_a_leaf(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Adds to a zero that requires grad for no reason."""
    total = torch.zeros((), requires_grad=True, dtype=y_pred.dtype)
    for error in (y_pred - y_true, 2 * (y_pred - y_true)):
        total = total + error.square().mean()
    return total


class Duck:
    """No module, but it lists its parameters."""

    def __init__(self) -> None:
        self.log_var = nn.Parameter(torch.zeros(()))

    def parameters(self) -> Iterator[nn.Parameter]:
        yield self.log_var

    def __call__(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return torch.exp(-self.log_var) * F.mse_loss(y_pred, y_true) + self.log_var


class WithMethod(nn.Module):
    """Its loss is a method of it."""

    def __init__(self) -> None:
        super().__init__()
        self.log_var = nn.Parameter(torch.zeros(()))

    def loss(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return torch.exp(-self.log_var) * F.mse_loss(y_pred, y_true) + self.log_var


class Normed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.head = nn.utils.parametrizations.weight_norm(nn.Linear(6, 4, bias=False))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.cross_entropy(self.head(y_pred), y_true)


# Moved


class Moves(nn.Module):
    """Plain tensors, each taken to where y_pred is."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how
        self.weight = torch.tensor([1.0, 2.0, 3.0])

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        weight = {
            "to": lambda: self.weight.to(y_pred.device),
            "to_like": lambda: self.weight.to(y_pred),
            "to_named": lambda: self.weight.to(device=y_pred.device, dtype=y_pred.dtype),
            "type_as": lambda: self.weight.type_as(y_pred),
            "new_tensor": lambda: y_pred.new_tensor(self.weight.tolist()),
            "as_tensor": lambda: torch.as_tensor(self.weight, dtype=y_pred.dtype, device=y_pred.device),
            "copy": lambda: torch.empty_like(y_pred).copy_(self.weight.expand_as(y_pred)),
            "index": lambda: self.weight.to(y_pred.device)[y_true.new_zeros(3, dtype=torch.long)],
        }[self.how]()
        return (weight * (y_pred - y_true) ** 2).mean()


class OldStyle(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.alpha = torch.tensor([0.2, 0.8, 0.5, 0.5])

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        if y_pred.is_cuda and not self.alpha.is_cuda:
            self.alpha = self.alpha.cuda()
        log_p = F.log_softmax(y_pred, 1).gather(1, y_true.view(-1, 1)).view(-1)
        return -(self.alpha.gather(0, y_true) * log_p).mean()


class OlderStyle(OldStyle):
    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        if self.alpha.type() != y_pred.data.type():
            self.alpha = self.alpha.type_as(y_pred.data)
        log_p = F.log_softmax(y_pred, 1).gather(1, y_true.view(-1, 1)).view(-1)
        return -(self.alpha.gather(0, y_true) * log_p).mean()


class OwnApply(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.tensor([1.0, 2.0, 3.0])

    def _apply(self, fn: Any, recurse: bool = True) -> Any:
        self.weight = fn(self.weight)
        return super()._apply(fn, recurse)

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return (self.weight * (y_pred - y_true) ** 2).mean()


class NotUsedThere(nn.Module):
    """Single numbers, indices, numbers read out, and what forward does not use."""

    def __init__(self) -> None:
        super().__init__()
        self.scale = torch.tensor(2.0)
        self.order = torch.tensor([2, 0, 1])
        self.names = torch.tensor([1.0, 2.0])
        self.example = torch.zeros(5)
        self.weight: Tensor
        self.register_buffer("weight", torch.ones(3), persistent=False)
        self.all_buffers = [self.weight]

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        error = (y_pred[:, self.order] - y_true[:, self.order]) * self.all_buffers[0]
        return self.scale * self.names.tolist()[0] * error.square().mean()


class Schedule(nn.Module):
    """A table that is read at a step: a single index is a number, wherever it is."""

    def __init__(self) -> None:
        super().__init__()
        self.table = torch.linspace(1, 2, 100)
        self.step: Tensor
        self.register_buffer("step", torch.zeros((), dtype=torch.long))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        if self.training:
            self.step += 1
        return self.table[self.step] * F.mse_loss(y_pred, y_true)


class FromNumbers(nn.Module):
    """Numbers in a list or an array become a tensor where y_pred is; half precision is switched off by its device."""

    def __init__(self) -> None:
        super().__init__()
        self.weights, self.more = [1.0, 2.0, 3.0], np.array([1.0, 0.5, 2.0])

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        with torch.autocast(device_type=y_pred.device.type, enabled=False):
            weight = torch.tensor(self.weights, device=y_pred.device, dtype=y_pred.dtype)
            weight = weight * torch.from_numpy(self.more).to(y_pred)
            return (weight * (y_pred - y_true) ** 2).mean()


# Pickled


class Kind(enum.Enum):
    MSE = "mse"
    L1 = "l1"


def _squares(a: Tensor, b: Tensor) -> Tensor:
    return (a - b).square()


class Dispatches(nn.Module):
    """Functions at the top of a file, partials of them, methods of its own, members of an enumeration."""

    def __init__(self) -> None:
        super().__init__()
        self.distance = _squares
        self.huber = functools.partial(F.huber_loss, delta=2.0)
        self.reduce = self._mean
        self.kind = Kind.MSE

    def _mean(self, values: Tensor) -> Tensor:
        return values.mean()

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return self.reduce(self.distance(y_pred, y_true)) + self.huber(y_pred, y_true)


class LeavesOut(nn.Module):
    """Holds what cannot be pickled, and leaves it out."""

    def __init__(self) -> None:
        super().__init__()
        self.power = 2
        self._make()

    def _make(self) -> None:
        self.distance = lambda a, b: (a - b).abs() ** self.power

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in self.__dict__.items() if name != "distance"}

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)  # type: ignore[no-untyped-call]
        self._make()

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return self.distance(y_pred, y_true).mean()


def local_classes() -> nn.Module:
    class Options:
        def __init__(self) -> None:
            self.delta = 1.5

    class Part(nn.Module):
        def forward(self, error: Tensor, delta: float) -> Tensor:
            return F.huber_loss(error, torch.zeros_like(error), delta=delta)

    class Local(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.part, self.options = Part(), Options()
            self.parts = [Options(), {"one": Options()}]

        def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
            return self.part(y_pred - y_true, self.options.delta)  # type: ignore[no-any-return]

    return Local()


class Configured:
    def __init__(self) -> None:
        self.delta, self.options = 1.0, types.SimpleNamespace(weight=2.0)

    def __call__(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return self.options.weight * F.huber_loss(y_pred, y_true, delta=self.delta)  # type: ignore[no-any-return]


SOUND: dict[str, Row] = {
    "fills_a_copy": (lambda: fills_a_copy, pixels, {"ignore_index": 255}),
    "in_place_between": (lambda: in_place_between, vectors, {}),
    "relu_between": (lambda: relu_between, masks, {}),
    "scatters": (lambda: scatters, logits, {}),
    "asks_for_a_slope": (lambda: asks_for_a_slope, vectors, {}),
    "dropout_in_training": (DropoutInTraining, vectors, {}),
    "same_directions": (lambda: same_directions, rows, {}),
    "own_generator": (OwnGenerator, vectors, {}),
    "counts_its_calls": (counts_its_calls, vectors, {}),
    "detached_logs": (DetachedLogs, vectors, {}),
    "last_value": (LastValue, vectors, {}),
    "saved_center": (SavedCenter, rows, {}),
    "replaced_buffer": (ReplacedBuffer, rows, {}),
    "saved_queue": (SavedQueue, rows, {}),
    "extra_state": (ExtraState, vectors, {}),
    "epochs": (Epochs, vectors, {}),
    "cached_grid": (CachedGrid, vectors, {}),
    "cached_with_device": (CachedWithDevice, vectors, {}),
    "listed": (Listed, rows, {}),
    "frozen_network": (frozen_network, rows, {}),
    "frozen_teacher": (FrozenTeacher, rows, {}),
    "starts_at_a_leaf": (lambda: starts_at_a_leaf, vectors, {}),
    "duck": (Duck, vectors, {}),
    "with_method": (lambda: WithMethod().loss, vectors, {}),
    "partial_of_a_module": (lambda: functools.partial(WithMethod().loss), vectors, {}),
    "normed": (Normed, features, {}),
    **{
        f"moves_by_{how}": (functools.partial(Moves, how), rows, {})
        for how in ("to", "to_like", "to_named", "type_as", "new_tensor", "as_tensor", "copy", "index")
    },
    "old_style": (OldStyle, logits, {}),
    "older_style": (OlderStyle, logits, {}),
    "own_apply": (OwnApply, rows, {}),
    "not_used_there": (NotUsedThere, rows, {}),
    "schedule": (Schedule, rows, {}),
    "from_numbers": (FromNumbers, rows, {}),
    "dispatches": (Dispatches, vectors, {}),
    "leaves_out": (LeavesOut, vectors, {}),
    "local_classes": (local_classes, vectors, {}),
    "callable_object": (Configured, vectors, {}),
    "compiled": (lambda: torch.compile(nn.MSELoss(), backend="eager"), vectors, {}),
}
