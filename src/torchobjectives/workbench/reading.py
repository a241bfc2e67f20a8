"""Files in: a table from a path, whatever the file holds, and what was not the plain case."""

import codecs
import gzip
import os
import re
import zlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import polars.exceptions

from torchobjectives._validate import near
from torchobjectives.workbench import delimited
from torchobjectives.workbench.cells import listed, text_among_numbers, trimmed, typed
from torchobjectives.workbench.delimited import Header, Layout, Source
from torchobjectives.workbench.errors import InputError

PARQUET = b"PAR1"
GZIP = b"\x1f\x8b"
SUFFIXES = (".csv", ".tsv", ".txt", ".gz", ".parquet", ".pq")
# What other files begin with, and what to do with them.
FOREIGN = {
    b"PK\x03\x04": "an Excel or zip file: save the sheet as CSV, or unpack it",
    b"\xd0\xcf\x11\xe0": "an old Excel file: save the sheet as CSV",
    b"ARROW1": "an Arrow file: save it as Parquet",
    b"BZh": "compressed with bzip2: unpack it",
    b"\xfd7zXZ": "compressed with xz: unpack it",
    b"\x28\xb5\x2f\xfd": "compressed with zstd: unpack it",
    b"%PDF": "a PDF: save the table as CSV",
    b"<!DOCTYPE": "a web page: download the table itself",
    b"<!doctype": "a web page: download the table itself",
    b"<html": "a web page: download the table itself",
    b"SQLite format": "a database: export the table as CSV",
    b'{"': "JSON: save it as CSV or Parquet",
}
PARQUET_SUFFIXES = (".parquet", ".pq")
UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
MOST_ODD = 10


@dataclass(frozen=True)
class _Raw:
    """A table as it was read, with the names of its columns as they are written."""

    frame: pl.DataFrame
    names: Sequence[str]
    notes: list[str]
    # Parquet says what its columns are; the cells of a text file say it themselves.
    has_types: bool
    decimal_comma: bool = False


def read(
    path: Path,
    *,
    header: Header = "auto",
    kinds: Mapping[str, str] | None = None,
    expected: Collection[str] = (),
) -> tuple[pl.DataFrame, tuple[str, ...]]:
    """Read a CSV or Parquet file; return the table, and a sentence for all that was not the plain case.

    Args:
        path: The file. What it holds decides how it is read, not its name.
        header: Whether a text file has a header row.
        kinds: The kinds of the columns of a fitted run: its categories are read as they are written.
        expected: Further names that the header row holds if there is one.
    """
    check(path)
    text = {name for name, kind in (kinds or {}).items() if kind == "categorical"}
    try:
        with path.open("rb") as file:
            start = file.read(len(PARQUET))
        raw = _read_parquet(path) if start == PARQUET else _read_text(path, header, {*(kinds or {}), *expected}, text)
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    names, name_notes = clean_names(path, raw.names)
    frame = raw.frame.rename(dict(zip(raw.frame.columns, names, strict=True)))
    frame, cell_notes = clean_cells(frame, set(names) if raw.has_types else text, decimal_comma=raw.decimal_comma)
    return frame, (*raw.notes, *name_notes, *cell_notes)


def check(path: Path) -> None:
    """Refuse what is no file, in words."""
    # A path has lost one of the two strokes.
    address = re.fullmatch(r"([A-Za-z][A-Za-z0-9+.-]+):/+(.*)", str(path), re.DOTALL)
    if address:
        raise InputError(f"{address[1]}://{address[2]} is an address, not a file: download it first")
    try:
        str(path).encode()
        found, is_file = path.exists(), path.is_file()
        siblings = sorted(os.listdir(path.parent)) if not found and path.parent.is_dir() else []
    except UnicodeEncodeError:
        raise InputError(f"the name {str(path)!r} is not UTF-8: rename the file") from None
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"cannot look for a file {_short(path)}: {reason}") from error
    if not found:
        tables = [name for name in siblings if Path(name).suffix.lower() in SUFFIXES]
        raise InputError(f"there is no file {path}" + (f". {near(path.name, tables)}" if tables else ""))
    if not is_file:
        kind = "a folder, not a file" if path.is_dir() else "no regular file, but a device or a pipe"
        empty = " (an empty name means it, too)" if path == Path() else ""
        raise InputError(f"{str(path)!r} is {kind}{empty}: name a CSV or Parquet file")


def _short(path: Path, most: int = 60) -> str:
    text = str(path)
    return text if len(text) <= most else f"{text[:most]}…"


def _read_parquet(path: Path) -> _Raw:
    try:
        frame = pl.read_parquet(path, glob=False)
    # A damaged file may make polars panic, which is no Exception.
    except (polars.exceptions.PolarsError, polars.exceptions.PanicException) as error:
        said = str(error).strip().splitlines() or ["it ends too early"]
        raise InputError(
            f"{path} is a damaged or incomplete Parquet file ({said[0].rstrip('.:')}): write or copy it again"
        ) from error
    notes = [] if path.suffix.lower() in PARQUET_SUFFIXES else ["the file holds Parquet, whatever its name"]
    return _Raw(frame, frame.columns, notes, has_types=True)


def _read_text(path: Path, header: Header, expected: Collection[str], text: Collection[str]) -> _Raw:
    content, note = _text(path)
    try:
        frame, layout, notes = delimited.read(Source(str(path), content), header, expected, text)
    except delimited.NotUtf8Error:
        # The beginning was UTF-8, and only polars sees the rest.
        content, note = delimited.decode(str(path), path.read_bytes())
        frame, layout, notes = delimited.read(Source(str(path), content), header, expected, text)
    named = ["the file holds text, whatever its name"] if path.suffix.lower() in PARQUET_SUFFIXES else []
    names = layout.header or frame.columns
    all_notes = [*named, *filter(None, [note]), *notes, *_date_notes(frame, names, layout)]
    return _Raw(frame, names, all_notes, has_types=False, decimal_comma=layout.separator != ",")


def _text(path: Path) -> tuple[Path | bytes, str]:
    """Return the file if polars can read it as it is, else its text as UTF-8, and a note; refuse what is no text."""
    with path.open("rb") as file:
        head = file.read(delimited.SAMPLE_BYTES)
    for start, what in FOREIGN.items():
        if head.startswith(start):
            raise InputError(f"{path} is {what}")
    if head.startswith(GZIP):
        try:
            head = gzip.decompress(path.read_bytes())
        except (OSError, EOFError, zlib.error) as error:
            raise InputError(f"{path} is damaged or incomplete (gzip: {error}): copy it again") from error
        return delimited.decode(str(path), head)
    if head.startswith(UTF16):
        return delimited.decode(str(path), path.read_bytes())
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return delimited.decode(str(path), path.read_bytes())
    delimited.refuse_binary(str(path), head)
    return path, "the file begins with a byte order mark" if head.startswith(codecs.BOM_UTF8) else ""


def _date_notes(frame: pl.DataFrame, names: Sequence[str], layout: Layout) -> list[str]:
    """Say which columns were taken for dates, and how one that is not written year first was read."""
    iso: list[str] = []
    other: list[str] = []
    for name, column, cell in zip(names, frame.iter_columns(), layout.first_row, strict=False):
        if column.dtype in (pl.Date, pl.Datetime):
            year_first = re.match(r"\s*\d{4}", cell) or column[0] is None
            if year_first:
                iso.append(name)
            else:
                other.append(f"column {name!r}: read as dates ({cell!r} is {column[0]})")
    return ([f"{listed(iso)}: read as dates"] if iso else []) + other


def clean_names(path: Path, names: Sequence[str]) -> tuple[list[str], list[str]]:
    """Return names without spaces around them, one for each column that has none, and notes; refuse duplicates."""
    bare = [name.strip() for name in names]
    found = [name or f"column_{index}" for index, name in enumerate(bare)]
    twice = [name for name, count in Counter(found).items() if count > 1]
    if twice:
        raise InputError(
            f"{path} has more than one {listed(twice).removeprefix('columns ').removeprefix('column ')} column: "
            "rename or remove all but one"
        )
    unnamed = [new for new, old in zip(found, bare, strict=True) if not old]
    return found, [f"{listed(unnamed)}: without a name in the file"] if unnamed else []


def clean_cells(
    frame: pl.DataFrame, as_written: Collection[str], *, decimal_comma: bool = False
) -> tuple[pl.DataFrame, list[str]]:
    """Mend the text columns: spaces around cells, missing cells, numbers and dates that were taken for text.

    Args:
        frame: The table.
        as_written: Names of columns that stay text.
        decimal_comma: Whether 1,5 is a number.
    """
    mended: dict[str, pl.Series] = {}
    spaces, commas, odd = [], [], []
    for column in frame.select(pl.col(pl.String)).iter_columns():
        bare = trimmed(column)
        new = bare if column.name in as_written else typed(bare, decimal_comma=decimal_comma)
        mended[column.name] = new
        if new.dtype == pl.String:
            spaces += [column.name] if bare is not column and _had_spaces(column) else []
            among = "" if column.name in as_written else text_among_numbers(new)
            odd += [f"column {column.name!r} holds {among}: used as a category"] if among else []
        elif new.dtype == pl.Float64 and bare.str.contains(",", literal=True).any():
            commas.append(column.name)
    notes = [f"{listed(commas)}: decimal commas"] if commas else []
    notes += [f"{listed(spaces)}: spaces around the text are left out"] if spaces else []
    notes += odd[:MOST_ODD] + (
        [f"{len(odd) - MOST_ODD} more columns hold text among numbers"] if odd[MOST_ODD:] else []
    )
    return frame.with_columns(mended.values()), notes


def _had_spaces(column: pl.Series) -> bool:
    return bool(column.str.contains(r"\S\s+$|^\s+\S").any())
