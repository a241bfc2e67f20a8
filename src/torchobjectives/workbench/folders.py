"""The folder of a run: built under another name, renamed when done, never at the cost of what was there."""

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from torchobjectives.workbench.config import (
    ASKED,
    PARTIAL,
    FitOptions,
    RunConfig,
    checked,
    over,
    read_config,
    requested,
)
from torchobjectives.workbench.errors import InputError

CONFIG = "config.toml"
METRICS = "metrics.json"
CHECKPOINT = "checkpoints/last.ckpt"
LOCK = ".lock"
# What runs write; a folder that holds anything else is somebody's, too.
OWN = {
    *("checkpoints", CONFIG, "history.csv", "logs", METRICS, "model.pt", "predictions.parquet", "preprocessing.skops"),
    *("report.html", LOCK),
}


class DiskFullError(InputError):
    """No space left while a run was being written."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"no space left on the device of {folder}: make room, then continue with --resume")


def partial_of(config: RunConfig) -> Path:
    """Where a run lies while it is being built."""
    return config.folder.with_name(config.folder.name + PARTIAL)


def check(config: RunConfig) -> None:
    """Refuse a folder that is taken, before any work.

    Raises:
        InputError: The folder, or the one in which it is built, holds what this run must not touch.
    """
    try:
        folder, partial = config.folder, partial_of(config)
        _check_place(config, folder)
        if config.resume:
            if folder.exists() and partial.exists():
                raise InputError(
                    f"--resume: {folder} and {partial} both exist, and one would replace the other: move {folder} away"
                )
            return
        if folder.exists() or folder.is_symlink():
            _check_replaceable(folder, config)
        if partial.exists():
            _check_unfinished(partial, config)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise InputError(f"--out {config.folder}: cannot write there ({reason})") from error


def _check_place(config: RunConfig, folder: Path) -> None:
    if not folder.name or folder.name == "..":
        raise InputError(f"--out {folder}: name a new folder, such as runs/{config.name}")
    if "::" in str(folder) or ":/" in str(folder) or str(folder).startswith("~"):
        raise InputError(f"--out {folder} is no plain path of a folder (no ::, no address, no ~): name another")
    if folder.is_symlink():
        raise InputError(f"--out {folder} is a link: name a folder of its own")
    if config.data is not None and (folder.exists() or partial_of(config).exists()):
        inside = {folder.resolve(), partial_of(config).resolve()} & set(config.data.resolve().parents)
        if inside:
            raise InputError(f"--out {folder}: the data {config.data} lies in it: name another folder")


def _check_replaceable(folder: Path, config: RunConfig) -> None:
    if not is_run(folder):
        raise InputError(f"{folder} exists and is no earlier run: name another folder with --out")
    foreign = [f.name for f in folder.iterdir() if f.name not in OWN and not f.name.startswith("predictions-")]
    if config.overwrite and foreign:
        raise InputError(f"{folder} also holds {foreign[0]!r}, which no run wrote: move it, or name another --out")
    if config.overwrite:
        return
    ways = "name another folder with --out, or pass --overwrite to replace the run"
    if status(folder) == "interrupted":
        ways = f"{ways}, or --resume to continue it"
    raise InputError(f"{folder} exists: {ways}")


def _check_unfinished(partial: Path, config: RunConfig) -> None:
    if not is_unfinished(partial):
        raise InputError(f"{partial} exists and is no unfinished run: name another folder with --out")
    with _locked(partial):
        pass
    if not config.overwrite and (partial / CHECKPOINT).exists():
        raise InputError(
            f"{partial} is an unfinished run: pass --resume to continue it, --overwrite to begin again, or name "
            "another folder with --out"
        )


def is_run(folder: Path) -> bool:
    """Whether a folder is a run that this command line wrote."""
    return folder.is_dir() and is_unfinished(folder) and status(folder) is not None


def is_unfinished(folder: Path) -> bool:
    """Whether a folder has the configuration of a run."""
    try:
        read_config(folder / CONFIG)
    except InputError:
        return False
    return True


def status(folder: Path) -> str | None:
    """Return what a run says of itself: done or interrupted; None where there is no run."""
    try:
        said: Any = json.loads((folder / METRICS).read_text(encoding="utf-8"))
        return str(said["status"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def resumed(file: Path | None, options: FitOptions) -> RunConfig:
    """Return the configuration of the run that is to be continued; its options are kept, epochs may grow.

    Raises:
        InputError: There is no such run, it is finished, or an option differs from its own.
    """
    if options.overwrite or options.config:
        raise InputError("--resume continues a run with its own options: drop --overwrite and --config")
    if options.out is None and file is None and options.dataset is None:
        raise InputError("--resume needs --out: the folder of the interrupted run")
    out = options.out if options.out is not None else requested(file, options).folder
    folder = out.with_name(out.name.removesuffix(PARTIAL)) if out.name else out
    partial = folder.with_name(folder.name + PARTIAL) if folder.name else folder
    place = partial if is_unfinished(partial) else folder
    if not is_unfinished(place):
        raise InputError(f"--resume: there is no interrupted run at {folder}")
    stored = read_config(place / CONFIG)
    given = {**options.model_dump(exclude_unset=True), **({"data": file} if file else {})}
    config = checked(RunConfig, {"target": stored.get("target"), **over(stored, given), "out": folder})
    before = checked(RunConfig, {**stored, "out": folder})
    for name in RunConfig.model_fields:
        if name in (*ASKED, "out", "epochs", "log"):
            continue
        old, new = getattr(before, name), getattr(config, name)
        if old != new:
            flag = name if name == "data" else f"--{name.replace('_', '-')}"
            raise InputError(f"--resume: {flag} is {new}, the run has {old}: a run is continued with its own options")
    if config.epochs < before.epochs:
        raise InputError(f"--resume: --epochs {config.epochs} is less than the run's {before.epochs}")
    if place is folder and status(folder) == "done" and config.epochs == before.epochs:
        raise InputError(f"--resume: {folder} is finished; for more epochs pass --epochs with a larger number")
    return config


@contextmanager
def building(config: RunConfig) -> Iterator[Path]:
    """Give a folder ``<out>.partial`` that takes the final name when the block is done.

    Wrong input leaves nothing; after any other failure what was written stays under the partial name.
    """
    final, partial = config.folder, partial_of(config)
    before = _stored(partial if partial.exists() else final) if config.resume else None
    try:
        made = _made(final, partial, config)
    except OSError as error:
        if config.resume:
            _give_back(final, partial, before)
        raise InputError(f"--out {final}: cannot write there ({error.strerror})") from error
    with _locked(partial):
        try:
            yield partial
        except DiskFullError:
            if not (partial / CHECKPOINT).exists():
                _remove(partial, made)
            raise
        except InputError:
            if config.resume:
                _give_back(final, partial, before)
            else:
                _remove(partial, made)
            raise
        _finish(final, partial, config)


def _made(final: Path, partial: Path, config: RunConfig) -> list[Path]:
    """Make the folder, or take up the one that is to be continued; return the folders that are new."""
    if config.resume and not partial.exists():
        final.rename(partial)
    if not config.resume and partial.exists():
        with _locked(partial):
            shutil.rmtree(partial)
    made = [folder for folder in (partial, *partial.parents) if not folder.exists()]
    (partial / "checkpoints").mkdir(parents=True, exist_ok=True)
    # First of all: by this file an unfinished run is known. Never half of it.
    fresh = partial / (CONFIG + ".new")
    fresh.write_text(config.to_toml(), encoding="utf-8")
    fresh.replace(partial / CONFIG)
    return made


@dataclass(frozen=True)
class _Before:
    """Where a run that is to be continued lay, and its configuration."""

    was_final: bool
    config: bytes


def _stored(place: Path) -> _Before:
    return _Before(not place.name.endswith(PARTIAL), (place / CONFIG).read_bytes())


def _give_back(final: Path, partial: Path, before: "_Before | None") -> None:
    """Leave a run that was refused to be continued as it was."""
    if before is None or not partial.exists():
        return
    with suppress(OSError):
        (partial / (CONFIG + ".new")).unlink(missing_ok=True)
        (partial / CONFIG).write_bytes(before.config)
        if before.was_final and not final.exists():
            (partial / LOCK).unlink(missing_ok=True)
            partial.rename(final)


def _remove(partial: Path, made: list[Path]) -> None:
    shutil.rmtree(partial)
    for folder in made[1:]:
        with suppress(OSError):
            folder.rmdir()


def _finish(final: Path, partial: Path, config: RunConfig) -> None:
    """Give the run its name. What lies there by now is looked at again, and goes only when the new run is in place."""
    (partial / LOCK).unlink(missing_ok=True)
    if not final.exists():
        partial.rename(final)
        return
    try:
        _check_replaceable(final, config)
    except InputError as error:
        raise InputError(f"{error}; the finished run is in {partial}") from None
    # Into an empty folder that nobody else can have.
    aside = Path(tempfile.mkdtemp(prefix=f".{final.name[:100]}.", dir=final.parent))
    final.rename(aside / "old")
    partial.rename(final)
    shutil.rmtree(aside)


@contextmanager
def _locked(partial: Path) -> Iterator[None]:
    """Hold the folder against other runs; the lock falls with the process that holds it."""
    lock = FileLock(partial / LOCK, timeout=0)
    try:
        lock.acquire()
    except Timeout:
        raise InputError(f"{partial} is being written by another run: name another folder with --out") from None
    try:
        yield
    finally:
        lock.release()
