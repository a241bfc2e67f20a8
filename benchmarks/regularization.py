"""What penalties cost per step, relative to the tutorial loop through autograd: ratios in one process.

Run: ``./dev python benchmarks/regularization.py [--rounds 15]``. The tensors are those of ResNet-50: 25.6 million
numbers in 161, all of them penalised. Contenders take turns in every round; a figure is the median of the rounds.
*Added* is a step with the plan less the same step without, each a median.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn

from torchobjectives import L2, ElasticNet, MSELoss, Objective, Penalty

L1_COEFFICIENT, L2_COEFFICIENT = 1e-7, 1e-4
PENALTY = ElasticNet(L1_COEFFICIENT + L2_COEFFICIENT, L1_COEFFICIENT / (L1_COEFFICIENT + L2_COEFFICIENT), on="*")


def resnet50() -> nn.Module:
    """The parameters of ResNet-50, without what it computes."""
    layers: list[nn.Module] = [nn.Conv2d(3, 64, 7, bias=False), nn.BatchNorm2d(64)]
    width = 64
    for inner, blocks in ((64, 3), (128, 4), (256, 6), (512, 3)):
        for block in range(blocks):
            shapes = [(width, inner, 1), (inner, inner, 3), (inner, 4 * inner, 1)]
            shapes += [(width, 4 * inner, 1)] if block == 0 else []
            for before, after, kernel in shapes:
                layers += [nn.Conv2d(before, after, kernel, bias=False), nn.BatchNorm2d(after)]
            width = 4 * inner
    return nn.Sequential(*layers, nn.Linear(width, 1000))


def with_gradients() -> nn.Module:
    torch.manual_seed(0)
    model = resnet50()
    for parameter in model.parameters():
        parameter.grad = 1e-3 * torch.randn_like(parameter)
    return model


def tutorial() -> Callable[[], None]:
    """The loop of most tutorials, forward and backward."""
    parameters = list(with_gradients().parameters())

    def loop() -> None:
        penalty = torch.zeros(())
        for parameter in parameters:
            penalty = penalty + L1_COEFFICIENT * parameter.norm(1) + L2_COEFFICIENT / 2 * parameter.norm(2) ** 2
        penalty.backward()

    return loop


def step(kind: Any, penalty: Penalty | None = None, **options: Any) -> Callable[[], None]:
    """One step of an optimizer, with or without a plan."""
    model = with_gradients()
    optimizer = kind(model.parameters(), lr=1e-4, **options)
    if penalty is not None:
        Objective(MSELoss(), [penalty]).attach(optimizer, model)
    return lambda: optimizer.step() and None


def medians(contenders: Sequence[Callable[[], None]], rounds: int) -> list[float]:
    for contender in contenders:
        contender()
        contender()
    times: list[list[float]] = [[] for _ in contenders]
    for _ in range(rounds):
        for contender, own in zip(contenders, times, strict=True):
            start = time.perf_counter()
            contender()
            own.append(time.perf_counter() - start)
    return [statistics.median(own) for own in times]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    sgd, adam = torch.optim.SGD, torch.optim.Adam
    loop, bare, proximal = medians((tutorial(), step(sgd), step(sgd, PENALTY)), rounds)
    print(f"the tutorial loop, forward and backward: {loop * 1e3:.1f} ms")
    heads = (
        "penalty",
        "optimizer",
        "step, ms",
        "with the plan, ms",
        "added, of the loop",
        "added, of the step",
        "goal",
    )
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")

    def row(penalty: str, optimizer: str, bare: float, carried: float, goal: str) -> None:
        added = carried - bare
        times = f"{bare * 1e3:.1f} | {carried * 1e3:.1f} | {added / loop:.1%} | {added / bare:.1%}"
        print(f"| {penalty} | {optimizer} | {times} | {goal} |")

    row("elastic net, exact zeros", "SGD", bare, proximal, "15 % of the loop")
    momentum = medians((step(sgd, momentum=0.9), step(sgd, PENALTY, momentum=0.9)), rounds)
    row("elastic net, exact zeros", "SGD, momentum", momentum[0], momentum[1], "")
    metric = medians((step(adam), step(adam, PENALTY)), rounds)
    row("elastic net, exact zeros", "Adam, its own metric", metric[0], metric[1], "")
    decay = medians((step(adam, fused=True), step(adam, L2(L2_COEFFICIENT, on="*"), fused=True)), rounds)
    row("L2 by weight_decay", "Adam, fused", decay[0], decay[1], "2 % of the step")


if __name__ == "__main__":
    main()
