"""Sharded models: what is done with them, in one process or in several."""

from __future__ import annotations

import copy
import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Shard
from torch.distributed.tensor.parallel import ColwiseParallel, RowwiseParallel, parallelize_module

from torchobjectives import Objective
from torchobjectives.params import select
from torchobjectives.penalties import L1, L2, ElasticNet, GroupLasso, Penalty

STEPS = 4

# Models. Neither 7, 3 nor 1 rows divide by two: the last process holds fewer of them, or none.


def matrices() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3), nn.Tanh(), nn.Linear(3, 1))


def kernels() -> nn.Module:
    """Dense, blocks that the cut goes between, one block per channel, and transposed."""
    layers = [nn.Conv1d(2, 5, 3), nn.Conv1d(5, 5, 2, groups=5), nn.Conv1d(5, 6, 1), nn.Conv1d(6, 4, 1, groups=2)]
    return nn.Sequential(*layers, nn.ConvTranspose1d(4, 4, 1, groups=2), nn.Flatten(), nn.Linear(8, 1))


def even() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 8), nn.Tanh(), nn.Linear(8, 4), nn.Tanh(), nn.Linear(4, 2))


# Of each model, the shape of an input and the width of an output.
SHAPES = {matrices: ((5,), 1), kernels: ((2, 5), 1), even: ((6,), 2)}
Build = Callable[[], nn.Module]
Way = Callable[[nn.Module], None]
# Which part of the data a process has, and of how many.
Share = tuple[int, int]


def made(build: Build) -> nn.Module:
    torch.manual_seed(3)
    return build().double()


def batch(build: Build, share: Share | None) -> tuple[Tensor, Tensor]:
    """All of the data, or a process's share."""
    (inputs, outputs), generator = SHAPES[build], torch.Generator().manual_seed(5)
    x = torch.randn(8, *inputs, generator=generator, dtype=torch.float64)
    y_true = torch.randn(8, outputs, generator=generator, dtype=torch.float64)
    number, of = share or (0, 1)
    return x.chunk(of)[number], y_true.chunk(of)[number]


# Ways to shard one.


def not_at_all(model: nn.Module) -> None:
    pass


def root(model: nn.Module) -> None:
    fully_shard(model)


def nested(model: nn.Module, **options: Any) -> None:
    for layer in model:
        if list(layer.parameters()):
            fully_shard(layer, **options)
    fully_shard(model, **options)


def copies(model: nn.Module) -> None:
    """Two copies, each in one piece: what they hold must not be added up."""
    nested(model, mesh=init_device_mesh("cpu", (2, 1), mesh_dim_names=("copy", "shard")))


def one_copy(model: nn.Module) -> None:
    nested(model, mesh=init_device_mesh("cpu", (1, 2), mesh_dim_names=("copy", "shard")))


def columns(model: nn.Module) -> None:
    nested(model, shard_placement_fn=lambda parameter: Shard(parameter.ndim - 1))


def two_by_two(model: nn.Module) -> None:
    """Two copies, each in two parts."""
    nested(model, mesh=init_device_mesh("cpu", (2, 2), mesh_dim_names=("copy", "shard")))


def in_tensors(model: nn.Module) -> None:
    """Tensor parallelism, the parts of which are sharded again."""
    mesh = init_device_mesh("cpu", (2, 2), mesh_dim_names=("data", "tensor"))
    parallelize_module(model, mesh["tensor"], {"0": ColwiseParallel(), "2": RowwiseParallel()})
    nested(model, mesh=mesh["data"])


WAYS: dict[Build, tuple[Way, ...]] = {matrices: (root, nested), kernels: (nested,), even: (columns,)}


# What is done with it, in one process or in two.


def anchor(build: Build) -> nn.Module:
    """Another model of the same kind, equal to it in one tensor."""
    model, other = made(build), made(build)
    for name, parameter in other.named_parameters():
        if name != "0.weight":
            parameter.data.mul_(0.5)
    assert torch.equal(model[0].weight, other[0].weight)  # type: ignore[index]
    return other


PENALTIES: dict[str, Callable[[Build], Penalty]] = {
    "l1": lambda build: L1(0.03),
    "l2": lambda build: L2(0.3),
    "elastic_net": lambda build: ElasticNet(0.05, 0.5),
    "everything": lambda build: L1(0.02, on=select.matching("*")),
    "input": lambda build: GroupLasso(0.03),
    "output": lambda build: GroupLasso(0.03, axis="output", group_weights="one"),
    "axis": lambda build: GroupLasso(0.02, axis=-1),
    "l1_anchor": lambda build: L1(0.03, towards=anchor(build).state_dict()),
    "l2_anchor": lambda build: L2(0.3, towards=anchor(build)),
    "input_anchor": lambda build: GroupLasso(0.03, towards=anchor(build)),
    "input_number": lambda build: GroupLasso(0.03, towards=0.1),
}

OPTIMIZERS: dict[str, Callable[[Any], torch.optim.Optimizer]] = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.1),
    "momentum": lambda parameters: torch.optim.SGD(parameters, lr=0.05, momentum=0.8),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=0.03),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=0.03, amsgrad=True),
    "maximize": lambda parameters: torch.optim.SGD(parameters, lr=0.02, maximize=True),
}


def full(tensor: Tensor) -> Tensor:
    return (tensor.full_tensor() if isinstance(tensor, DTensor) else tensor).detach().clone()


def weights(model: nn.Module) -> dict[str, Tensor]:
    for module in model.modules():
        if hasattr(module, "reshard"):
            module.reshard()
    return {name: full(parameter) for name, parameter in model.named_parameters()}


def gradients(model: nn.Module) -> dict[str, Tensor]:
    return {name: full(parameter.grad) for name, parameter in model.named_parameters() if parameter.grad is not None}


Found = dict[str, Any]


def in_the_loss(build: Build, penalty: str, way: Way, share: Share | None) -> Found:
    """The penalty called with the model, as part of the loss."""
    model = made(build)
    way(model)
    objective = Objective(nn.MSELoss(), [PENALTIES[penalty](build)])
    x, y_true = batch(build, share)
    objective(model(x), y_true, model=model).backward()
    (name,) = objective.penalties
    return {"value": objective.terms[name], "gradients": gradients(model)}


def stepped(build: Build, penalty: str, way: Way, share: Share | None, *, optimizer: str, method: str) -> Found:
    """Steps of an attached optimizer, half of them by a second one that has loaded the state of the first."""
    model = made(build)
    way(model)
    x, y_true = batch(build, share)
    objective = Objective(nn.MSELoss(), [PENALTIES[penalty](build)])
    (name,) = objective.penalties
    every = OPTIMIZERS[optimizer]
    chosen = every(model.parameters()) if method != "weight_decay" else every(_parted(model))
    plan, values = objective.attach(chosen, model, method=method), []
    for step in range(STEPS):
        if step == STEPS // 2:
            state = copy.deepcopy(chosen.state_dict())
            plan.detach()
            chosen = every(model.parameters()) if method != "weight_decay" else every(_parted(model))
            chosen.load_state_dict(state)
            plan = objective.attach(chosen, model, method=method)
        chosen.zero_grad()
        value = objective(model(x), y_true, model=model)
        values.append(objective.terms[name])
        value.backward()
        chosen.step()
    return {"values": values, "weights": weights(model), "cut": _parts(chosen)}


def _parted(model: nn.Module) -> list[dict[str, Any]]:
    """A group of its own for what is penalised."""
    mine = {id(parameter) for name, parameter in model.named_parameters() if name.endswith("weight")}
    return [{"params": [p for p in model.parameters() if (id(p) in mine) is part]} for part in (True, False)]


def _parts(optimizer: torch.optim.Optimizer) -> bool:
    """Whether the state of each parameter is cut as the parameter is."""
    return all(
        isinstance(value, DTensor) == isinstance(parameter, DTensor)
        for parameter, state in optimizer.state.items()
        for key, value in state.items()
        if isinstance(value, Tensor) and value.ndim and key != "step"
    )


def cases() -> dict[str, Callable[..., Found]]:
    """Every case by name; each takes a way and a rank."""
    found: dict[str, Callable[..., Found]] = {}
    for build in WAYS:
        for penalty in PENALTIES:
            found[f"{build.__name__} loss {penalty}"] = functools.partial(in_the_loss, build, penalty)
    rows = [
        *((matrices, p, o, "gradient") for p in ("l2", "input", "l1_anchor") for o in ("momentum", "maximize")),
        *((matrices, p, o, "loss") for p in ("l1", "input") for o in ("adam",)),
        *((matrices, p, o, "proximal") for p in ("l1", "input", "output") for o in ("sgd", "momentum", "adam")),
        *((matrices, p, "adam", "proximal") for p in ("everything", "axis", "input_anchor", "input_number")),
        *((matrices, p, o, "dual_averaging") for p in ("l1", "input") for o in ("momentum", "adam")),
        (matrices, "l1_anchor", "adamw", "proximal"),
        (matrices, "l2", "adam", "weight_decay"),
        *((kernels, p, "adam", "proximal") for p in ("input", "output")),
        (kernels, "input", "momentum", "gradient"),
        *((even, p, "adam", m) for p in ("input", "output") for m in ("proximal", "dual_averaging")),
    ]
    for build, penalty, optimizer, method in rows:
        how = functools.partial(stepped, build, penalty, optimizer=optimizer, method=method)
        found[f"{build.__name__} {method} {penalty} {optimizer}"] = how
    return found


def usual(case: str) -> bool:
    """Whether a case runs on each change: every model, penalty and method does, but not all with all."""
    build, _, penalty, *optimizer = case.split()
    if not optimizer:
        return build == "matrices" or penalty == "input"
    return penalty in ("l1", "l2", "input") and optimizer[0] in ("adam", "maximize")


def ways_of(case: str) -> tuple[Way, ...]:
    (build,) = (build for build in WAYS if build.__name__ == case.split()[0])
    meshes = (copies, one_copy) if build is matrices and " input" in case else ()
    return WAYS[build] + meshes


class Ball(Penalty):
    """A penalty of one's own, whose proximal step needs all of a tensor: its length is at most 1."""

    def value(self, model: nn.Module) -> Tensor:
        return torch.zeros((), dtype=torch.float64)

    def prox(self, weight: Tensor, step: float | Tensor) -> Tensor:
        return weight / weight.norm().clamp(min=1)


def own_step(way: Way, share: Share | None) -> Found:
    model = made(matrices)
    way(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    objective = Objective(nn.MSELoss(), [Ball()])
    objective.attach(optimizer, model)
    x, y_true = batch(matrices, share)
    objective(model(x), y_true, model=model).backward()
    optimizer.step()
    return {"weights": weights(model)}
