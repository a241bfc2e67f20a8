"""What ``watch`` costs per step: a training with it against the same one without, ratios in one process.

Run: ``./dev python benchmarks/watch.py [--threads 1] [--rounds 31]``. A round is 100 steps, which hold two looks at the
default interval; contenders take turns in every round, and which of them is first changes. *Overhead* is the median
over the rounds of the ratio of the two times, less 1; *bare against bare* is the same of two trainings without a watch:
what the machine alone makes of it.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchobjectives import CrossEntropyLoss, MSELoss, Objective
from torchobjectives.check.watch import watch

STEPS, GOAL = 100, 0.02
Round = Callable[[], None]


@dataclass(frozen=True)
class Row:
    """One training: the sizes, the loss and its targets."""

    name: str
    loss: Callable[[], Callable[[Tensor, Tensor], Tensor]]
    widths: tuple[int, ...]
    batch: int
    classes: bool = False


SMALL, MEDIUM, LARGE = (50, 64, 32), (50, 256, 128), (256, 512, 512)
ROWS = [
    Row("MLP 50-64-32, nn.MSELoss", nn.MSELoss, (*SMALL, 1), 256),
    Row("MLP 50-64-32, F.mse_loss", lambda: F.mse_loss, (*SMALL, 1), 256),
    Row("MLP 50-64-32, nn.CrossEntropyLoss", nn.CrossEntropyLoss, (*SMALL, 10), 256, classes=True),
    Row("MLP 50-64-32, MSELoss", MSELoss, (*SMALL, 1), 256),
    Row("MLP 50-64-32, Objective(CrossEntropyLoss)", lambda: Objective(CrossEntropyLoss()), (*SMALL, 10), 256, True),
    Row("MLP 50-256-128, nn.CrossEntropyLoss", nn.CrossEntropyLoss, (*MEDIUM, 10), 256, classes=True),
    Row("MLP 256-512-512, nn.CrossEntropyLoss", nn.CrossEntropyLoss, (*LARGE, 100), 512, classes=True),
]


def training(row: Row, watched: bool) -> Round:
    """A round of steps that learn something, so that the watch has no reason to look twice."""
    torch.manual_seed(0)
    pairs = zip(row.widths, row.widths[1:], strict=False)
    layers: list[nn.Module] = [layer for before, after in pairs for layer in (nn.Linear(before, after), nn.ReLU())]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss: Any = row.loss()
    called = watch(loss) if watched else loss
    called = loss if isinstance(loss, nn.Module) else called
    x = torch.randn(row.batch, row.widths[0])
    y_true = x[:, : row.widths[-1]].argmax(1) if row.classes else x[:, :1] - x[:, 1:2]

    def steps() -> None:
        for _ in range(STEPS):
            optimizer.zero_grad()
            called(model(x), y_true).backward()
            optimizer.step()

    return steps


def seconds(steps: Round) -> float:
    # On one thread processor time: the clock on the wall also counts what else the machine does.
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    steps()
    return clock() - start


def compared(one: Round, other: Round, rounds: int) -> tuple[float, float]:
    """The median seconds of the first, and the median ratio of the second to it."""
    one(), other()
    firsts, ratios = [], []
    for number in range(rounds):
        times = {steps: seconds(steps) for steps in ((one, other) if number % 2 else (other, one))}
        firsts.append(times[one])
        ratios.append(times[other] / times[one])
    return statistics.median(firsts), statistics.median(ratios)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--rounds", type=int, default=31)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    print(f"torch {torch.__version__}, {options.threads} threads, median of {options.rounds} rounds of {STEPS} steps\n")
    print("| training | step, µs | overhead | bare against bare | goal |\n|---|---|---|---|---|")
    for row in ROWS:
        if options.only in row.name:
            bare, ratio = compared(training(row, False), training(row, True), options.rounds)
            _, noise = compared(training(row, False), training(row, False), options.rounds)
            flag = "" if ratio - 1 <= GOAL else " **over**"
            times = f"{bare / STEPS * 1e6:.0f} | {ratio - 1:+.1%} | {noise - 1:+.1%} | {GOAL:.0%}{flag}"
            print(f"| {row.name} | {times} |", flush=True)


if __name__ == "__main__":
    main()
