"""What one of two or four processes does with sharded models, and what it finds."""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import nn
from torch.distributed.checkpoint.state_dict import get_optimizer_state_dict, set_optimizer_state_dict
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor

from tests.penalties.sharded import (
    Found,
    Share,
    Way,
    anchor,
    batch,
    cases,
    full,
    in_tensors,
    made,
    matrices,
    nested,
    own_step,
    root,
    two_by_two,
    ways_of,
    weights,
)
from torchobjectives import Objective
from torchobjectives.penalties import L1, L2, GroupLasso
from torchobjectives.penalties._anchors import Anchors


def anchored_by_a_sharded_model(rank: int) -> Found:
    """Anchors taken from a sharded model, seen from a sharded and from a whole one."""
    model = made(matrices)
    nested(model)
    parts = Anchors(dict(model.state_dict()))
    wholes = made(matrices)
    for parameter in [*model.parameters(), *wholes.parameters()]:
        parameter.data.mul_(3)
    values = [L2(1.0, towards=parts).value(each).detach() for each in (model, wholes, model)]  # type: ignore[arg-type]
    return {"values": values}


def anchors_compared(rank: int) -> Found:
    """Two penalties with anchors that differ in the part of one process only: both must see it."""
    model = made(matrices)
    nested(model)
    near, far = anchor(matrices).state_dict(), anchor(matrices).state_dict()
    far["0.weight"][-1] += 1
    seen = []
    for other in (near, far):
        objective = Objective(nn.MSELoss(), [L1(0.1, towards=near), GroupLasso(0.1, towards=other)])
        try:
            objective.attach(torch.optim.Adam(model.parameters()), model, method="proximal")
            seen.append("")
        except ValueError as error:
            seen.append(str(error))
    return {"seen": seen}


def refused(rank: int) -> Found:
    """What has no answer says so, in both processes."""
    mesh = init_device_mesh("cpu", (2,))
    blocks = nn.Sequential(nn.Conv1d(3, 9, 1, groups=3)).double()
    fully_shard(blocks)
    sums = nn.Linear(2, 2).double()
    sums.weight = nn.Parameter(DTensor.from_local(sums.weight.data, mesh, [Partial()]))
    model = made(matrices)
    nested(model)
    objective = Objective(nn.MSELoss(), [L1(0.1)])
    plan = objective.attach(torch.optim.SGD(model.parameters(), lr=0.1), model)
    tries = {
        "blocks": lambda: GroupLasso(0.1).value(blocks),
        "sums": lambda: L1(0.1).value(sums),
        "polish": lambda: plan.polish([batch(matrices, (rank, 2))]),
    }
    said = {}
    for name, attempt in tries.items():
        try:
            attempt()
        except ValueError as error:
            said[name] = str(error)
    by_output = GroupLasso(0.1, axis="output").value(blocks)
    return {"said": said, "others": by_output.detach()}


def unsummed_gradient(rank: int) -> Found:
    """Tensor parallelism leaves gradients whose parts have yet to be added up."""
    mesh = init_device_mesh("cpu", (2,))
    layer = nn.Linear(3, 2, bias=False).double()
    layer.weight = nn.Parameter(distribute_tensor(torch.ones(2, 3, dtype=torch.float64), mesh, [Replicate()]))
    optimizer = torch.optim.SGD(layer.parameters(), lr=1.0)
    Objective(nn.MSELoss(), [L2(0.5)]).attach(optimizer, layer, method="gradient")
    share = torch.full((2, 3), rank + 1.0, dtype=torch.float64)
    layer.weight.grad = DTensor.from_local(share, mesh, [Partial()])
    optimizer.step()
    return {"weight": full(layer.weight)}


def bare_prox(rank: int) -> Found:
    """``prox`` of one sharded tensor."""
    mesh = init_device_mesh("cpu", (2,))
    tensor = distribute_tensor(made(matrices)[0].weight.data, mesh, [Shard(0)])  # type: ignore[index]
    found = GroupLasso(0.2).prox(tensor, 0.5), GroupLasso(0.2).prox(tensor, tensor.square() + 0.1)
    return {"found": [full(each) for each in found]}


def checkpointed(rank: int) -> Found:
    """Dual averaging goes on where a distributed checkpoint of the optimizer was taken."""
    first, second = made(matrices), made(matrices)
    optimizers = []
    for model in (first, second):
        nested(model)
        optimizer = torch.optim.Adam(model.parameters(), lr=0.03)
        Objective(nn.MSELoss(), [GroupLasso(0.03)]).attach(optimizer, model, method="dual_averaging")
        optimizers.append(optimizer)
    _train(first, optimizers[0], rank)
    state = copy.deepcopy(get_optimizer_state_dict(first, optimizers[0]))
    second.load_state_dict(first.state_dict())
    set_optimizer_state_dict(second, optimizers[1], state)
    for model, optimizer in zip((first, second), optimizers, strict=True):
        _train(model, optimizer, rank)
    return {"through": weights(first), "resumed": weights(second)}


def _train(model: nn.Module, optimizer: torch.optim.Optimizer, rank: int) -> None:
    x, y_true = batch(matrices, (rank, 2))
    for _ in range(3):
        optimizer.zero_grad()
        nn.functional.mse_loss(model(x), y_true).backward()
        optimizer.step()


PAIRS: dict[str, Callable[[int], Found]] = {
    "anchored_by_a_sharded_model": anchored_by_a_sharded_model,
    "anchors_compared": anchors_compared,
    "refused": refused,
    "unsummed_gradient": unsummed_gradient,
    "bare_prox": bare_prox,
    "checkpointed": checkpointed,
}


def two(rank: int, names: Collection[str]) -> Found:
    """What each of two processes finds, of these cases and of what takes two."""
    found: Found = {name: case(rank) for name, case in PAIRS.items()}
    for name in names:
        case = cases()[name]
        for way in ways_of(name):
            found[f"{name} {way.__name__}"] = case(way, (rank, 2))
    for way in (root, nested):
        found[f"own {way.__name__}"] = own_step(way, (rank, 2))
    return found


# Four processes: two axes along which tensors are cut or copied; and the share of the data that each has.
MESHES: dict[str, tuple[Way, Callable[[int], Share]]] = {
    "two_by_two": (two_by_two, lambda rank: (rank, 4)),
    "in_tensors": (in_tensors, lambda rank: (rank // 2, 2)),
}


def even_cases() -> list[str]:
    """The cases of the model that can be cut in tensors."""
    return [name for name in cases() if name.startswith("even ")]


def four(rank: int, names: Collection[str]) -> Found:
    """What each of four processes finds."""
    return {
        f"{name} {mesh}": cases()[name](way, share(rank)) for name in names for mesh, (way, share) in MESHES.items()
    }


def work(rank: int, folder: str, processes: int, names: Collection[str]) -> None:
    """One process of two or four: what it finds, in a file."""
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo",
        init_method=f"file://{folder}/meet",
        rank=rank,
        world_size=processes,
        timeout=timedelta(seconds=60),
    )
    torch.save((two if processes == 2 else four)(rank, names), f"{folder}/{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()
