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


def test_notes_come_with_the_table() -> None:
    rows = "".join(f"{i},5,,c{i},{i % 2}\n" for i in range(60))
    Path("odd.csv").write_text("a,same,none,code,y\n" + rows)
    notes = data.load(RunConfig(data=Path("odd.csv"), target="y")).notes
    assert notes == (
        "column 'none': no value in any row, which tells nothing",
        "column 'same': one value in every row, which tells nothing",
        "column 'code': 60 categories, of which all but the 49 most frequent count as one",
    )


@pytest.mark.parametrize(
    ("target", "found"), [("b", "b"), (" b ", "b"), ("-1", "c"), ("0", "a"), ("1", "1"), ("-4", "a")]
)
def test_a_target_is_a_name_or_a_position(target: str, found: str) -> None:
    assert data.find_target(["a", "b", "1", "c"], target, "data.csv") == found


@pytest.mark.parametrize(("target", "words"), [("4", "0 to 3"), ("-5", "-1 is the last"), ("bb", "'b'"), ("", "Known")])
def test_a_target_that_is_not_there(target: str, words: str) -> None:
    with pytest.raises(InputError, match=words):
        data.find_target(["a", "b", "1", "c"], target, "data.csv")


def test_a_file_without_a_header_row_has_positions() -> None:
    Path("bare.csv").write_text("".join(f"{i}.5,{i % 2}\n" for i in range(20)))
    table = data.load(RunConfig(data=Path("bare.csv"), target="-1"))
    assert (table.target.name, table.features.columns, len(table.target)) == ("column_1", ["column_0"], 20)
    # The target's name in the first row makes it a header.
    Path("years.csv").write_text("1.0,2.0\n" + "".join(f"{i}.5,{i % 2}\n" for i in range(20)))
    table = data.load(RunConfig(data=Path("years.csv"), target="2.0"))
    assert (table.target.name, len(table.target)) == ("2.0", 20)
    table = data.load(RunConfig(data=Path("years.csv"), target="1", header="no"))
    assert (table.target.name, len(table.target)) == ("column_1", 21)


NUMBERS_BUT_ONE = [f"{i}.5" for i in range(29)] + ["-"]


@pytest.mark.parametrize(
    ("values", "task", "words"),
    [
        (
            NUMBERS_BUT_ONE,
            "auto",
            ["text with 30 distinct values", "text in 1 of 30 cells (row 30: '-')", "multiclass"],
        ),
        (NUMBERS_BUT_ONE, "regression", ["text in 1 of 30 cells (row 30: '-')", "correct the cells"]),
        (["no", "yes"] * 9, "regression", ["text in 18 of 18 cells (row 1: 'no')", "--task binary would fit"]),
        ([True, False] * 9, "regression", ["true/false", "--task binary would fit"]),
        ([1.0, 2.5, 3.0] * 9, "multiclass", ["such as 2.5", "--task regression would fit"]),
        (["a", "b", "c"] * 9, "binary", ["3 distinct values", "--task multiclass would fit"]),
    ],
)
def test_a_task_that_does_not_suit_the_target(values: list[object], task: str, words: list[str]) -> None:
    with pytest.raises(InputError) as stopped:
        data.pose(data.clean_target(pl.Series("y", values)), task)
    assert all(word in str(stopped.value) for word in words), str(stopped.value)


def test_numbers_written_as_text_may_be_asked_for() -> None:
    target = data.clean_target(pl.Series("y", ["1", "2.5", "3"]))
    assert data.pose(target, "regression").encode(target).tolist() == [1.0, 2.5, 3.0]


def test_a_class_that_is_not_known_is_named() -> None:
    problem = data.pose(data.clean_target(pl.Series("y", ["no", "yes"])))
    with pytest.raises(InputError, match="row 2: 'perhaps'"):
        problem.encode(pl.Series("y", ["yes", "perhaps"]))


def test_many_classes_are_encoded_as_they_sort() -> None:
    values = np.random.default_rng(0).integers(0, 1000, 5000)
    target = data.clean_target(pl.Series("y", values))
    assert np.array_equal(data.pose(target, "multiclass").encode(target), np.unique(values, return_inverse=True)[1])


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ([0.0, 1e300, 2e300], "row 2: 1e.300"),
        ([1e-300, 2e-300], "hardly varies"),
        ([[1], [2]], "List"),
        ([1.0, float("inf")], "infinite values .first in row 2"),
    ],
)
def test_targets_out_of_range(values: list[object], words: str) -> None:
    with pytest.raises(InputError, match=words):
        data.clean_target(pl.Series("y", values, strict=False))


@pytest.mark.parametrize("target", [["a"] * 5, [1.5] * 5, [None, 1, 2], [float("nan"), 1.0], [float("inf"), 1.0]])
def test_targets_that_cannot_be_learnt(target: list[object]) -> None:
    with pytest.raises(InputError, match="'y'"):
        data.clean_target(pl.Series("y", target))


@pytest.mark.parametrize("cells", [[b"a", b"b"], [[1], [2]], [{"a": 1}, {"a": 2}]])
def test_a_file_with_what_is_no_cell_is_refused(cells: list[object]) -> None:
    pl.DataFrame({"x": cells * 5, "y": ["no", "yes"] * 5}).write_parquet("odd.parquet")
    with pytest.raises(InputError, match="column 'x' holds"):
        data.load(RunConfig(data=Path("odd.parquet"), target="y"))
