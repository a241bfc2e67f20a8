"""A loss of the user's own, from a file of theirs: the file is run."""

import importlib
import importlib.util
import reprlib
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from torchobjectives import Loss
from torchobjectives._loss import parameters_of
from torchobjectives._validate import near
from torchobjectives.workbench.errors import InputError

LONGEST = 200
KEPT_GRAPH = "it keeps the graph of one call until the next: .detach() what it remembers"


def build(
    reference: str, given: Mapping[str, Any], told: Mapping[str, Any], flag: str = "--loss "
) -> tuple[Callable[..., Tensor], dict[str, Any]]:
    """Return the loss that ``path/to/file.py:name`` names, and what was filled in of its hyper-parameters.

    A class is instantiated; a function gets its hyper-parameters bound; an instance is taken as it is.

    Args:
        reference: File and name.
        given: Hyper-parameters.
        told: What the training rows tell; what the loss takes of it is filled in.
        flag: What stands before the reference, in messages.
    """
    name = reference.rpartition(":")[2]
    found = named(reference, flag)
    if not callable(found):
        shown = " ".join(reprlib.repr(found).split())
        raise InputError(f"{flag}{reference}: {name} is {shown}, wanted a loss: a class, a function or a module")
    if isinstance(found, nn.Module):
        if given:
            raise InputError(f"{flag}{reference}: {name} is made already: give {', '.join(given)} in the file")
        return found, {}
    fields = _fields(found)
    _check_names(f"{flag}{reference}", given, fields, open_ended=_open_ended(found))
    if isinstance(found, type) and issubclass(found, Loss):
        filled = known(fields, given, told)
    else:
        filled = {key: value for key, value in told.items() if key in fields and key not in given}
    hyper_parameters = {**filled, **given}
    if not isinstance(found, type):
        return (partial(found, **hyper_parameters) if hyper_parameters else found), filled
    made = found(**hyper_parameters)
    if not callable(made):
        raise InputError(f"{flag}{reference}: {name}(…) cannot be called; wanted loss(y_pred, y_true)")
    return made, filled


def named(reference: str, flag: str = "--loss ", *, again: bool = True) -> Any:
    """Run a file, and return what ``path/to/file.py:name`` names in it.

    Args:
        reference: File and name.
        flag: What stands before the reference, in messages.
        again: Whether to run a file anew that was run last of its name.
    """
    name, path = reference.rpartition(":")[2], file_of(reference)
    last = sys.modules.get(_module_name(path))
    is_last = last is not None and last.__file__ is not None and Path(last.__file__).resolve() == path.resolve()
    module = last if is_last and not again else _run(path, flag.strip() + ": " if flag else "")
    if not hasattr(module, name):
        public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise InputError(f"{flag}{reference}: {path} has no {name!r}. {near(name, public)}")
    return getattr(module, name)


def file_of(reference: str) -> Path:
    """Return the file that a reference to a loss names."""
    return Path(reference.rpartition(":")[0]).expanduser()


def known(fields: Mapping[str, Any], given: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the training rows tell of a loss's fields and the person left open."""
    open_ = {key: value for key, value in told.items() if key in fields and key not in given}
    # A loss that has both fields takes exactly one of them; the counts say more.
    if given.keys() & {"class_counts", "num_classes"} and {"class_counts", "num_classes"} <= set(fields):
        open_ = {key: value for key, value in open_.items() if key not in ("class_counts", "num_classes")}
    if "class_counts" in open_:
        open_.pop("num_classes", None)
    return open_


def reason(error: BaseException, *files: Path) -> str:
    """Say in one line what was raised; of a loss from files of the user's, where in them or in those beside them."""
    try:
        text = " ".join(str(error).split())
    except Exception:  # an error of the user's own
        text = ""
    if "backward through the graph a second time" in text:
        text = KEPT_GRAPH
    kind = type(error).__name__
    if not files:
        return text or kind
    text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
    return f"{kind}{_place(error, files)}: {text}" if text else f"{kind}{_place(error, files)}"


def _place(error: BaseException, files: tuple[Path, ...]) -> str:
    frames = [(Path(frame.filename), frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        frames.append((Path(error.filename), error.lineno))
    own = [file.resolve() for file in files]
    folders = {file.parent for file in own}
    # What has no file, such as <string>, would seem to lie in the working directory.
    files_only = [(place.resolve(), line) for place, line in frames if not str(place).startswith("<")]
    theirs = [(place, line) for place, line in files_only if place.parent in folders]
    if not theirs:
        return ""
    place, line = theirs[-1]
    return f" in line {line}" + ("" if [place] == own else f" of {place.name}")


def _run(path: Path, said: str) -> ModuleType:
    try:
        there, folder = path.is_file(), path.is_dir()
        others = [str(p) for p in sorted(path.parent.glob("*.py")) if p.is_file()] if path.parent.is_dir() else []
    except (OSError, ValueError) as error:
        raise InputError(f"{said}{str(path)!r}: {getattr(error, 'strerror', None) or error}") from error
    if folder:
        raise InputError(f"{said}{path} is a folder, not a file: name the file in it, as in {path / 'file.py'}:NAME")
    if not there:
        raise InputError(f"{said}there is no file {path}" + (f". {near(str(path), others)}" if others else ""))
    name = _module_name(path)
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Known by name while it runs: dataclasses and pickling look a module up there.
    sys.modules[name] = module
    try:
        with _neighbours(path.resolve().parent):
            spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        raise InputError(f"{said}{path} does not run: {reason(error, path)}") from error
    return module


@contextmanager
def another_run(path: Path) -> Iterator[None]:
    """Let a file be run once more within, and be known afterwards as it was run before."""
    name = _module_name(path)
    before = sys.modules.get(name)
    try:
        yield
    finally:
        if before is not None:
            sys.modules[name] = before


def _module_name(path: Path) -> str:
    return f"torchobjectives_own_{path.stem}"


@contextmanager
def _neighbours(folder: Path) -> Iterator[None]:
    """Let a file import those beside it, as python does for a script.

    They are forgotten after, for the next file may have others of the same names beside it.
    """
    before = set(sys.modules)
    sys.path.insert(0, str(folder))
    importlib.invalidate_caches()
    try:
        yield
    finally:
        with suppress(ValueError):
            sys.path.remove(str(folder))
        strangers = {name for name in set(sys.modules) - before if _lies_in(sys.modules[name], folder)}
        for name in [name for name in sys.modules if name.partition(".")[0] in strangers]:
            del sys.modules[name]


def _lies_in(module: ModuleType, folder: Path) -> bool:
    # Not by getattr: modules that load their parts late answer to any name.
    facts = getattr(module, "__dict__", {})
    places = [facts.get("__file__"), *(facts.get("__path__") or ())]
    return any(Path(place).parent == folder for place in places if isinstance(place, str))


def _fields(found: Callable[..., Any]) -> Mapping[str, Any]:
    """The hyper-parameters that a class or a function takes."""
    if isinstance(found, type):
        return found.fields() if issubclass(found, Loss) else parameters_of(found) or {}
    return dict(list((parameters_of(found) or {}).items())[2:])


def _open_ended(found: Callable[..., Any]) -> bool:
    if isinstance(found, type) and issubclass(found, Loss):
        return False
    parameters = parameters_of(found)
    # A function written in C does not say what it takes.
    return parameters is None or any(p.kind is p.VAR_KEYWORD for p in parameters.values())


def _check_names(what: str, given: Mapping[str, Any], fields: Mapping[str, Any], *, open_ended: bool) -> None:
    for key in given:
        if key not in fields and not open_ended:
            raise InputError(f"{what} takes no {key!r}. {near(key, fields)}")
