"""Columns as a model learnt them, wherever they come from: a cell means the same in text, Parquet and Python."""

from datetime import time

import polars as pl
import polars.exceptions

from torchobjectives._validate import near
from torchobjectives.workbench.cells import (
    DATE_START,
    MISSING_AMONG_VALUES,
    kind_of,
    not_numbers,
    row,
    shown,
    trimmed,
    typed,
)
from torchobjectives.workbench.errors import InputError

MICROSECONDS_PER_DAY = 86_400e6
# Whole numbers up to here are told apart by float64.
LARGEST_WHOLE = 2.0**53
KIND_WORDS = {"numeric": "numbers", "boolean": "true or false", "date": "dates", "categorical": "text"}


def conform(features: pl.DataFrame, kinds: dict[str, str]) -> pl.DataFrame:
    """Return the columns in the types of their kinds: text for categories, numbers for all others (dates in days).

    Columns of no kind are left out; one that is not there, or holds something else than its kind, is an error.
    """
    there = set(features.columns)
    absent = [name for name in kinds if name not in there]
    if absent:
        others = [name for name in features.columns if name not in kinds] or features.columns
        more = f" (nor {len(absent) - 1} more of the model's columns)" if len(absent) > 1 else ""
        raise InputError(f"there is no column {absent[0]!r}{more}. {near(absent[0], others)}")
    return features.select(_conformed(features[name], kind) for name, kind in kinds.items())


def _conformed(column: pl.Series, kind: str) -> pl.Series:
    kind_of(column.name, column.dtype)
    try:
        return _as_kind(column, kind)
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException) as error:
        first = (str(error).strip().splitlines() or ["out of range"])[0]
        raise InputError(
            f"column {column.name!r} holds {column.dtype} that cannot be read as {KIND_WORDS[kind]} ({first[:150]}): "
            "correct the column"
        ) from error


def _as_kind(column: pl.Series, kind: str) -> pl.Series:
    if kind == "categorical":
        return trimmed(_written(column))
    if isinstance(column.dtype, pl.String | pl.Categorical | pl.Enum):
        column = _read(column.cast(pl.String))
    if column.null_count() == len(column):
        return column.cast(pl.Null).cast(pl.Float64)
    if kind == "date" and column.dtype.is_temporal():
        return _days(column)
    if kind == "date" or not (column.dtype.is_numeric() or column.dtype == pl.Boolean):
        raise InputError(_misfit(column, kind))
    column = column.cast(pl.Float64)
    if column.is_nan().any():
        column = column.fill_nan(None)
    if kind == "boolean":
        _refuse(column, ~column.is_in([0.0, 1.0]), f"is neither {KIND_WORDS[kind]} nor 1 or 0")
    if column.is_infinite().any():
        raise InputError(
            f"column {column.name!r} holds infinite values (first in row {row(column.is_infinite())}): correct them, "
            "or leave the cells empty (missing)"
        )
    return column


def _read(column: pl.Series) -> pl.Series:
    """Return text that stands for numbers, dates or true/false as these; what else it is, it stays."""
    bare = trimmed(column)
    missing = bare.str.to_lowercase().is_in(MISSING_AMONG_VALUES).fill_null(False)
    return typed(bare.set(missing, None) if missing.any() else bare)


def _written(column: pl.Series) -> pl.Series:
    """Return cells as a text file would hold them: 1 for 1.0, 2020-01-31 for midnight of that day."""
    if column.dtype.is_decimal():
        return column.cast(pl.String).str.replace(r"\.0+$|(\.\d*[1-9])0+$", "${1}")
    if column.dtype.is_float():
        column = column.fill_nan(None)
        whole = (column == column.floor()) & (column.abs() <= LARGEST_WHOLE)
        return _either(whole, column.cast(pl.Int64, strict=False).cast(pl.String), column.cast(pl.String))
    if isinstance(column.dtype, pl.Datetime):
        midnight = column.dt.time() == time()
        return _either(midnight, column.dt.strftime("%Y-%m-%d"), column.dt.strftime("%Y-%m-%d %H:%M:%S%.f"))
    if isinstance(column.dtype, pl.Duration):
        return column.dt.to_string()
    return column.cast(pl.String)


def _either(condition: pl.Series, yes: pl.Series, no: pl.Series) -> pl.Series:
    return no if not condition.any() else yes.zip_with(condition.fill_null(False), no)


def _days(column: pl.Series) -> pl.Series:
    """Return dates and times as days, whatever their unit: a table to predict on may have another one."""
    if column.dtype == pl.Date:
        return column.to_physical().cast(pl.Float64)
    if isinstance(column.dtype, pl.Datetime):
        return column.dt.epoch("us").cast(pl.Float64) / MICROSECONDS_PER_DAY
    # A time of day counts from midnight.
    return column.cast(pl.Duration("us")).to_physical().cast(pl.Float64) / MICROSECONDS_PER_DAY


def _refuse(column: pl.Series, odd: pl.Series, what: str) -> None:
    if odd.any():
        first = row(odd.fill_null(False))
        raise InputError(
            f"column {column.name!r}, row {first}: {column[first - 1]:g} {what}: correct the cell, or leave it empty "
            "(missing)"
        )


def _misfit(column: pl.Series, kind: str) -> str:
    """Say which cell is the first that does not suit the kind."""
    if column.dtype != pl.String:
        held = "dates" if column.dtype.is_temporal() else "true/false" if column.dtype == pl.Boolean else "numbers"
        return f"column {column.name!r} holds {held}, and the model learnt it as {KIND_WORDS[kind]}: correct the column"
    if kind == "date":
        odd = ~column.str.contains(DATE_START)
    else:
        truth = column.str.to_lowercase().is_in(["true", "false"])
        odd = not_numbers(column) & ~truth if kind == "boolean" else not_numbers(column)
    odd = odd.fill_null(False)
    # Dates that are none, such as the 31st of June, begin like dates.
    first = row(odd if odd.any() else column.is_not_null())
    return (
        f"column {column.name!r} holds text (row {first}: {shown(column[first - 1])}), and the model learnt it as "
        f"{KIND_WORDS[kind]}: correct the cell, or leave it empty (missing)"
    )
