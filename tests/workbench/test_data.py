from pathlib import Path

import numpy as np
import polars as pl
import pytest

from tests.workbench.conftest import people
from torchobjectives.workbench import data, preprocessing
from torchobjectives.workbench.config import RunConfig
from torchobjectives.workbench.errors import InputError


@pytest.mark.parametrize(
    ("values", "task", "names"),
    [
        (["b", "a", "b"], "binary", ["a", "b"]),
        (["b", "a", "c"], "multiclass", ["a", "b", "c"]),
        ([True, False], "binary", ["false", "true"]),
        ([0, 1, 1], "binary", ["0", "1"]),
        ([-1, 1], "binary", ["-1", "1"]),
        ([3, 1, 2], "multiclass", ["1", "2", "3"]),
        ([1.0, 2.0, 10.0], "multiclass", ["1", "2", "10"]),
        (list(range(20)), "multiclass", [str(number) for number in range(20)]),
        (list(range(21)), "regression", []),
        ([0.5, 1.5], "regression", []),
    ],
)
def test_auto_task(values: list[object], task: str, names: list[str]) -> None:
    problem = data.pose(data.clean_target(pl.Series("y", values)))
    assert (problem.task, problem.class_names) == (task, names)


def test_a_task_may_be_asked_for() -> None:
    target = data.clean_target(pl.Series("y", [0, 1, 1]))
    assert data.pose(target, "multiclass").class_names == ["0", "1"]
    assert data.pose(target, "regression").classes == []


def test_classes_come_back_as_they_were() -> None:
    for values in (["b", "a", "b"], [True, False, True], [7, 3, 7]):
        target = data.clean_target(pl.Series("y", values))
        problem = data.pose(target)
        encoded = problem.encode(target)
        assert encoded.tolist() == [1, 0, 1]
        assert problem.decode(encoded, target.dtype).to_list() == values


@pytest.mark.parametrize(
    ("name", "rows", "task"),
    [
        ("breast_cancer", 569, "binary"),
        ("digits", 1797, "multiclass"),
        ("wine", 178, "multiclass"),
        ("diabetes", 442, "regression"),
        ("two_rings", 7000, "binary"),
    ],
)
def test_bundled_data(name: str, rows: int, task: str) -> None:
    table = data.load(RunConfig(dataset=name))
    assert len(table.target) == table.features.height == rows
    assert data.pose(table.target).task == task


def test_two_rings_are_what_they_are_said_to_be() -> None:
    table = data.load(RunConfig(dataset="two_rings"))
    radius = np.hypot(*table.features.to_numpy().T)
    inner = table.target.to_numpy() == 1
    assert inner.sum() == 1000
    assert radius[inner].mean() == pytest.approx(5, abs=0.15)
    assert radius[~inner].mean() == pytest.approx(8, abs=0.1)
    assert radius[~inner].std() == pytest.approx(1, abs=0.05)


def test_csv_and_parquet_give_the_same_table(csv: Path) -> None:
    people().write_parquet("people.parquet")
    tables = [data.load(RunConfig(data=path, target="label")) for path in (csv, Path("people.parquet"))]
    kinds = [preprocessing.column_kinds(table.features) for table in tables]
    assert kinds[0] == kinds[1]
    assert set(kinds[0].values()) == {"numeric", "categorical", "boolean", "date"}
    frames = [preprocessing.conform(table.features, kinds[0]) for table in tables]
    for name in frames[0].columns:
        a, b = frames[0][name], frames[1][name]
        assert a.is_null().equals(b.is_null())
        assert a.equals(b) or np.allclose(a.drop_nulls(), b.drop_nulls())


def test_missing_is_written_in_many_ways() -> None:
    Path("gaps.csv").write_text("a,b,y\n1,x,0\nNA,?,1\n,,0\nnan,NaN,1\n")
    frame, _ = data.read(Path("gaps.csv"))
    assert frame["a"].dtype.is_integer()
    assert frame.null_count().row(0) == (3, 3, 0)


@pytest.mark.parametrize("target", [["a"] * 5, [1.5] * 5, [None, 1, 2], [float("nan"), 1.0], [float("inf"), 1.0]])
def test_targets_that_cannot_be_learnt(target: list[object]) -> None:
    with pytest.raises(InputError, match="'y'"):
        data.clean_target(pl.Series("y", target))
