"""What ``watch`` costs per step: a training with it against the same one without, ratios in one process.

Run: ``./dev python benchmarks/watch.py [--threads 1] [--runs 9] [--steps 1000]``. In a run two trainings begin anew,
one of them watched at the default interval, and take turns step by step. Of each run the median step of both is taken,
for the watched one of its steps without a look. Looks come at the same steps of every run: of each the median over the
runs is what it costs. *Overhead* is what a step costs more, with the looks after the first spread over all steps, as a
share of a step; the first look, which comes once in a training, has a column of its own. *Bare against bare* is what
the same makes of two trainings that nobody watches: how far the machine lets anybody see.
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

GOAL, EVERY = 0.02, 50
Training = Callable[[], None]


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


def training(row: Row, watched: bool) -> Training:
    """A step of a training that learns something, so that the watch has no reason to look twice."""
    torch.manual_seed(0)
    pairs = zip(row.widths, row.widths[1:], strict=False)
    layers: list[nn.Module] = [layer for before, after in pairs for layer in (nn.Linear(before, after), nn.ReLU())]
    model = nn.Sequential(*layers[:-1])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    loss: Any = row.loss()
    called = watch(loss, every=EVERY) if watched else loss
    called = loss if isinstance(loss, nn.Module) else called
    x = torch.randn(row.batch, row.widths[0])
    y_true = x[:, : row.widths[-1]].argmax(1) if row.classes else x[:, :1] - x[:, 1:2]

    def step() -> None:
        optimizer.zero_grad()
        called(model(x), y_true).backward()
        optimizer.step()

    return step


def seconds(step: Training) -> float:
    # On one thread processor time: the clock on the wall also counts what else the machine does.
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    step()
    return clock() - start


@dataclass(frozen=True)
class Cost:
    """Seconds of a bare step, and what a step, its share of the looks after the first, and the first cost more."""

    bare: float
    step: float
    looks: float
    first: float

    @property
    def overhead(self) -> float:
        return (self.step + self.looks) / self.bare


def cost(row: Row, watched: bool, runs: int, steps: int) -> Cost:
    """What the second of two trainings costs more, watched or not."""
    looks = {0, *range(EVERY - 1, steps, EVERY)} if watched else set()
    bare, more = [], []
    at: dict[int, list[float]] = {step: [] for step in looks}
    for run in range(runs):
        one, other = training(row, False), training(row, watched)
        times: dict[Training, list[float]] = {one: [], other: []}
        for step in range(steps):
            for turn in (one, other) if (run + step) % 2 else (other, one):
                times[turn].append(seconds(turn))
        usual = statistics.median(t for step, t in enumerate(times[other]) if step not in looks)
        bare.append(statistics.median(times[one]))
        more.append(usual - bare[-1])
        for step in looks:
            at[step].append(times[other][step] - (times[one][step] if step == 0 else usual))
    dear = {step: statistics.median(each) for step, each in at.items()}
    first = dear.pop(0, 0.0)
    return Cost(statistics.median(bare), statistics.median(more), sum(dear.values()) / steps, first)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    training(ROWS[0], True)()
    print(f"torch {torch.__version__}, {options.threads} threads, {options.runs} runs of {options.steps} steps\n")
    print("| training | step, µs | more, µs | looks, µs | first look, ms | overhead | bare against bare | goal |")
    print("|---|---|---|---|---|---|---|---|")
    for row in ROWS:
        if options.only in row.name:
            found = cost(row, True, options.runs, options.steps)
            noise = cost(row, False, options.runs, options.steps).overhead
            flag = "" if found.overhead <= GOAL else " **over**"
            more = f"{found.step * 1e6:.1f} | {found.looks * 1e6:.1f} | {found.first * 1e3:.1f}"
            times = f"{found.bare * 1e6:.0f} | {more}"
            print(f"| {row.name} | {times} | {found.overhead:+.1%} | {noise:+.1%} | {GOAL:.0%}{flag} |", flush=True)


if __name__ == "__main__":
    main()
