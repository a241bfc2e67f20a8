import gzip
import io
import os
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from torchobjectives.workbench import data, delimited, preprocessing, reading
from torchobjectives.workbench.errors import InputError


def written(content: str | bytes, name: str = "table.csv", encoding: str = "utf-8") -> Path:
    path = Path(name)
    path.write_bytes(content if isinstance(content, bytes) else content.encode(encoding))
    return path


# What is written, the columns that come out, words of the notes.
READABLE: dict[str, tuple[str | bytes, dict[str, list[Any]], list[str]]] = {
    "plain": ("a,b\n1,x\n2,y\n", {"a": [1, 2], "b": ["x", "y"]}, []),
    "semicolons": ("a;b\n1;x\n2;y\n", {"a": [1, 2], "b": ["x", "y"]}, ["separated by ';'"]),
    "tabs": ("a\tb\n1\tx, y\n2\ty\n", {"a": [1, 2], "b": ["x, y", "y"]}, ["separated by tabs"]),
    "bars": ("a|b\n1|x\n2|y\n", {"a": [1, 2], "b": ["x", "y"]}, ["separated by '|'"]),
    "decimal commas": ("a;b\n1,5;1\n-2,25;2\n", {"a": [1.5, -2.25], "b": [1, 2]}, ["column 'a': decimal commas"]),
    "decimal commas, no header": (
        "1,5;2,5\n3,5;4,5\n5;6\n",
        {"column_0": [1.5, 3.5, 5.0], "column_1": [2.5, 4.5, 6.0]},
        ["decimal commas", "no header row: columns are column_0 … column_1"],
    ),
    "byte order mark": ("\ufeffa,b\n1,2\n", {"a": [1], "b": [2]}, ["byte order mark"]),
    "carriage returns": ("a,b\r\n1,x\r\n2,y\r\n", {"a": [1, 2], "b": ["x", "y"]}, []),
    "old carriage returns": ("a,b\r1,x\r2,y\r", {"a": [1, 2], "b": ["x", "y"]}, []),
    "UTF-16": ("a,b\n1,é\n".encode("utf-16"), {"a": [1], "b": ["é"]}, ["UTF-16"]),
    "Windows-1252": ("a,b\n1,é€\n".encode("cp1252"), {"a": [1], "b": ["é€"]}, ["Windows-1252"]),
    "gzip": (gzip.compress(b"a,b\n1,x\n"), {"a": [1], "b": ["x"]}, []),
    "single quotes": (
        "'a','b'\n'1','x, y'\n'2','z'\n",
        {"a": [1, 2], "b": ["x, y", "z"]},
        ["quoted with single quotes"],
    ),
    "apostrophes": ("a,b\n1,'tis\n2,O'Neil\n", {"a": [1, 2], "b": ["'tis", "O'Neil"]}, []),
    "quoted names": ('"[""y""]","b, c"\n1,2\n', {'["y"]': [1], "b, c": [2]}, []),
    "a name of two lines": ('"a\nb",c\n1,2\n', {"a\nb": [1], "c": [2]}, []),
    "an index": (",a,y\n0,5,no\n1,6,yes\n", {"column_0": [0, 1], "a": [5, 6], "y": ["no", "yes"]}, ["without a name"]),
    "dates": (
        "a,b\n2020-01-01,01/02/2020\n2020-01-02,13/02/2020\n",
        {"a": ["2020-01-01", "2020-01-02"], "b": ["2020-02-01", "2020-02-13"]},
        ["column 'a': read as dates", "('01/02/2020' is 2020-02-01)"],
    ),
    "truth": ("a,b\ntrue,TRUE\nfalse,False\n", {"a": [True, False], "b": [True, False]}, []),
    "missing": (
        "a,b,c\n1,x,true\nNA,?,null\n,,\n#N/A,NaN,<NA>\n",
        {"a": [1, None, None, None], "b": ["x", None, None, None], "c": [True, None, None, None]},
        ["cells with '#N/A', '<NA>', '?', 'NA', 'NaN', 'null' are missing"],
    ),
    "missing among values": (
        "a,b,c\n1,x,true\nNone,None,none\nna,na,na\n",
        {"a": [1, None, None], "b": ["x", "None", "na"], "c": [True, None, None]},
        [],
    ),
    "spaces": (
        " a , y \n 1 , no \n2,no\n ,yes\n",
        {"a": [1, 2, None], "y": ["no", "no", "yes"]},
        ["column 'y': spaces around the text"],
    ),
    "text among numbers": (
        "a,b\n" + "1,1\n" * 16 + "unknown,2\n" + "3,4\n" * 3,
        {"a": ["1"] * 16 + ["unknown"] + ["3"] * 3, "b": [1] * 16 + [2] + [4] * 3},
        ["column 'a' holds text in 1 of 20 cells (row 17: 'unknown'): used as a category"],
    ),
    "other numbers": (
        'a,b,c\n$1.50,"1,001",12 %\n$2.50,"2,001",15 %\n',
        {"a": ["$1.50", "$2.50"], "b": ["1,001", "2,001"], "c": ["12 %", "15 %"]},
        ["'a' holds text in 2 of 2 cells (row 1: '$1.50')", "(row 1: '1,001')", "(row 1: '12 %')"],
    ),
    "infinity": ("a,b\n-Infinity,1\n2,3\n", {"a": [float("-inf"), 2.0], "b": [1, 3]}, []),
    "large whole numbers": ("a,b\n99999999999999999999,1\n", {"a": [99999999999999999999], "b": [1]}, []),
    "empty lines": ("\na,b\n1,2\n\n3,\n\n\n", {"a": [1, 3], "b": [2, None]}, ["3 empty lines are left out"]),
    "empty cells are no empty line": ("a,b\n1,2\n,\n3,4\n", {"a": [1, None, 3], "b": [2, None, 4]}, []),
    "quoted separators": ('a,b\n"1, 2",2\n"3, 4",\n', {"a": ["1, 2", "3, 4"], "b": [2, None]}, []),
    "a gap at each end": ("a,b\n,\n", {"a": [None], "b": [None]}, []),
    "no line end at the end": ("a,b\n1,2", {"a": [1], "b": [2]}, []),
    "one column": ("a\n1\n2\n", {"a": [1, 2]}, []),
    "a type that changes late": (
        "a,b,c\n" + "1,2020-01-01,true\n" * delimited.INFERRED_ROWS + "1.5,,x\n",
        {
            "a": [1.0] * delimited.INFERRED_ROWS + [1.5],
            "b": ["2020-01-01"] * delimited.INFERRED_ROWS + [None],
            "c": ["true"] * delimited.INFERRED_ROWS + ["x"],
        },
        ["column 'b': read as dates"],
    ),
    "Windows-1252 that shows late": (
        b"a,b\n" + b"1,x\n" * (delimited.SAMPLE_BYTES // 4) + "2,é\n".encode("cp1252"),
        {"a": [1] * (delimited.SAMPLE_BYTES // 4) + [2], "b": ["x"] * (delimited.SAMPLE_BYTES // 4) + ["é"]},
        ["Windows-1252"],
    ),
}


@pytest.mark.parametrize("name", list(READABLE))
def test_what_can_be_read_sensibly_is_read_and_said(name: str) -> None:
    content, columns, words = READABLE[name]
    frame, notes = reading.read(written(content))
    found = frame.with_columns(pl.col(pl.Date).cast(pl.String)).to_dict(as_series=False)
    assert found == columns
    assert [type(cell) for cells in found.values() for cell in cells[:3]] == [
        type(cell) for cells in columns.values() for cell in cells[:3]
    ]
    assert all(any(word in note for note in notes) for word in words), notes
    assert bool(notes) == bool(words), notes


@pytest.mark.parametrize(
    ("first", "rest", "named"),
    [
        ("age,sex", "31,f\n40,m\n", True),
        ("31,f", "40,m\n50,f\n", False),
        ("5.1,3.5,setosa", "4.9,3.0,setosa\n6,3,virginica\n", False),
        ("2020-01-01,x", "2020-01-02,y\n", False),
        ("true,x", "false,y\n", False),
        ("red,small", "blue,small\nred,large\n", False),
        ("colour,size", "blue,small\nred,large\n", True),
        (",a", "0,x\n1,y\n", True),
        ("0,1,2,y", "3.5,2,1,no\n3.5,2,1,yes\n", True),
        ("2019,2020,2021", "1.5,2,3\n2,3,4\n", True),
        ("?,2.5,no", "1,3.5,no\n2,4.5,yes\n", False),
        ("a,b", "", True),
    ],
)
def test_header_rows_are_found(first: str, rest: str, named: bool) -> None:
    frame, notes = reading.read(written(f"{first}\n{rest}"))
    assert (not any("no header row" in note for note in notes)) == named
    assert frame.height == rest.count("\n") + (not named)
    for header, height in (("yes", rest.count("\n")), ("no", rest.count("\n") + 1)):
        assert reading.read(written(f"{first}\n{rest}"), header=header)[0].height == height  # type: ignore[arg-type]


def test_a_name_that_is_expected_makes_a_header() -> None:
    path = written("1,2,5\n3,4,6\n")
    assert reading.read(path, expected=("5",))[0].columns == ["1", "2", "5"]
    assert reading.read(path)[0].columns == ["column_0", "column_1", "column_2"]


def zipped() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("a.csv", "a,b\n1,2\n")
    return file.getvalue()


def parquet(frame: pl.DataFrame | None = None) -> bytes:
    file = io.BytesIO()
    (pl.DataFrame({"a": range(100), "b": ["x"] * 100}) if frame is None else frame).write_parquet(file)
    return file.getvalue()


# What is written, and words of the message.
UNREADABLE: dict[str, tuple[bytes, list[str]]] = {
    "empty": (b"", ["is empty"]),
    "white": (b"\n\n \r\n", ["is empty"]),
    "empty gzip": (gzip.compress(b""), ["is empty"]),
    "bytes": (bytes(range(256)) * 4, ["no text", "0x00"]),
    "bytes in gzip": (gzip.compress(bytes(range(256))), ["no text"]),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0", ["no text"]),
    "neither encoding": (b"a,b\n\x81\x8d,2\n", ["no text in UTF-8"]),
    "half of UTF-16": ("a,b\n".encode("utf-16")[:-1], ["no text in UTF-8, UTF-16"]),
    "cut gzip": (gzip.compress(b"a,b\n1,2\n" * 99)[:-10], ["damaged", "gzip"]),
    "zip": (zipped(), ["Excel or zip", "CSV"]),
    "a web page": (b"<!DOCTYPE html><p>404", ["web page"]),
    "JSON": (b'{"a": 1}', ["JSON"]),
    "duplicate": (b"a,y,b,y\n1,2,3,4\n", ["more than one 'y' column"]),
    "duplicate but for a space": (b"a,a ,b\n1,2,3\n", ["more than one 'a' column"]),
    "a short row": (b"a,b\n1,2\n3\n5,6\n", ["line 3: 1 field, wanted 2"]),
    "a short row among gaps": (b"a,b,c\n1,2,\n\n3,4\n5,6,\n", ["line 4: 2 fields, wanted 3"]),
    "a long row": (b"a,b\n1,2\n3,4,5\n", ["line 3: 3 fields, wanted 2", "','"]),
    "a long row that comes late": (b"a,b\n" + b"1,2\n" * 20_000 + b"3,4,5\n", ["line 20002: 3 fields"]),
    "a long row after a quoted line end": (b'a,b\n"x\nz",2\n3,4,5\n', ["line 4: 3 fields"]),
    "a header too wide": (b"a,b,c\n1,2\n3,4\n", ["line 2: 2 fields, wanted 3"]),
    "an open quote": (b'a,b\n1,x\n2,"y\n3,z\n4,w\n', ["line 3", "never closed"]),
    "an open quote at the start": (b'"a,b\n1,x\n2,y\n', ["first line", "never closed"]),
    "an open quote at the start of much": (b'"a,b\n' + b"1,x\n" * 99_999, ["first line", "never closed"]),
    "text after a quote": (b'a,b\n1,x\n2,"y"z\n', ["line 3", "closing quote"]),
    "cut Parquet": (parquet()[:-20], ["damaged or incomplete Parquet"]),
    "the start of Parquet": (b"PAR1", ["damaged or incomplete Parquet"]),
}


@pytest.mark.parametrize("name", list(UNREADABLE))
def test_what_cannot_be_read_is_one_line(name: str, capfd: pytest.CaptureFixture[str]) -> None:
    content, words = UNREADABLE[name]
    with pytest.raises(InputError) as stopped:
        reading.read(written(content))
    said = str(stopped.value)
    assert all(word in said for word in words), said
    assert "\n" not in said
    assert "table.csv" in said
    assert not capfd.readouterr().err


def test_damaged_parquet_is_refused_wherever_it_is_damaged(capfd: pytest.CaptureFixture[str]) -> None:
    whole = parquet()
    for cut in range(4, len(whole), 37):
        with pytest.raises(InputError, match="damaged or incomplete"):
            reading.read(written(whole[:cut], "cut.parquet"))
    for place in range(4, len(whole), 7):
        flipped = bytearray(whole)
        flipped[place] ^= 0xFF
        # A flipped byte within the numbers is another number; nothing else than a message may come of the others.
        with suppress(InputError):
            reading.read(written(bytes(flipped), "flipped.parquet"))
    capfd.readouterr()


def test_content_decides_not_the_name() -> None:
    frame, notes = reading.read(written(parquet(), "table.csv"))
    assert frame.shape == (100, 2)
    assert "Parquet" in notes[0]
    frame, notes = reading.read(written("a,b\n1,2\n", "table.parquet"))
    assert frame.rows() == [(1, 2)]
    assert "text" in notes[0]
    for name in ("table", "table.tsv", "table.txt", "table.data"):
        assert reading.read(written("a,b\n1,2\n", name))[1] == ()


def test_parquet_keeps_its_types_and_gets_clean_names() -> None:
    frame = pl.DataFrame({" a ": ["01", " 02"], "": [1, 2], "d": [None, "x"]})
    read, notes = reading.read(written(parquet(frame), "table.parquet"))
    assert read.to_dict(as_series=False) == {"a": ["01", "02"], "column_1": [1, 2], "d": [None, "x"]}
    assert len(notes) == 2


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("tabel.csv", ["there is no file tabel.csv", "'table.csv'"]),
        ("nowhere/table.csv", ["there is no file nowhere/table.csv"]),
        ("", ["'.' is a folder"]),
        ("folder", ["'folder' is a folder"]),
        ("https://example.org/table.csv", ["https://example.org/table.csv is an address", "download it first"]),
        ("s3://bucket/table.csv", ["download it first"]),
        ("x" * 300 + ".csv", ["cannot look for a file", "too long"]),
        (os.fsdecode(b"caf\xe9.csv"), ["not UTF-8"]),
        ("/dev/null", ["no regular file"]),
        ("table.csv/x", ["table.csv/x"]),
    ],
)
def test_paths_that_are_no_file(path: str, words: list[str]) -> None:
    written("a,b\n1,2\n")
    Path("folder").mkdir()
    with pytest.raises(InputError) as stopped:
        reading.read(Path(path))
    said = str(stopped.value)
    assert all(word in said for word in words), said
    assert len(said) < 300


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_file_that_may_not_be_read() -> None:
    written("a,b\n1,2\n").chmod(0)
    with pytest.raises(InputError, match="Permission denied"):
        reading.read(Path("table.csv"))


KINDS = {"code": "categorical", "age": "numeric", "since": "date", "member": "boolean"}


def test_a_new_file_is_read_by_the_kinds_of_the_run() -> None:
    path = written("extra,age,code,member,since\n7,1,01,true,2020-01-01\n8,,1,,\n")
    frame, _ = reading.read(path, kinds=KINDS)
    seen = preprocessing.conform(frame, KINDS)
    assert seen.to_dict(as_series=False) == {
        "code": ["01", "1"],
        "age": [1.0, None],
        "since": [18262.0, None],
        "member": [1.0, None],
    }
    # One column of the run in the first row makes it a header, whatever it looks like.
    frame, _ = reading.read(written("2,3\n1,2\n"), kinds={"2": "numeric"})
    assert frame.columns == ["2", "3"]


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("age,code,since\n1,a,2020-01-01\n", ["no column 'member'"]),
        ("Age,code,since,member\n1,a,2020-01-01,true\n", ["no column 'age'", "'Age'"]),
        ("age,code,since,member\n1,a,2020-01-01,true\nold,b,2020-01-01,true\n", ["'age'", "row 2: 'old'", "numbers"]),
        ("age,code,since,member\n1,a,2020-01-01,true\n2,b,then,true\n", ["'since'", "row 2: 'then'", "dates"]),
        ("age,code,since,member\n1,a,2020-01-01,perhaps\n", ["'member'", "row 1: 'perhaps'", "true or false"]),
        ("age,code,since,member\n1,a,5,true\n", ["'since' holds numbers", "dates"]),
        ("age,code,since,member\n2020-01-01,a,2020-01-01,true\n", ["'age' holds dates", "numbers"]),
        ("age,code,since,member\n1,a,2020-01-01,true\ninf,a,2020-01-01,true\n", ["'age'", "infinite", "row 2"]),
    ],
)
def test_a_new_file_that_does_not_suit_the_run(rows: str, words: list[str]) -> None:
    frame, _ = reading.read(written(rows), kinds=KINDS)
    with pytest.raises(InputError) as stopped:
        preprocessing.conform(frame, KINDS)
    assert all(word in str(stopped.value) for word in words), str(stopped.value)


def test_read_is_in_data() -> None:
    assert data.read is reading.read
