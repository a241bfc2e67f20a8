"""What docs/weight-decay.md says of torch's optimizers."""

from __future__ import annotations

import inspect
from typing import Any

import pytest
import torch
from torch import Tensor, optim

torch_optimizers = {
    name: kind
    for name, kind in vars(optim).items()
    if isinstance(kind, type) and issubclass(kind, optim.Optimizer) and kind is not optim.Optimizer
}
COUPLED: list[tuple[str, dict[str, Any]]] = [
    ("SGD", {"lr": 0.1}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "nesterov": True}),
    ("SGD", {"lr": 0.05, "momentum": 0.9, "dampening": 0.5}),
    ("Adam", {"lr": 0.1}),
    ("Adam", {"lr": 0.1, "amsgrad": True}),
    ("NAdam", {"lr": 0.1}),
    ("RAdam", {"lr": 0.1}),
    ("RMSprop", {"lr": 0.05}),
    ("Adagrad", {"lr": 0.5}),
    ("Adadelta", {"lr": 1.0, "steps": 1500}),
    ("Adamax", {"lr": 0.1}),
    ("ASGD", {"lr": 0.1}),
]
DECOUPLED: list[tuple[str, dict[str, Any]]] = [
    ("AdamW", {"lr": 0.1}),
    ("Adam", {"lr": 0.1, "decoupled_weight_decay": True}),
    ("NAdam", {"lr": 0.1, "decoupled_weight_decay": True}),
    ("RAdam", {"lr": 0.1, "decoupled_weight_decay": True}),
    ("Adafactor", {"lr": 0.1}),
]


def problem() -> tuple[Tensor, Tensor]:
    torch.manual_seed(0)
    x = torch.randn(200, 5, dtype=torch.float64)
    return x, x @ torch.tensor([1.0, -2.0, 0.5, 0.0, 3.0], dtype=torch.float64)


def held(optimizer: Any, shrink: float = 1.0, steps: int = 400, **options: Any) -> float:
    """The coefficient c of ½ c ‖w‖² that would hold the weights where an optimizer leaves them."""
    x, y = problem()
    w = torch.zeros(5, dtype=torch.float64, requires_grad=True)
    made = optimizer([w], **options)
    schedule = optim.lr_scheduler.CosineAnnealingLR(made, steps)
    for _ in range(steps):
        made.zero_grad()
        (0.5 * (x @ w - y).square().mean()).backward()
        w.data *= 1 - made.param_groups[0]["lr"] * (1 - shrink)
        made.step()
        schedule.step()
    (slope,) = torch.autograd.grad(0.5 * (x @ w - y).square().mean(), [w])
    at = w.detach()
    return float(-(slope * at).sum() / at.square().sum())


@pytest.mark.parametrize(("name", "options"), COUPLED)
def test_coupled_decay_is_l2(name: str, options: dict[str, Any]) -> None:
    assert held(torch_optimizers[name], weight_decay=0.1, **options) == pytest.approx(0.1, rel=0.01)


@pytest.mark.parametrize(("name", "options"), DECOUPLED)
def test_decoupled_decay_is_not(name: str, options: dict[str, Any]) -> None:
    assert held(torch_optimizers[name], weight_decay=0.1, **options) != pytest.approx(0.1, rel=0.2)


@pytest.mark.parametrize("dampening", [0.0, 0.5])
def test_decoupled_decay_beside_momentum_is_weaker_by_it(dampening: float) -> None:
    found = held(optim.SGD, shrink=0.9, steps=2000, lr=0.02, momentum=0.9, dampening=dampening)
    assert found == pytest.approx(0.1 * (1 - 0.9) / (1 - dampening), rel=0.01)


def test_defaults_are_those_of_the_table() -> None:
    defaults = {
        name: inspect.signature(kind).parameters["weight_decay"].default
        for name, kind in torch_optimizers.items()
        if "weight_decay" in inspect.signature(kind).parameters
    }
    assert torch_optimizers.keys() - defaults.keys() == {"LBFGS", "Rprop", "SparseAdam"}
    assert {name: value for name, value in defaults.items() if value} == {"AdamW": 0.01, "Muon": 0.1}
    assert {name for name, _ in COUPLED + DECOUPLED} | {"Muon"} == set(defaults)
