"""The folder of a run: built under another name, renamed when done, never at the cost of what was there."""

import json
import shlex
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout

from torchobjectives.workbench.config import PARTIAL, RunConfig, read_config
from torchobjectives.workbench.contents import CHECKPOINT, CONFIG, INPUTS, LOCK, METRICS, foreign, refuse_foreign
from torchobjectives.workbench.errors import InputError


class DiskFullError(InputError):
    """No space left while a run was being written."""

    def __init__(self, folder: Path) -> None:
        super().__init__(f"no space left on the device of {folder}")


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
            _check_continued(folder, partial, config)
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
    for place in (folder, partial_of(config)):
        if place.is_symlink():
            raise InputError(f"--out {folder}: {place} is a link: name a folder of its own")
    if config.data is not None and (folder.exists() or partial_of(config).exists()):
        inside = {folder.resolve(), partial_of(config).resolve()} & set(config.data.resolve().parents)
        if inside:
            raise InputError(f"--out {folder}: the data {config.data} lies in it: name another folder")


def _check_continued(folder: Path, partial: Path, config: RunConfig) -> None:
    if not partial.exists():
        return
    if not is_unfinished(partial):
        raise InputError(f"{partial} exists and is no unfinished run: move it away")
    with _locked(partial):
        pass
    if folder.exists() and not config.overwrite:
        raise InputError(
            f"--resume: {partial} is unfinished, and {folder} exists, too: add --overwrite to continue the one and "
            f"then replace the other, or move {folder} away"
        )
    if folder.exists():
        _check_replaceable(folder, config)


def _check_replaceable(folder: Path, config: RunConfig) -> None:
    if not is_run(folder):
        way = "move it away" if config.resume else "name another folder with --out"
        raise InputError(f"{folder} exists and is no earlier run: {way}")
    if config.overwrite:
        refuse_foreign(folder)
        return
    ways = "name another folder with --out, or pass --overwrite to replace the run"
    if (partial_of(config) / CHECKPOINT).exists():
        ways = f"{ways}, or --resume --overwrite to continue {partial_of(config)} and then replace the run"
    elif status(folder) == "interrupted":
        ways = f"{ways}, or --resume to continue it"
    raise InputError(f"{folder} exists: {ways}")


def _check_unfinished(partial: Path, config: RunConfig) -> None:
    if not is_unfinished(partial):
        raise InputError(f"{partial} exists and is no unfinished run: name another folder with --out")
    refuse_foreign(partial)
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


@contextmanager
def building(config: RunConfig, inputs: Mapping[str, Any]) -> Iterator[Path]:
    """Give a folder ``<out>.partial`` that takes the final name when the block is done.

    Wrong input leaves things as they were: of a new run nothing, one that was to be continued where it lay. After any
    other failure, and on a full disk where there is a checkpoint, what was written stays under the partial name.

    Args:
        config: The configuration.
        inputs: What the run learns from, in short.
    """
    final, partial = config.folder, partial_of(config)
    place = place_of(final)
    with _writable(final):
        made = [] if config.resume else _made(partial)
        if config.resume and place == final:
            final.rename(partial)
    with _locked(partial):
        before = {name: _content(partial / name) for name in (CONFIG, CHECKPOINT)}
        try:
            with _writable(final):
                _begin(partial, config, inputs)
            yield partial
        except InputError as error:
            if isinstance(error, DiskFullError) and (partial / CHECKPOINT).exists():
                # What was learnt so far is worth more than the state before.
                raise InputError(f"{error}: make room, then continue with {_way_on(final)}") from error
            if config.resume:
                _give_back(place, partial, before)
            else:
                _remove(partial, made)
            if isinstance(error, DiskFullError):
                raise InputError(f"{error}: make room, then run the same command again") from error
            raise
        except KeyboardInterrupt:
            raise KeyboardInterrupt(f"fit {_way_on(final)} --out {shlex.quote(str(final))} continues") from None
        _finish(final, partial, config)


def _way_on(final: Path) -> str:
    return "--resume --overwrite" if final.exists() else "--resume"


def place_of(folder: Path) -> Path:
    """Where a run that is to be continued lies: under its partial name, else under its own."""
    partial = folder.with_name(folder.name + PARTIAL) if folder.name else folder
    return partial if partial.exists() else folder


@contextmanager
def _writable(final: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"--out {final}: cannot write there ({error.strerror})") from error


def _made(partial: Path) -> list[Path]:
    """Make the folder anew; return the folders that were not there."""
    if partial.exists():
        with _locked(partial):
            refuse_foreign(partial)
            shutil.rmtree(partial)
    made = [folder for folder in (partial, *partial.parents) if not folder.exists()]
    partial.mkdir(parents=True)
    return made


def _begin(partial: Path, config: RunConfig, inputs: Mapping[str, Any]) -> None:
    """Write before anything else by what an unfinished run is known, and with what it may be continued."""
    if not config.resume:
        _write_whole(partial / INPUTS, json.dumps(inputs, indent=2) + "\n")
    _write_whole(partial / CONFIG, config.to_toml())
    (partial / CHECKPOINT).parent.mkdir(exist_ok=True)


def _write_whole(path: Path, text: str) -> None:
    """Write a file next to its place, then put it there."""
    fresh = path.with_name(path.name + ".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _give_back(place: Path, partial: Path, before: dict[str, bytes | None]) -> None:
    """Leave a run that was refused to be continued as it was, and where it was."""
    with suppress(OSError):
        for name, content in before.items():
            (partial / f"{name}.new").unlink(missing_ok=True)
            if content is None:
                (partial / name).unlink(missing_ok=True)
            elif _content(partial / name) != content:
                (partial / name).write_bytes(content)
        if place != partial and not place.exists():
            (partial / LOCK).unlink(missing_ok=True)
            partial.rename(place)


def _remove(partial: Path, made: list[Path]) -> None:
    if foreign(partial):
        # Somebody put something in while the run was there.
        return
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
