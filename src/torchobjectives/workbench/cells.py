"""What a cell of a table says: missing, a number, a date, true or false, text."""

import re
from collections.abc import Collection

import polars as pl
import polars.exceptions

from torchobjectives.workbench.errors import InputError

# Beyond doubt, in any column. Words such as None, none and na may be categories; see MISSING_AMONG_VALUES.
MISSING = ["", "NA", "N/A", "n/a", "#N/A", "<NA>", "NaN", "nan", "null", "NULL", "?"]
# Beyond doubt only where every other cell is a number, a date or true/false; in any case of letters.
MISSING_AMONG_VALUES = ["na", "none", "nan", "null"]

NUMBER = re.compile(r"[+-]?((\d+([.,]\d*)?|[.,]\d+)(e[+-]?\d+)?|inf|infinity)", re.IGNORECASE)
DATE = re.compile(r"\d{1,4}([-/.])\d{1,2}\1\d{1,4}([ T]\d.*)?")
# Numbers in another dress: $1.50, 1,001, 12 %, 1'000. Letters are text.
NUMBER_LIKE = r"^[^\pL\d]{0,3}\d+([.,' \x{a0}_]\d+)*[.,]?([eE][+-]?\d+)?[^\pL\d]{0,3}$"
DATE_START = r"^\s*\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}"
DECIMAL_COMMA = r"^[+-]?(\d+,\d*|,\d+)([eE][+-]?\d+)?$"
NAMES_SHOWN = 5
MOSTLY = 0.9


def sort_of(cell: str) -> str:
    """Name what one cell of a text file is.

    >>> [sort_of(cell) for cell in ("?", " 1,5", "2020-01-31", "TRUE", "yes")]
    ['missing', 'number', 'date', 'truth', 'text']
    """
    cell = cell.strip()
    if cell in MISSING:
        return "missing"
    if NUMBER.fullmatch(cell):
        return "number"
    if DATE.fullmatch(cell):
        return "date"
    return "truth" if cell.lower() in ("true", "false") else "text"


def kind_of(name: str, dtype: pl.DataType) -> str:
    """Name the kind of a column of this type: numeric, boolean, date or categorical; refuse what is no cell."""
    if dtype == pl.Boolean:
        return "boolean"
    if dtype.is_numeric() or dtype == pl.Null:
        return "numeric"
    if dtype.is_temporal():
        return "date"
    if isinstance(dtype, pl.String | pl.Categorical | pl.Enum):
        return "categorical"
    raise InputError(f"column {name!r} holds {dtype}: wanted numbers, text, dates or true/false in each cell")


def row(found: pl.Series) -> int:
    """Return the number of the first row that is found, counted from 1 after the header."""
    return int(found.arg_max() or 0) + 1


def shown(cell: object, most: int = 80) -> str:
    """Write one cell for a person, its beginning if it is long.

    >>> shown("a"), shown(1.5), shown("abc" * 99, 10)
    ("'a'", '1.5', "'abcabcab…")
    """
    text = repr(cell) if not isinstance(cell, str) or len(cell) <= most else repr(cell[:most])
    return text if len(text) <= most else f"{text[: most - 1]}…"


def listed(names: Collection[str]) -> str:
    """Write names of columns for a person.

    >>> listed(["a"]), listed(["a", "b"]), listed("abcdefgh")
    ("column 'a'", "columns 'a', 'b'", "columns 'a', 'b', 'c', 'd', 'e' and 3 more")
    """
    shown = ", ".join(map(repr, list(names)[:NAMES_SHOWN]))
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    return f"column{'s' if len(names) > 1 else ''} {shown}{more}"


def trimmed(column: pl.Series) -> pl.Series:
    """Return a text column without spaces around its cells, and its missing cells as missing."""
    # Texts repeat: looking at the distinct ones is enough to see that nothing is to be done.
    values = column.unique().drop_nulls()
    if not (values.str.contains(r"^\s|\s$") | values.is_in(MISSING)).any():
        return column
    bare = column.str.strip_chars()
    return bare.set(bare.is_in(MISSING).fill_null(False), None)


def typed(column: pl.Series, *, decimal_comma: bool = False) -> pl.Series:
    """Return a text column as numbers, truth values or dates if all of its cells are such; else as it is."""
    values = column.unique().drop_nulls()
    values = values.filter(~values.str.to_lowercase().is_in(MISSING_AMONG_VALUES))
    if values.is_empty():
        return column
    for kind in (pl.Int64, pl.Float64, pl.Boolean, pl.Date, pl.Datetime):
        # A few values rule most kinds out, and looking for dates in many texts takes long.
        if all(_cast(some, kind, decimal_comma).null_count() == 0 for some in (values[:100], values)):
            return _cast(column, kind, decimal_comma)
    return column


def _cast(column: pl.Series, kind: type[pl.DataType], decimal_comma: bool) -> pl.Series:
    """Read texts as a kind; what is not of the kind becomes missing."""
    try:
        if kind == pl.Boolean:
            lower = column.str.to_lowercase()
            return (lower == "true").set(~lower.is_in(["true", "false"]).fill_null(False), None)
        if kind == pl.Date:
            return column.str.to_date(strict=False)
        if kind == pl.Datetime:
            return column.str.to_datetime(strict=False)
        return (pointed(column) if decimal_comma else column).cast(kind, strict=False)
    except polars.exceptions.PolarsError:  # polars finds no format of dates
        return pl.Series(column.name, [None] * len(column), dtype=kind)


def pointed(column: pl.Series) -> pl.Series:
    """Return texts with the decimal commas of numbers as points."""
    return (
        column.to_frame()
        .select(
            pl.when(pl.col(column.name).str.contains(DECIMAL_COMMA))
            .then(pl.col(column.name).str.replace(",", ".", literal=True))
            .otherwise(pl.col(column.name))
        )
        .to_series()
    )


def not_numbers(column: pl.Series) -> pl.Series:
    """Return where a text column holds a cell that cannot be read as a number."""
    return column.is_not_null() & column.cast(pl.Float64, strict=False).is_null()


def text_among_numbers(column: pl.Series) -> str:
    """Say where a text column that looks like numbers holds none; nothing if it does not look so.

    >>> text_among_numbers(pl.Series(["1"] * 9 + ["-"]))
    "text in 1 of 10 cells (row 10: '-')"
    """
    known = column.drop_nulls()
    looks = known.str.contains(NUMBER_LIKE) | ~not_numbers(known)
    odd = not_numbers(column)
    if known.is_empty() or looks.mean() < MOSTLY or not odd.any():  # type: ignore[operator]
        return ""
    return text_cells(column)


def text_cells(column: pl.Series) -> str:
    """Say how many cells of a text column are no numbers, and which comes first."""
    odd = not_numbers(column)
    first = row(odd)
    return f"text in {odd.sum()} of {len(column)} cells (row {first}: {shown(column[first - 1])})"
