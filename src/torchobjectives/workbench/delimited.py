"""Text tables: what separates their fields, whether they have a header row, and in which line they are broken."""

import codecs
import csv
import io
import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, TextIO

import polars as pl
import polars.exceptions

from torchobjectives.workbench.cells import MISSING, sort_of
from torchobjectives.workbench.errors import InputError

Header = Literal["auto", "yes", "no"]

SAMPLE_BYTES = 2**22
SAMPLE_RECORDS = 1000
TEXT_CONTROLS = b"\t\n\r\f\x1a"
# Types guessed from more rows cost minutes for a large file (polars 2.1); a wrong guess is mended below.
INFERRED_ROWS = 10_000
MOST_MENDED = 5
# In a tie the first wins: a comma may be a decimal sign as well, and seldom the other way about.
SEPARATORS = "\t;,|"
SEPARATOR_NAMES = {"\t": "tabs", ";": "';'", ",": "','", "|": "'|'"}
QUOTED = re.compile(r"(?:^|[\t;,|])'[^'\r\n]*'(?=[\t;,|\r\n]|$)", re.MULTILINE)


@dataclass(frozen=True)
class Source:
    """A text table: a file that is UTF-8, or its text as UTF-8 bytes."""

    name: str
    content: Path | bytes

    @contextmanager
    def lines(self) -> Iterator[TextIO]:
        """Open the text, with its line ends as they are."""
        with io.BytesIO(self.content) if isinstance(self.content, bytes) else self.content.open("rb") as binary:
            yield io.TextIOWrapper(binary, "utf-8-sig", errors="replace", newline="")

    def head(self) -> str:
        """Return the beginning of the text."""
        with self.lines() as text:
            return text.read(SAMPLE_BYTES)

    def count(self, sign: str) -> int:
        """Count a sign in the whole text."""
        if isinstance(self.content, bytes):
            return self.content.count(sign.encode())
        with self.content.open("rb") as binary:
            return sum(block.count(sign.encode()) for block in iter(lambda: binary.read(SAMPLE_BYTES), b""))


@dataclass(frozen=True)
class Layout:
    """How a text table is written."""

    separator: str
    quote: str
    newline: str
    header: list[str] | None
    width: int
    preamble: str  # what comes before the first row: the header, if there is one, and empty lines
    first_row: list[str]
    missing: list[str]  # how missing cells are written, as far as the beginning shows


class NotUtf8Error(Exception):
    """A text that begins as UTF-8 and does not go on so."""


def decode(name: str, content: bytes) -> tuple[bytes, str]:
    """Return text as UTF-8, and a note if it was written in another encoding; refuse what is no text."""
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        encodings = {"utf-16": "UTF-16 text"}
    else:
        refuse_binary(name, content[:SAMPLE_BYTES])
        encodings = {"utf-8-sig": "", "cp1252": "Windows-1252 text"}
    for encoding, note in encodings.items():
        try:
            return content.decode(encoding).encode(), note
        except UnicodeDecodeError:
            continue
    raise InputError(f"{name} is no text in UTF-8, UTF-16 or Windows-1252: save it as CSV in UTF-8")


def refuse_binary(name: str, head: bytes) -> None:
    """Refuse bytes that no text holds."""
    strange = {byte for byte in head if byte < 32} - set(TEXT_CONTROLS)
    if strange:
        raise InputError(f"{name} is no text (it holds the byte {min(strange):#04x}): wanted CSV or Parquet")


def read(
    source: Source, header: Header = "auto", expected: Collection[str] = (), text: Collection[str] = ()
) -> tuple[pl.DataFrame, Layout, list[str]]:
    """Read a text table; return it with columns ``column_0`` and so on, how it is written, and notes.

    Args:
        source: The text.
        header: Whether the first row holds names.
        expected: Names that the header row holds if there is one.
        text: Names of columns whose types are not to be inferred.
    """
    layout = find_layout(source.name, source.head(), header, expected)
    names = layout.header or [f"column_{index}" for index in range(layout.width)]
    frame = _parse(source, layout, {index for index, name in enumerate(names) if name.strip() in text})
    if frame.width != layout.width:
        raise InputError(_fault(source, layout) or f"{source.name}: rows have different numbers of fields")
    frame, notes = _without_empty_lines(source, layout, frame)
    return frame, layout, [*_layout_notes(layout), *notes]


def find_layout(name: str, head: str, header: Header = "auto", expected: Collection[str] = ()) -> Layout:
    """Find out how a text table is written from its beginning."""
    quote = "'" if _in_single_quotes(head) else '"'
    separator = max(SEPARATORS, key=lambda sign: (_evenness(_records(head, sign, quote)), -SEPARATORS.index(sign)))
    # Not even two fields in a line: one column, whatever the separator.
    separator = separator if _evenness(_records(head, separator, quote)) else ","
    records = _records(head, separator, quote)
    if not records and head.strip():
        raise InputError(f"{name}: a quote opens in the first line and is never closed")
    if not records:
        raise InputError(f"{name} is empty: a header and rows are wanted")
    (start, first), rest = records[0], [record for _, record in records[1:]]
    named = header == "yes" or (
        header == "auto" and (any(cell.strip() in expected for cell in first) or has_header(first, rest))
    )
    before = start + (_length(head, start, first, separator, quote) if named else 0)
    return Layout(
        separator,
        quote,
        newline="\r" if "\r" in head and "\n" not in head else "\n",
        header=first if named else None,
        width=len(first),
        preamble="".join(head.splitlines(keepends=True)[:before]),
        first_row=rest[0] if named and rest else first,
        missing=sorted({cell.strip() for record in rest for cell in record} & set(MISSING) - {""}),
    )


def has_header(first: Sequence[str], rest: Sequence[Sequence[str]]) -> bool:
    """Decide whether the first row names the columns; in doubt it does.

    A cell speaks for a header if it is text above numbers, dates or true/false; against, if it is such a value above
    its like. Without either, a row of texts is no header if more than half of them come again below.
    Numbers that count up by one (0, 1, 2 or 2019, 2020) do not speak: they may be names.

    >>> has_header(["age", "sex"], [["31", "f"], ["40", "m"]]), has_header(["31", "f"], [["40", "m"], ["50", "f"]])
    (True, False)
    """
    first = [cell.strip() for cell in first]
    below = [[record[index].strip() for record in rest if index < len(record)] for index in range(len(first))]
    sorts = [{sort_of(cell) for cell in cells} - {"missing"} for cells in below]
    above = [sort_of(cell) for cell in first]
    is_value = [len(sort) == 1 and sort != {"text"} for sort in sorts]
    speak_for = sum(cell == "text" and value for cell, value in zip(above, is_value, strict=True))
    against = sum(value and {cell} == sort for cell, sort, value in zip(above, sorts, is_value, strict=True))
    if _count_up([cell for cell, sort in zip(first, above, strict=True) if sort == "number"]):
        against = 0
    if speak_for or against:
        return speak_for >= against
    again = sum(cell in cells for cell, cells in zip(first, below, strict=True) if cell)
    return again <= len(first) / 2


def _count_up(cells: Sequence[str]) -> bool:
    if len(cells) < 2 or not all(cell.isdecimal() for cell in cells):
        return False
    return [int(cell) for cell in cells] == list(range(int(cells[0]), int(cells[0]) + len(cells)))


def _in_single_quotes(head: str) -> bool:
    lines = head.splitlines()[:SAMPLE_RECORDS]
    sample = "\n".join(lines)
    return '"' not in sample and 2 * sum(bool(QUOTED.search(line)) for line in lines) >= max(1, len(lines))


def _records(head: str, separator: str, quote: str) -> list[tuple[int, list[str]]]:
    """Return the first records, each with the number of lines before it; empty lines are none."""
    reader = csv.reader(io.StringIO(head, newline=""), delimiter=separator, quotechar=quote, strict=True)
    found: list[tuple[int, list[str]]] = []
    before = 0
    try:
        for record in reader:
            if any(cell.strip() for cell in record) or len(record) > 1:
                found.append((before, record))
            before = reader.line_num
            if len(found) == SAMPLE_RECORDS:
                return found
    except csv.Error:
        pass  # A quote that is never closed, or none at all: polars will say so, and _fault where.
    # The sample may end within a record.
    return found[:-1] if len(head) == SAMPLE_BYTES else found


def _length(head: str, start: int, record: list[str], separator: str, quote: str) -> int:
    """Return how many lines a record takes that begins after ``start`` lines: quoted fields may hold line ends."""
    reader = csv.reader(head.splitlines(keepends=True)[start:], delimiter=separator, quotechar=quote)
    next(reader)
    return reader.line_num


def _evenness(records: Sequence[tuple[int, list[str]]]) -> float:
    """Return the share of records as wide as the first; 0 if that has one field."""
    widths = [len(record) for _, record in records]
    return widths.count(widths[0]) / len(widths) if widths and widths[0] > 1 else 0.0


def _layout_notes(layout: Layout) -> list[str]:
    notes = []
    if layout.separator != ",":
        notes.append(f"fields are separated by {SEPARATOR_NAMES[layout.separator]}")
    if layout.quote != '"':
        notes.append("fields are quoted with single quotes")
    if layout.missing:
        notes.append(f"cells with {', '.join(map(repr, layout.missing))} are missing")
    if layout.header is None:
        last = f" … column_{layout.width - 1}" if layout.width > 1 else ""
        notes.append(f"no header row: columns are column_0{last}")
    return notes


def _parse(source: Source, layout: Layout, text: Collection[int]) -> pl.DataFrame:
    """Let polars read the rows, with columns column_0 and so on."""
    overrides = {f"column_{index}": pl.String for index in text}
    for attempt in range(MOST_MENDED + 1):
        try:
            return pl.read_csv(
                source.content,
                has_header=False,
                skip_lines=_line_count(layout.preamble),
                separator=layout.separator,
                quote_char=layout.quote,
                eol_char=layout.newline,
                null_values=MISSING,
                try_parse_dates=True,
                infer_schema=attempt < MOST_MENDED,
                infer_schema_length=INFERRED_ROWS,
                schema_overrides=overrides,
                glob=False,
            )
        except polars.exceptions.NoDataError:
            return pl.DataFrame(schema={f"column_{index}": pl.String for index in range(layout.width)})
        except polars.exceptions.PolarsError as error:
            # A cell that does not fit the type of the first rows: the column is read as text, and looked at again.
            misjudged = re.search(r"as dtype `(?!str`).*?` at column '(column_\d+)'", str(error), re.DOTALL)
            if "invalid utf-8" in str(error) and isinstance(source.content, Path):
                raise NotUtf8Error from error
            if misjudged is None or misjudged[1] in overrides:
                first = str(error).strip().splitlines()[0].rstrip(".:")
                raise InputError(_fault(source, layout) or f"{source.name} cannot be read: {first}") from error
            overrides[misjudged[1]] = pl.String
    raise AssertionError("texts do not fail to be texts")


def _line_count(text: str) -> int:
    return len(text.splitlines())


def _without_empty_lines(source: Source, layout: Layout, frame: pl.DataFrame) -> tuple[pl.DataFrame, list[str]]:
    """Leave out rows that come from empty lines; refuse rows that end too early.

    polars fills up both with missing cells. Counting separators tells them from cells that are empty, and costs a
    fraction of reading line by line.
    """
    if layout.width == 1 or frame.is_empty() or frame[:, -1].null_count() == 0:
        return frame, []
    within = sum(
        int(column.str.count_matches(layout.separator, literal=True).sum())
        for column in frame.iter_columns()
        if column.dtype == pl.String
    )
    there = source.count(layout.separator) - layout.preamble.count(layout.separator) - within
    absent = (layout.width - 1) * frame.height - there
    if absent == 0:
        return frame, []
    blank = frame.select(pl.all_horizontal(pl.all().is_null())).to_series()
    if absent != (layout.width - 1) * blank.sum():
        fault = _fault(source, layout)
        if fault:
            raise InputError(fault)
    count = int(blank.sum())
    return frame.filter(~blank), [f"{count} empty line{'s are' if count > 1 else ' is'} left out"] if count else []


def _fault(source: Source, layout: Layout) -> str:
    """Say which line is the first that breaks the table; nothing if none does."""
    where = f"{source.name}, line"
    before = 0
    with source.lines() as text:
        reader = csv.reader(text, delimiter=layout.separator, quotechar=layout.quote, strict=True)
        try:
            for record in reader:
                if record and len(record) != layout.width:
                    fields = f"{len(record)} field{'s' if len(record) != 1 else ''}"
                    return (
                        f"{where} {before + 1}: {fields}, wanted {layout.width} as in the first line: correct it; "
                        f"a field that holds {SEPARATOR_NAMES[layout.separator]} needs quotes"
                    )
                before = reader.line_num
        except csv.Error as error:
            if "expected after" in str(error):
                return f"{where} {reader.line_num}: text follows a closing quote; write quotes inside a field twice"
            return f"{where} {before + 1}: a quote opens there and is never closed"
    return ""
