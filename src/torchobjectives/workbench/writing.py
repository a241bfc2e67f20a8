"""Predictions out: where they go, without harm to what is there."""

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import polars.exceptions

from torchobjectives.workbench import contents, folders
from torchobjectives.workbench.errors import InputError

WRITERS: dict[str, Callable[[pl.DataFrame, Any], Any]] = {
    ".parquet": pl.DataFrame.write_parquet,
    ".pq": pl.DataFrame.write_parquet,
    ".csv": pl.DataFrame.write_csv,
}
MOST_SHOWN = 100


def target_of(run: Path, file: Path, out: Path | None) -> Path:
    """Return where the predictions of a file go; refuse a place where they cannot, or must not."""
    target = out if out is not None else run / f"predictions-{Path(file.name.removesuffix('.gz')).stem}.parquet"
    if target.suffix.lower() not in WRITERS:
        raise InputError(f"--out {shown(target)}: wanted a name that ends in .parquet or .csv")
    try:
        place = target.resolve()
        there = stat.S_IFMT(place.stat().st_mode) if _exists(place) else None
        same = there is not None and place.samefile(file)
    except (OSError, ValueError, RuntimeError) as error:
        raise _cannot(target, error) from error
    if there not in (None, stat.S_IFREG):
        what = "is a folder" if there == stat.S_IFDIR else "is no regular file"
        raise InputError(f"--out {shown(target)} {what}: name another file")
    if same:
        raise InputError(f"--out {shown(target)} is the file that is read: name another file")
    owner = _owner(run, place)
    if owner is not None:
        raise InputError(f"--out {shown(target)} is a file of the run {owner} itself: name another file")
    return target


def _exists(place: Path) -> bool:
    """Whether there is a file; unlike ``Path.exists``, raise where there can be none."""
    try:
        os.lstat(place)
    except FileNotFoundError:
        return False
    return True


def _owner(run: Path, place: Path) -> Path | None:
    """Return the run, this or another, among whose own files a place is."""
    mine = run.resolve()
    for folder in place.parents:
        own = contents.is_own(place.relative_to(folder).as_posix().lower())
        if own and (folder == mine or folders.is_run(folder) or folders.is_unfinished(folder)):
            return folder
    return None


def write(predicted: pl.DataFrame, target: Path) -> None:
    """Write a table as the suffix says; what is there goes only when the new one is whole.

    It is written in a folder of its own beside its place: no name of anybody's is taken, and it may be renamed.
    """
    try:
        place = target.resolve()
        with tempfile.TemporaryDirectory(prefix="predictions-", suffix=".new", dir=place.parent) as own:
            fresh = Path(own) / "new"
            with fresh.open("wb") as file:
                WRITERS[target.suffix.lower()](predicted, file)
            fresh.replace(place)
    except (OSError, ValueError, polars.exceptions.PolarsError) as error:
        raise _cannot(target, error) from error


def _cannot(target: Path, error: Exception) -> InputError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error).partition("\n")[0]
    return InputError(f"--out {shown(target)}: cannot write there ({reason}): name another file with --out")


def shown(target: Path) -> str:
    """Write a path on one line of a message, its beginning if it is long."""
    text = str(target)
    text = text if text.isprintable() else repr(text)
    return text if len(text) <= MOST_SHOWN else f"{text[:MOST_SHOWN]}…"
