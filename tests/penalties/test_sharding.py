"""Sharded models: two processes have the values, gradients and weights of one that holds everything."""

from __future__ import annotations

import copy
import functools
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, Partial, Replicate, Shard, distribute_tensor

from torchobjectives import Objective
from torchobjectives.params import select
from torchobjectives.penalties import L1, L2, ElasticNet, GroupLasso, Penalty
from torchobjectives.penalties._anchors import Anchors

EXACT: dict[str, float] = {"rtol": 0, "atol": 1e-12}
STEPS = 6


# Models. Neither 7, 3 nor 1 rows divide by two: the last process holds fewer of them, or none.


def matrices() -> nn.Module:
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 3), nn.Tanh(), nn.Linear(3, 1))


def kernels() -> nn.Module:
    """Dense, blocks that the cut goes between, one block per channel, and transposed."""
    layers = [nn.Conv1d(2, 5, 3), nn.Conv1d(5, 5, 2, groups=5), nn.Conv1d(5, 6, 1), nn.Conv1d(6, 4, 1, groups=2)]
    return nn.Sequential(*layers, nn.ConvTranspose1d(4, 4, 1, groups=2), nn.Flatten(), nn.Linear(8, 1))


def even() -> nn.Module:
    return nn.Sequential(nn.Linear(6, 4), nn.Tanh(), nn.Linear(4, 2), nn.Tanh(), nn.Linear(2, 2))


# Of each model, the shape of an input and the width of an output.
SHAPES = {matrices: ((5,), 1), kernels: ((2, 5), 1), even: ((6,), 2)}
Build = Callable[[], nn.Module]


def made(build: Build) -> nn.Module:
    torch.manual_seed(3)
    return build().double()


def batch(build: Build, rank: int | None) -> tuple[Tensor, Tensor]:
    """All of the data, or one process's half."""
    (inputs, outputs), generator = SHAPES[build], torch.Generator().manual_seed(5)
    x = torch.randn(8, *inputs, generator=generator, dtype=torch.float64)
    y_true = torch.randn(8, outputs, generator=generator, dtype=torch.float64)
    return (x, y_true) if rank is None else (x.chunk(2)[rank], y_true.chunk(2)[rank])


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


WAYS: dict[Build, tuple[Callable[[nn.Module], None], ...]] = {
    matrices: (root, nested, copies, one_copy),
    kernels: (root, nested),
    even: (columns,),
}


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


def in_the_loss(build: Build, penalty: str, way: Callable[[nn.Module], None], rank: int | None) -> Found:
    """The penalty called with the model, as part of the loss."""
    model = made(build)
    way(model)
    objective = Objective(nn.MSELoss(), [PENALTIES[penalty](build)])
    x, y_true = batch(build, rank)
    objective(model(x), y_true, model=model).backward()
    (name,) = objective.penalties
    return {"value": objective.terms[name], "gradients": gradients(model)}


def stepped(
    build: Build, penalty: str, way: Callable[[nn.Module], None], rank: int | None, *, optimizer: str, method: str
) -> Found:
    """Steps of an attached optimizer, half of them by a second one that has loaded the state of the first."""
    model = made(build)
    way(model)
    x, y_true = batch(build, rank)
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


def ways_of(case: str) -> tuple[Callable[[nn.Module], None], ...]:
    (build,) = (build for build in WAYS if build.__name__ == case.split()[0])
    return WAYS[build]


class Ball(Penalty):
    """A penalty of one's own, whose proximal step needs all of a tensor: its length is at most 1."""

    def value(self, model: nn.Module) -> Tensor:
        return torch.zeros((), dtype=torch.float64)

    def prox(self, weight: Tensor, step: float | Tensor) -> Tensor:
        return weight / weight.norm().clamp(min=1)


def own_step(way: Callable[[nn.Module], None], rank: int | None) -> Found:
    model = made(matrices)
    way(model)
    optimizer = torch.optim.Adam(model.parameters(), lr=0.1)
    objective = Objective(nn.MSELoss(), [Ball()])
    objective.attach(optimizer, model)
    x, y_true = batch(matrices, rank)
    objective(model(x), y_true, model=model).backward()
    optimizer.step()
    return {"weights": weights(model)}


# What only two processes can do.


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
        "polish": lambda: plan.polish([batch(matrices, rank)]),
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


PAIRS = {f.__name__: f for f in (anchored_by_a_sharded_model, anchors_compared, refused, unsummed_gradient, bare_prox)}


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2, timeout=timedelta(seconds=60)
    )
    found: Found = {name: case(rank) for name, case in PAIRS.items()}
    for name, case in cases().items():
        for way in ways_of(name):
            found[f"{name} {way.__name__}"] = case(way, rank)
    for way in (root, nested):
        found[f"own {way.__name__}"] = own_step(way, rank)
    torch.save(found, f"{folder}/{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[Found]:
    folder = tmp_path_factory.mktemp("processes")
    mp.spawn(work, args=(str(folder),), nprocs=2)
    return [torch.load(Path(folder) / f"{rank}.pt") for rank in range(2)]


def assert_same(found: list[Found], name: str, alone: Found) -> None:
    both = [each[name] for each in found]
    for ours in both:
        torch.testing.assert_close(ours, alone, **EXACT, msg=lambda text: f"{name}: {text}")
    # Reports are the same to the last bit.
    torch.testing.assert_close(both[0], both[1], rtol=0, atol=0)


@pytest.mark.parametrize("case", cases())
def test_two_processes_have_what_one_has(case: str, found: list[Found]) -> None:
    alone = cases()[case](not_at_all, None)
    for way in ways_of(case):
        assert_same(found, f"{case} {way.__name__}", alone)


def test_some_groups_are_zero() -> None:
    """The cases above are worth something where groups vanish, and others do not."""
    for case in ("matrices proximal input adam", "matrices dual_averaging input adam"):
        first = cases()[case](not_at_all, None)["weights"]["0.weight"].transpose(0, 1).flatten(1)
        assert 0 < (first == 0).all(1).sum() < len(first), case


@pytest.mark.parametrize("way", ["root", "nested"])
def test_ones_own_proximal_step_sees_whole_tensors(way: str, found: list[Found]) -> None:
    alone = own_step(not_at_all, None)
    assert alone["weights"]["0.weight"].norm().item() == pytest.approx(1, abs=1e-12)
    assert_same(found, f"own {way}", alone)


def test_anchors_follow_the_placement_of_the_weights(found: list[Found]) -> None:
    model = made(matrices)
    squares = [parameter.square().sum() for name, parameter in model.named_parameters() if name.endswith("weight")]
    wanted = 2 * sum(squares[1:], squares[0]).detach()  # ½·(3w − w)²
    assert_same(found, "anchored_by_a_sharded_model", {"values": [wanted] * 3})


def test_processes_agree_on_whether_anchors_differ(found: list[Found]) -> None:
    for each in found:
        same, other = each["anchors_compared"]["seen"]
        assert not same
        assert "to different points" in other


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("blocks", "'0.weight' of a grouped convolution is cut within one of its blocks of 3 channels"),
        ("sums", "redistribute it to Shard or Replicate"),
        ("polish", "in one process"),
    ],
)
def test_what_has_no_answer_is_refused_by_both(name: str, words: str, found: list[Found]) -> None:
    for each in found:
        assert words in each["refused"]["said"][name]


def test_gradients_yet_to_be_added_up(found: list[Found]) -> None:
    wanted = torch.full((2, 3), 1 - 3 - 0.5, dtype=torch.float64)
    assert_same(found, "unsummed_gradient", {"weight": wanted})


def test_prox_of_a_bare_tensor(found: list[Found]) -> None:
    weight = made(matrices)[0].weight.data  # type: ignore[index]
    penalty = GroupLasso(0.2)
    wanted = [penalty.prox(weight, 0.5), penalty.prox(weight, weight.square() + 0.1)]
    assert_same(found, "bare_prox", {"found": wanted})


def test_plain_tensors_need_nothing_of_torch_distributed() -> None:
    code = (
        "import sys, torch; before = set(sys.modules); import torchobjectives as to; m = torch.nn.Linear(2, 2); "
        "to.GroupLasso(0.1).value(m).backward(); new = set(sys.modules) - before; "
        "sys.exit(any(name.startswith('torch.distributed.tensor') for name in new))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
