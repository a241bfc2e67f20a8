"""Eager losses against torch's own reduced calls: forward and backward, ratios in one process.

Run: ``./dev python benchmarks/eager.py [--threads 2] [--rounds 15]``. Contenders take turns in every round; a figure is
the median of the rounds. Each row first checks value and gradient against torch in the same dtype. A masked row has a
fifth of the elements masked, and is timed against torch's call on all of them: torch has no mask.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

import torchobjectives.functional as O

Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Row:
    """One comparison: ours and torch's call on the same inputs, and the ratio aimed at."""

    name: str
    shape: tuple[int, ...]
    ours: Loss
    theirs: Loss
    sample: Callable[[tuple[int, ...]], tuple[Tensor, Tensor]]
    goal: float
    # What the value must equal, where it is not what is timed.
    same: Loss | None = None


def reals(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    return torch.randn(shape), torch.randn(shape)


def binary(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    return torch.randn(shape), torch.randint(0, 2, shape).float()


def probabilities(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    return torch.rand(shape) * 0.98 + 0.01, torch.randint(0, 2, shape).float()


def classes(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    return torch.randn(shape), torch.randint(0, shape[1], shape[:1])


def log_probabilities(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    y_pred, y_true = classes(shape)
    return F.log_softmax(y_pred, 1), y_true


def rows() -> list[Row]:
    elementwise = [
        ("mse", O.mse_loss, F.mse_loss, reals, 2.3),
        ("l1", O.l1_loss, F.l1_loss, reals, 1.5),
        ("smooth_l1", O.smooth_l1_loss, F.smooth_l1_loss, reals, 2.3),
        ("huber", O.huber_loss, F.huber_loss, reals, 2.3),
        ("bce logits", O.binary_cross_entropy_loss, F.binary_cross_entropy_with_logits, binary, 1.5),
        (
            "bce probabilities",
            partial(O.binary_cross_entropy_loss, from_logits=False),
            F.binary_cross_entropy,
            probabilities,
            1.5,
        ),
    ]
    found = [
        Row(name, (size,), ours, theirs, sample, 2.0 if size == 1000 else goal)
        for name, ours, theirs, sample, goal in elementwise
        for size in (1000, 100_000, 1_000_000, 10_000_000)
    ]
    found += [
        masked(name, ours, theirs, size)
        for name, ours, theirs, sample, _ in elementwise
        for size in (100_000, 1_000_000, 10_000_000)
        if sample is reals and name != "l1"
    ]
    for size in (1000, 100_000, 10_000_000):
        found.append(
            Row(
                "cosine",
                (size // 50, 50),
                O.cosine_similarity_loss,
                lambda p, t: F.cosine_embedding_loss(p, t, torch.ones(len(p))),
                reals,
                2.0 if size == 1000 else 1.5,
            )
        )
    for shape in ((100, 10), (100_000, 10), (10_000, 100), (1000, 1000), (100_000, 100), (1000, 10_000)):
        small = shape == (100, 10)
        found.append(
            Row("cross_entropy", shape, O.cross_entropy_loss, F.cross_entropy, classes, 2.0 if small else 1.15)
        )
        found.append(Row("nll", shape, O.nll_loss, F.nll_loss, log_probabilities, 3.0 if small else 1.4))
    return found


def masked(name: str, ours: Loss, theirs: Loss, size: int) -> Row:
    mask = torch.rand(size) > 0.2
    return Row(
        f"{name}, masked",
        (size,),
        partial(ours, mask=mask),
        theirs,
        reals,
        2.3,
        same=lambda p, t: theirs(p[mask], t[mask]),
    )


def gradient(loss: Loss, y_pred: Tensor, y_true: Tensor) -> tuple[Tensor, Tensor]:
    y_pred = y_pred.requires_grad_()
    value = loss(y_pred, y_true)
    (slope,) = torch.autograd.grad(value, y_pred)
    return value.detach(), slope


def seconds(loss: Loss, y_pred: Tensor, y_true: Tensor, repeats: int) -> float:
    # On one thread processor time: the clock on the wall also counts what else the machine does.
    clock = time.process_time if torch.get_num_threads() == 1 else time.perf_counter
    start = clock()
    for _ in range(repeats):
        gradient(loss, y_pred, y_true)
    return (clock() - start) / repeats


def ratio(row: Row, rounds: int) -> tuple[float, float]:
    """The median time of torch's call, and the ratio of ours to it."""
    y_pred, y_true = row.sample(row.shape)
    for ours, theirs in zip(
        gradient(row.ours, y_pred, y_true), gradient(row.same or row.theirs, y_pred, y_true), strict=True
    ):
        torch.testing.assert_close(ours, theirs)
    repeats = max(1, int(2e5 / y_pred.numel()))
    pairs = [
        (seconds(row.ours, y_pred, y_true, repeats), seconds(row.theirs, y_pred, y_true, repeats))
        for _ in range(rounds)
    ]
    ours, theirs = (statistics.median(column) for column in zip(*pairs, strict=True))
    return theirs, ours / theirs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, {options.threads} threads, median of {options.rounds} rounds\n")
    print("| loss | shape | torch, µs | ratio | goal |\n|---|---|---|---|---|")
    for row in rows():
        if options.only in row.name:
            theirs, times = ratio(row, options.rounds)
            flag = "" if times <= row.goal else " **over**"
            print(f"| {row.name} | {row.shape} | {theirs * 1e6:.1f} | {times:.2f} | {row.goal}{flag} |", flush=True)


if __name__ == "__main__":
    main()
