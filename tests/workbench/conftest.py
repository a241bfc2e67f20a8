import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from rich.console import Console

from torchobjectives import cli
from torchobjectives.workbench import metrics, run
from torchobjectives.workbench.config import RunConfig

Fit = Callable[..., Path]


@pytest.fixture(autouse=True)
def few_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "RESAMPLES", 5)


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def people(rows: int = 80) -> pl.DataFrame:
    """A table with a number, a category, both with gaps, a truth value, a date, and three targets."""
    generator = np.random.default_rng(0)
    age = generator.normal(40, 10, rows)
    town = generator.choice(["Aarhus", "Bergen", "Chur"], rows)
    kept = generator.random(rows) > 0.2
    return pl.DataFrame(
        {
            "age": pl.Series(age).set(pl.Series(~kept), None),
            "town": pl.Series(town).set(pl.Series(generator.random(rows) < 0.1), None),
            "member": generator.random(rows) > 0.5,
            "since": pl.Series(np.datetime64("2020-01-01") + np.arange(rows)),
            "income": 10 * age + generator.normal(0, 20, rows),
            "label": np.where(age + 5 * (town == "Bergen") > 40, "yes", "no"),
            "level": np.digitize(age, [35, 45]),
        }
    )


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    path = tmp_path / "people.csv"
    people().write_csv(path)
    return path


@pytest.fixture(scope="session")
def one_run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run of one epoch that predicts labels; copy it."""
    folder = tmp_path_factory.mktemp("one")
    people().write_csv(folder / "people.csv")
    cli.main(("fit", str(folder / "people.csv"), "--target", "label", "--epochs", "1", "--out", str(folder / "run")))
    return folder / "run"


@pytest.fixture
def fit(tmp_path: Path) -> Fit:
    """Fit quickly and quietly; returns the folder."""

    def quick(**options: Any) -> Path:
        options = {"epochs": 2, "hidden": "8", "out": tmp_path / "out", "overwrite": True} | options
        return run.fit(RunConfig(**options), console=Console(file=io.StringIO()))

    return quick
