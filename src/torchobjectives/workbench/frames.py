"""Tables in from Python: polars, pandas or a dictionary of columns, as columns that a file could have held."""

import sys
from collections.abc import Callable, Collection, Iterable, Mapping, Sized
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import polars as pl
import polars.exceptions

from torchobjectives._validate import near
from torchobjectives.workbench.cells import row, shown
from torchobjectives.workbench.errors import InputError

# What a cell may be, in words; a value of another type is none.
SORTS: dict[str, tuple[type, ...]] = {
    "true/false": (bool, np.bool_),
    "numbers": (int, float, np.integer, np.floating, Decimal),
    "text": (str,),
    "dates": (date, np.datetime64),
    "times": (time,),
    "durations": (timedelta, np.timedelta64),
}
MISSING_TYPES = ("NoneType", "NAType", "NaTType")


def as_frame(table: Any, wanted: Collection[str]) -> pl.DataFrame:
    """Return these columns of a table, found by their names without spaces around them.

    Args:
        table: A polars or pandas data frame, or a dictionary of columns; a single value stands for every row.
        wanted: Names of the columns; others are not looked at.

    Raises:
        InputError: It is no table, a column is missing or there twice, or a column holds what is no cell.
    """
    names, column = _columns(table)
    bare = [str(name).strip() for name in names]
    for name in wanted:
        if name not in bare:
            raise InputError(f"the column {name!r}, on which the run was fitted, is missing. {near(name, bare)}")
        if bare.count(name) > 1:
            raise InputError(f"the table has more than one {name!r} column: rename or remove all but one")
    found = {name: _series(name, column(bare.index(name))) for name in wanted}
    return pl.DataFrame(_of_one_height(found))


def _columns(table: Any) -> tuple[list[Any], Callable[[int], Any]]:
    """Return the names of a table's columns, and what gives the column at a position."""
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(table, pandas.DataFrame):
        return list(table.columns), lambda index: table.iloc[:, index]
    if isinstance(table, pl.LazyFrame):
        try:
            table = table.collect()
        except polars.exceptions.PolarsError as error:
            raise InputError(f"the lazy table cannot be collected: {_first_line(error)}") from error
    if isinstance(table, pl.DataFrame):
        return table.columns, table.to_series
    if isinstance(table, Mapping):
        return list(table), list(table.values()).__getitem__
    raise InputError(f"a table is wanted (polars, pandas, or a dictionary of columns), got {type(table).__name__}")


def _of_one_height(found: dict[str, pl.Series | Any]) -> dict[str, pl.Series]:
    """Repeat single values; refuse columns of unequal lengths."""
    heights = {name: len(column) for name, column in found.items() if not isinstance(column, _Single)}
    height = next(iter(heights.values()), 1)
    for name, other in heights.items():
        if other != height:
            first = next(iter(heights))
            raise InputError(
                f"the columns have unequal lengths ({first!r} has {height} rows, {name!r} has {other}): "
                "give every row a cell in each, None where it is missing"
            )
    return {
        name: column.column.new_from_index(0, height) if isinstance(column, _Single) else column
        for name, column in found.items()
    }


class _Single:
    """One value that stands for every row."""

    def __init__(self, column: pl.Series) -> None:
        self.column = column


def _series(name: str, column: Any) -> pl.Series | _Single:
    """Return a column of any make as polars', of a plain type."""
    try:
        if isinstance(column, pl.Series):
            return _from_values(name, column.to_list()) if column.dtype == pl.Object else column.alias(name)
        if _sort_of(type(column)) is not None:
            return _Single(_from_values(name, [column]))
        pandas = sys.modules.get("pandas")
        if pandas is not None and isinstance(column, pandas.Series):
            # Through Python objects but for plain numbers: pyarrow, which polars would use, is not needed for this.
            plain = isinstance(column.dtype, np.dtype) and column.dtype.kind in "biufM"
            return _series(name, column.to_numpy()) if plain else _from_values(name, column.tolist())
        if isinstance(column, np.ndarray) or (hasattr(column, "__array__") and not isinstance(column, type)):
            return _from_array(name, column)
        if isinstance(column, Sized) and isinstance(column, Iterable) and not isinstance(column, Mapping | bytes):
            return _from_values(name, list(column))
    except InputError:
        raise
    except (Exception, polars.exceptions.PanicException) as error:  # as many as there are makes of columns
        raise InputError(f"column {name!r} cannot be read ({_first_line(error)}): give it as a list") from error
    raise InputError(f"column {name!r} is a {type(column).__name__}: wanted a list, an array or a series")


def _from_array(name: str, column: Any) -> pl.Series:
    if isinstance(column, np.ma.MaskedArray):
        return _from_values(name, column.tolist())
    array = np.asarray(column)
    if array.ndim != 1:
        raise InputError(f"column {name!r} has {array.ndim} dimensions: wanted one value per row")
    if array.dtype.kind == "f":
        return pl.Series(name, array if array.dtype == np.float32 else array.astype(np.float64))
    if array.dtype.kind == "M":
        return pl.Series(name, array.astype("datetime64[us]"))
    # A subclass, or another order of bytes, is no array of polars'.
    if array.dtype.kind in "biu":
        return pl.Series(name, np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("=")))
    return _from_values(name, array.tolist() if array.dtype.kind != "m" else list(array))


def _from_values(name: str, values: list[Any]) -> pl.Series:
    """Return Python's values as a column; all that are not missing must be of one sort."""
    sorts = {kind: _sort_of(kind) for kind in set(map(type, values))}
    there = {sort for sort in sorts.values() if sort != "missing"}
    for kind, sort in sorts.items():
        if sort is None:
            first = row(pl.Series([type(value) is kind for value in values]))
            raise InputError(
                f"column {name!r} holds {kind.__name__} (row {first}): wanted numbers, text, dates or true/false in "
                "each cell"
            )
    if not there <= {"text", "missing"}:
        # NaN and NaT, which no value equals.
        values = [None if sorts[type(value)] == "missing" or value != value else value for value in values]
        there = {sort for value in values if value is not None and (sort := sorts[type(value)])}
    if not there:
        return pl.Series(name, [None] * len(values), dtype=pl.Null)
    if len(there) > 1:
        first = row(pl.Series([value is not None and sorts[type(value)] != sorts[_first(values)] for value in values]))
        raise InputError(
            f"column {name!r} holds {' and '.join(sorted(map(str, there)))} (row {first}: {shown(values[first - 1])}): "
            "make its cells of one kind"
        )
    return _of_sort(str(there.pop()), name, values)


def _first(values: list[Any]) -> type:
    return next(type(value) for value in values if value is not None)


def _sort_of(kind: type) -> str | None:
    if kind.__name__ in MISSING_TYPES:
        return "missing"
    return next((sort for sort, kinds in SORTS.items() if issubclass(kind, kinds)), None)


def _of_sort(sort: str, name: str, values: list[Any]) -> pl.Series:
    match sort:
        case "numbers":
            return _numbers(name, values)
        case "true/false":
            return pl.Series(name, [value if value is None else bool(value) for value in values], dtype=pl.Boolean)
        case "text":
            missing = [None if not isinstance(value, str) else value for value in values]
            return pl.Series(name, missing, dtype=pl.String)
        case "dates":
            return _dates(name, values)
        case "times":
            return pl.Series(name, values, dtype=pl.Time)
        case _:
            return pl.Series(name, [v.item() if isinstance(v, np.timedelta64) else v for v in values])


def _numbers(name: str, values: list[Any]) -> pl.Series:
    if all(value is None or isinstance(value, int | np.integer) for value in values):
        try:
            return pl.Series(name, [None if value is None else int(value) for value in values], dtype=pl.Int64)
        except (OverflowError, TypeError):  # wider than 64 bits
            # As text they keep their digits: they may be names of things.
            return pl.Series(name, [None if value is None else str(value) for value in values], dtype=pl.String)
    return pl.Series(name, [None if value is None else float(value) for value in values], dtype=pl.Float64)


def _dates(name: str, values: list[Any]) -> pl.Series:
    if all(value is None or type(value) is date for value in values):
        return pl.Series(name, values, dtype=pl.Date)
    return pl.Series(name, [None if value is None else _moment(value) for value in values], dtype=pl.Datetime("us"))


def _moment(value: Any) -> datetime:
    if isinstance(value, np.datetime64):
        value = value.astype("datetime64[us]").item()
        if isinstance(value, int):
            raise ValueError("a date beyond the years 1 to 9999")
    if not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    return value if value.tzinfo is None else value.astimezone(UTC).replace(tzinfo=None)


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".:")[:200]
