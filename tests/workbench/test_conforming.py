"""A cell means the same wherever it comes from: text, Parquet, polars, pandas, a dictionary of columns."""

from collections import OrderedDict
from collections.abc import Callable
from datetime import UTC, date, datetime, time, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch

from tests.workbench.conftest import Fit, people
from torchobjectives.workbench import InputError, conforming, data, load
from torchobjectives.workbench.frames import as_frame


def of_file(path: Path, kind: str) -> pl.Series:
    frame, _ = data.read(path, kinds={"x": kind})
    return conforming.conform(frame, {"x": kind})["x"]


def of_table(table: Any, kind: str) -> pl.Series:
    return conforming.conform(as_frame(table, ["x"]), {"x": kind})["x"]


def csv(values: list[Any], texts: list[str], kind: str) -> pl.Series:
    Path("x.csv").write_text("x,other\n" + "".join(f'"{text}",1\n' for text in texts))
    return of_file(Path("x.csv"), kind)


def parquet(values: list[Any], texts: list[str], kind: str) -> pl.Series:
    pl.DataFrame({"x": values}).write_parquet("x.parquet")
    return of_file(Path("x.parquet"), kind)


def parquet_of_text(values: list[Any], texts: list[str], kind: str) -> pl.Series:
    return parquet(texts, texts, kind)


def pandas(values: list[Any], texts: list[str], kind: str) -> pl.Series:
    return of_table(pytest.importorskip("pandas").DataFrame({"x": values, "y": 0}), kind)


FORMS: dict[str, Callable[[list[Any], list[str], str], pl.Series]] = {
    "csv": csv,
    "parquet": parquet,
    "parquet of text": parquet_of_text,
    "pandas": pandas,
    "pandas of text": lambda values, texts, kind: pandas(texts, texts, kind),
    "pandas of objects": lambda values, texts, kind: of_table(
        pytest.importorskip("pandas").DataFrame({"x": values}, dtype=object), kind
    ),
    "polars": lambda values, texts, kind: of_table(pl.DataFrame({"x": values}), kind),
    "polars of text": lambda values, texts, kind: of_table(pl.DataFrame({"x": texts}), kind),
    "polars of categories": lambda values, texts, kind: of_table(
        pl.DataFrame({"x": texts}, schema={"x": pl.Categorical}), kind
    ),
    "polars, not collected": lambda values, texts, kind: of_table(pl.LazyFrame({" x ": values}), kind),
    "a dictionary": lambda values, texts, kind: of_table({"x": values}, kind),
    "a dictionary of text": lambda values, texts, kind: of_table(OrderedDict(x=tuple(texts)), kind),
    "a series": lambda values, texts, kind: of_table({"x": pl.Series(values)}, kind),
    "an array of objects": lambda values, texts, kind: of_table({"x": np.array(values, dtype=object)}, kind),
    "an array of text": lambda values, texts, kind: of_table({"x": np.array(texts)}, kind),
}
MORNING = datetime(2020, 1, 31, 6, 0)
# Kind, values of Python's, the same as text, what the model gets to see.
MEANT: dict[str, tuple[str, list[Any], list[str], list[Any]]] = {
    "fractions": ("numeric", [1.5, None, -2.0], ["1.5", "", " -2 "], [1.5, None, -2.0]),
    "whole numbers": ("numeric", [1, None, 300], ["1", "NA", "3e2"], [1.0, None, 300.0]),
    "NaN": ("numeric", [1.0, float("nan")], ["1", "NaN"], [1.0, None]),
    "nothing": ("numeric", [None, None], ["", "None"], [None, None]),
    "decimals": ("numeric", [Decimal("1.50"), None], ["1.50", "null"], [1.5, None]),
    "truth for 1 and 0": ("numeric", [True, None, False], ["true", "", "FALSE"], [1.0, None, 0.0]),
    "truth": ("boolean", [True, None, False], [" True", "none", "false"], [1.0, None, 0.0]),
    "1 and 0 for truth": ("boolean", [1.0, None, 0.0], ["1", "?", "0.0"], [1.0, None, 0.0]),
    "dates": ("date", [date(2020, 1, 31), None], ["2020-01-31", ""], [18292.0, None]),
    "moments": ("date", [MORNING, None], [" 2020-01-31 06:00:00", "NA"], [18292.25, None]),
    "no dates": ("date", [None, None], ["", "na"], [None, None]),
    "text": ("categorical", ["b c", None, "01"], [" b c", "", "01 "], ["b c", None, "01"]),
    "words": ("categorical", ["None", "x"], [" None", "x"], ["None", "x"]),
    "numbers for categories": ("categorical", [1.0, None, 2.0], ["1", "NaN", " 2"], ["1", None, "2"]),
    "fractions for categories": ("categorical", [1.5, 2.0], ["1.5", "2"], ["1.5", "2"]),
    "decimals for categories": ("categorical", [Decimal("1.50"), Decimal("20.00")], ["1.5", "20"], ["1.5", "20"]),
    "long numbers for categories": ("categorical", [2**53 + 1], ["9007199254740993"], ["9007199254740993"]),
    "truth for categories": ("categorical", [True, None], ["true", ""], ["true", None]),
    "dates for categories": ("categorical", [date(2020, 1, 31)], ["2020-01-31"], ["2020-01-31"]),
    "moments for categories": (
        "categorical",
        [MORNING, datetime(2020, 1, 31)],
        ["2020-01-31 06:00:00", "2020-01-31"],
        ["2020-01-31 06:00:00", "2020-01-31"],
    ),
    "nothing for categories": ("categorical", [None, None], ["", "?"], [None, None]),
}


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("meant", list(MEANT))
def test_a_cell_means_the_same_in_every_form(meant: str, form: str) -> None:
    kind, values, texts, expected = MEANT[meant]
    seen = FORMS[form](values, texts, kind)
    assert seen.to_list() == expected
    assert seen.dtype == (pl.String if kind == "categorical" else pl.Float64)


# Kind, values of Python's, the same as text, words of the message.
MISFITS: dict[str, tuple[str, list[Any], list[str], list[str]]] = {
    "text": ("numeric", ["1", "old"], ["1", "old"], ["'x'", "row 2: 'old'", "numbers"]),
    "dates": ("numeric", [date(2020, 1, 31)], ["2020-01-31"], ["'x' holds dates", "numbers"]),
    "infinity": ("numeric", [1.0, float("inf")], ["1", "inf"], ["infinite", "row 2"]),
    "numbers": ("boolean", [None, 1, 7], ["", "1", "7"], ["'x', row 3: 7 is neither true or false nor 1 or 0"]),
    "perhaps": ("boolean", ["true", "perhaps"], ["true", "perhaps"], ["row 2: 'perhaps'", "true or false"]),
    "dates for truth": ("boolean", [date(2020, 1, 31)], ["2020-01-31"], ["'x' holds dates", "true or false"]),
    "numbers for dates": ("date", [5], ["5"], ["'x' holds numbers", "dates"]),
    "truth for dates": ("date", [True], ["true"], ["'x' holds true/false", "dates"]),
    "no date": ("date", ["2020-01-31", "then"], ["2020-01-31", "then"], ["row 2: 'then'", "dates"]),
    "no day": ("date", [None, "2020-06-31"], ["", "2020-06-31"], ["row 2: '2020-06-31'", "dates"]),
}


@pytest.mark.parametrize("form", list(FORMS))
@pytest.mark.parametrize("misfit", list(MISFITS))
def test_what_does_not_suit_is_refused_in_every_form(misfit: str, form: str) -> None:
    kind, values, texts, words = MISFITS[misfit]
    with pytest.raises(InputError) as stopped:
        FORMS[form](values, texts, kind)
    said = str(stopped.value)
    assert all(word in said for word in words), said
    assert "\n" not in said


# What no cell of a file holds, and words of the message.
NO_CELLS: dict[str, tuple[Any, list[str]]] = {
    "lists": ([[1], [2]], ["'x' holds list (row 1)", "wanted numbers, text, dates or true/false"]),
    "lists of polars": (pl.Series([[1], [2]]), ["'x' holds List"]),
    "objects": ([None, object()], ["'x' holds object (row 2)"]),
    "objects of polars": (pl.Series([object()], dtype=pl.Object), ["'x' holds object"]),
    "complex": ([1 + 2j], ["'x' holds complex"]),
    "an array of complex": (np.array([1 + 2j]), ["'x' holds complex"]),
    "bytes": ([b"a"], ["'x' holds bytes"]),
    "bytes of polars": (pl.Series([b"a"]), ["'x' holds Binary"]),
    "structs": (pl.Series([{"a": 1}]), ["'x' holds Struct"]),
    "dictionaries": ([{"a": 1}], ["'x' holds dict"]),
    "text and numbers": (["a", None, 1], ["'x' holds numbers and text (row 3: 1)", "of one kind"]),
    "truth and numbers": ([True, 7], ["'x' holds numbers and true/false (row 2: 7)"]),
    "two dimensions": (np.ones((2, 2)), ["'x' has 2 dimensions"]),
    "tensors": ([torch.ones(())], ["'x' holds Tensor"]),
    "a mapping": ({"a": 1}, ["'x' is a dict", "a list"]),
    "a generator": ((number for number in range(3)), ["'x' is a generator", "a list"]),
    "half a letter": (["\ud800"], ["'x' cannot be read"]),
    "other lengths": ([1], ["'x' has 1 rows, 'z' has 3"]),
}


@pytest.mark.parametrize("name", list(NO_CELLS))
@pytest.mark.parametrize("kind", ["numeric", "boolean", "date", "categorical"])
def test_what_is_no_cell_is_refused(name: str, kind: str) -> None:
    column, words = NO_CELLS[name]
    table = {"x": column} | ({"z": [1, 2, 3]} if name == "other lengths" else {})
    if name == "a generator":
        table["x"] = (number for number in range(3))
    with pytest.raises(InputError) as stopped:
        conforming.conform(as_frame(table, list(table)), {"x": kind})
    said = str(stopped.value)
    assert all(word in said for word in words), said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (np.array([1, 2], dtype=np.uint8), [1.0, 2.0]),
        (np.array([1.5, np.nan], dtype=np.float16), [1.5, None]),
        (np.array([1.5, 2.5], dtype=">f4"), [1.5, 2.5]),
        (np.array([1, 2], dtype=">i8"), [1.0, 2.0]),
        (np.arange(4)[::2], [0.0, 2.0]),
        (np.ma.array([1, 2], mask=[False, True]), [1.0, None]),
        (torch.tensor([1.0, 2.0]), [1.0, 2.0]),
        (range(2), [0.0, 1.0]),
        ([10**30, 1], [1e30, 1.0]),
        ([1, 2.5, np.float32(0.5), Decimal("0.5")], [1.0, 2.5, 0.5, 0.5]),
        (3, [3.0]),
        ([], []),
    ],
)
def test_numbers_come_in_many_makes(column: Any, expected: list[Any]) -> None:
    assert of_table({"x": column}, "numeric").to_list() == expected


@pytest.mark.parametrize(
    ("column", "days"),
    [
        (np.array(["2020-01-31", "NaT"], dtype="datetime64[D]"), [18292.0, None]),
        (np.array(["2020-01-31T06", "NaT"], dtype="datetime64[h]"), [18292.25, None]),
        ([np.datetime64("2020-01-31"), np.datetime64("NaT"), MORNING], [18292.0, None, 18292.25]),
        ([date(2020, 1, 31), MORNING], [18292.0, 18292.25]),
        ([MORNING.replace(tzinfo=UTC), MORNING.replace(tzinfo=timezone(timedelta(hours=6)))], [18292.25, 18292.0]),
        ([time(6), None], [0.25, None]),
        ([timedelta(days=2), None], [2.0, None]),
    ],
)
def test_dates_come_in_many_makes(column: Any, days: list[Any]) -> None:
    assert of_table({"x": column}, "date").to_list() == days


@pytest.mark.parametrize("cell", ["a" * 10**6, timedelta.max, np.datetime64(10**18, "Y"), Decimal("sNaN"), 10**400])
@pytest.mark.parametrize("kind", ["numeric", "boolean", "date"])
def test_cells_beyond_all_bounds_are_refused_in_a_line(kind: str, cell: Any) -> None:
    with pytest.raises(InputError, match="column 'x'") as stopped:
        of_table({"x": [None, cell]}, kind)
    assert len(str(stopped.value)) < 300
    assert "\n" not in str(stopped.value)


def test_columns_that_are_not_wanted_are_not_looked_at() -> None:
    table = {"x": [1, 2], "odd": [object()], "y ": "a", 3: [b"x", None, 1]}
    assert as_frame(table, ["x", "y"]).to_dict(as_series=False) == {"x": [1, 2], "y": ["a", "a"]}
    with pytest.raises(InputError, match="more than one 'x' column"):
        as_frame({"x": [1], " x": [2]}, ["x"])


def test_the_rows_of_a_file_get_the_same_predictions_in_python(csv: Path, fit: Fit) -> None:
    run = load(fit(data=csv, target="label"))
    wanted = run.predict(people())
    texts = people().with_columns(pl.all().cast(pl.String).fill_null(" "))
    assert run.predict(texts).equals(wanted)
    assert run.predict(texts.to_dict(as_series=False)).equals(wanted)
    assert run.predict(dict.fromkeys(texts.columns, "")).height == 1
