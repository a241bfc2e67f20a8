"""The command ``fit`` against its parts alone: reading and preparing, memory, and a training step.

Run: ``./dev python benchmarks/fit.py [--rows 1000000] [--rounds 3] [--threads 2]``.

- *read + prepare*: from a file to float32 inputs, split and scaled, against ``polars.read_csv`` or ``read_parquet`` and
  one ColumnTransformer of scikit-learn with the same steps. Both take turns; a figure is the median of the rounds.
- *memory*: a process of its own per contender and file: the peak of resident memory (VmHWM) minus what was resident
  before, over the size of the table in memory. Linux only.
- *training*: FitModule on Lightning's Trainer, with the objective and its penalties, against a plain PyTorch loop with
  the same network, optimizer and batches; microseconds per step.
"""

from __future__ import annotations

import argparse
import logging
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import lightning
import numpy as np
import polars as pl
import sklearn
import torch
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from torch.nn.functional import binary_cross_entropy_with_logits
from torch.utils.data import DataLoader

from torchobjectives import param_groups
from torchobjectives.workbench import run, training
from torchobjectives.workbench.config import RunConfig

CATEGORIES = (4, 6, 8, 10, 12)
COLUMNS = 50
GOAL_TIME = 2.0
GOAL_MEMORY = 3.0


def table(rows: int) -> pl.DataFrame:
    """Return 45 columns of numbers, one in a hundred cells of the first ten missing, five of categories, a target."""
    generator = np.random.default_rng(0)
    columns: dict[str, Any] = {f"x{i}": generator.normal(size=rows) for i in range(COLUMNS - len(CATEGORIES))}
    for number, count in enumerate(CATEGORIES):
        columns[f"c{number}"] = generator.choice([f"level {level}" for level in range(count)], rows)
    columns["y"] = np.where(columns["x20"] + generator.normal(size=rows) > 0, "yes", "no")
    frame = pl.DataFrame(columns)
    gaps = [pl.when(pl.Series(generator.random(rows) > 0.01)).then(f"x{i}").alias(f"x{i}") for i in range(10)]
    return frame.with_columns(gaps)


def ours(path: Path) -> int:
    return run.prepare(RunConfig(data=path, target="y")).x.nbytes


def theirs(path: Path) -> int:
    frame = pl.read_csv(path) if path.suffix == ".csv" else pl.read_parquet(path)
    y = (frame["y"] == "yes").to_numpy()
    features = frame.drop("y")
    train, _ = train_test_split(np.arange(len(y)), test_size=0.2, random_state=0, stratify=y)
    fill = SimpleImputer(strategy="median", add_indicator=True)
    one_hot = OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=50, sparse_output=False)
    numeric = [name for name in features.columns if name.startswith("x")]
    categorical = [name for name in features.columns if name.startswith("c")]
    transformer = ColumnTransformer(
        [("numeric", make_pipeline(fill, StandardScaler()), numeric), ("categorical", one_hot, categorical)]
    )
    transformer.fit(features[np.sort(train)])
    return np.asarray(transformer.transform(features), dtype=np.float32).nbytes


CONTENDERS: dict[str, Callable[[Path], int]] = {"ours": ours, "theirs": theirs}


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def times(path: Path, rounds: int) -> dict[str, float]:
    taken: dict[str, list[float]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name, contender in CONTENDERS.items():
            taken[name].append(seconds(lambda contender=contender: contender(path)))
    return {name: statistics.median(values) for name, values in taken.items()}


def resident(key: str) -> int:
    """Return a line of /proc/self/status in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{key}:"))


def peak(name: str, path: Path) -> int:
    """Return the memory that a contender needs at its peak, measured in a process of its own."""
    command = [sys.executable, __file__, "--peak", name, str(path)]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def print_peak(name: str, path: Path) -> None:
    before = resident("VmRSS")
    CONTENDERS[name](path)
    print(resident("VmHWM") - before)


def steps(batch_size: int, count: int, rounds: int) -> dict[str, float]:
    """Return microseconds per training step."""
    config = RunConfig(dataset="breast_cancer", l1=1e-4, l2=1e-3, batch_size=batch_size)
    prepared = run.prepare(config)
    generator = torch.Generator().manual_seed(0)
    batches = [
        (
            torch.randn(batch_size, prepared.x.shape[1], generator=generator),
            torch.randint(0, 2, (batch_size,), generator=generator).float(),
        )
        for _ in range(count)
    ]
    trainer_options: dict[str, Any] = {
        "accelerator": "cpu",
        "max_epochs": 1,
        "gradient_clip_val": training.GRADIENT_NORM,
        "enable_checkpointing": False,
        "enable_model_summary": False,
        "enable_progress_bar": False,
        "logger": False,
    }

    def on_trainer() -> float:
        module = training.FitModule(run.assemble(config, prepared), config, prepared.problem)
        trainer = lightning.Trainer(**trainer_options)
        return seconds(lambda: trainer.fit(module, DataLoader(batches, batch_size=None)))

    def plain_loop() -> float:
        network = run.assemble(config, prepared).network
        optimizer = torch.optim.AdamW(param_groups(network, lr=1e-3, weight_decay=0.0))
        weights = [weight for weight in network.parameters() if weight.ndim > 1]

        def loop() -> None:
            for x, y in batches:
                optimizer.zero_grad()
                loss = binary_cross_entropy_with_logits(network(x), y)
                for weight in weights:
                    loss = loss + 1e-4 * weight.abs().sum() + 5e-4 * weight.square().sum()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(network.parameters(), training.GRADIENT_NORM)
                optimizer.step()

        return seconds(loop)

    taken: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(rounds):
        taken["ours"].append(on_trainer())
        taken["theirs"].append(plain_loop())
    return {name: 1e6 * statistics.median(values) / count for name, values in taken.items()}


def line(name: str, base: str, ratio: float, goal: float | None = None) -> str:
    aim = "" if goal is None else f"{goal:g}" + (" **over**" if ratio > goal else "")
    return f"| {name} | {base} | {ratio:.2f} | {aim} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--peak", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.peak:
        print_peak(options.peak[0], Path(options.peak[1]))
        return
    torch.set_num_threads(options.threads)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module=r"lightning\.")
    print(
        f"torch {torch.__version__}, polars {pl.__version__}, scikit-learn {sklearn.__version__}, "
        f"{options.threads} threads, median of {options.rounds} rounds\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder) / name for name in ("table.csv", "table.parquet")]
        frame = table(options.rows)
        frame.write_csv(paths[0])
        frame.write_parquet(paths[1])
        size = frame.estimated_size()
        print(f"{options.rows} rows × {COLUMNS} columns and a target: {size / 1e6:.0f} MB in memory\n")
        del frame
        print("| read + prepare | polars + scikit-learn | ratio | goal |\n|---|---|---|---|")
        for path in paths:
            taken = times(path, options.rounds)
            ratio = taken["ours"] / taken["theirs"]
            print(line(path.suffix, f"{taken['theirs']:.2f} s", ratio, GOAL_TIME), flush=True)
        print("\n| peak memory | polars + scikit-learn, of the table | ours, of the table | goal |\n|---|---|---|---|")
        for path in paths:
            ratios = {name: peak(name, path) / size for name in CONTENDERS}
            print(line(path.suffix, f"{ratios['theirs']:.2f}", ratios["ours"], GOAL_MEMORY), flush=True)
    print("\n| training, rows per step | plain loop, µs per step | ratio | |\n|---|---|---|---|")
    for batch_size in (64, 1024, 16384):
        taken = steps(batch_size, max(20, 20_000 // batch_size), options.rounds)
        print(line(str(batch_size), f"{taken['theirs']:.0f}", taken["ours"] / taken["theirs"]), flush=True)


if __name__ == "__main__":
    main()
