"""A loss of the user's own, from a file of theirs: the file is run."""

import importlib.util
import inspect
import sys
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from torchobjectives import Loss
from torchobjectives._validate import near
from torchobjectives.workbench.errors import InputError


def build(reference: str, given: dict[str, Any], told: Mapping[str, Any]) -> Callable[..., Tensor]:
    """Return the loss that ``path/to/file.py:name`` names, made with its hyper-parameters.

    A class is instantiated; a function gets its hyper-parameters bound; an instance is taken as it is.

    Args:
        reference: File and name.
        given: Hyper-parameters.
        told: What the training rows tell; what the loss takes of it is filled in.
    """
    path, _, name = reference.rpartition(":")
    module = _run(Path(path))
    if not hasattr(module, name):
        public = [key for key, value in vars(module).items() if callable(value) and not key.startswith("_")]
        raise InputError(f"--loss {reference}: {path} has no {name!r}. {near(name, public)}")
    found = getattr(module, name)
    if not callable(found):
        raise InputError(f"--loss {reference}: {name} is {found!r}, wanted a loss: a class, a function or a module")
    if isinstance(found, type):
        fields = found.fields() if issubclass(found, Loss) else _parameters(found)
        _check_names(name, given, fields, open_ended=_open_ended(found))
        made = found(**{**known(fields, given, told), **given})
        if not callable(made):
            raise InputError(f"--loss {reference}: {name}(…) cannot be called; wanted loss(y_pred, y_true)")
        return made  # type: ignore[no-any-return]
    if isinstance(found, nn.Module):
        if given:
            raise InputError(f"--loss {reference}: {name} is made already: give {', '.join(given)} in the file")
        return found
    fields = dict(list(_parameters(found).items())[2:])
    _check_names(name, given, fields, open_ended=_open_ended(found))
    filled = {**known(fields, given, told), **given}
    return partial(found, **filled) if filled else found


def known(fields: Mapping[str, Any], given: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the training rows tell of a loss's fields and the person left open."""
    open_ = {key: value for key, value in told.items() if key in fields and key not in given}
    # A loss that has both fields takes exactly one of them; the counts say more.
    if given.keys() & {"class_counts", "num_classes"} and {"class_counts", "num_classes"} <= set(fields):
        open_ = {key: value for key, value in open_.items() if key not in ("class_counts", "num_classes")}
    if "class_counts" in open_:
        open_.pop("num_classes", None)
    return open_


def _run(path: Path) -> ModuleType:
    try:
        there = path.is_file()
        others = [str(p) for p in path.parent.glob("*.py")] if path.parent.is_dir() else []
    except OSError as error:
        raise InputError(f"--loss {path}: {error.strerror}") from error
    if not there:
        raise InputError(f"--loss: there is no file {path}" + (f". {near(str(path), others)}" if others else ""))
    name = f"torchobjectives_own_{path.stem}"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    # Known by name while it runs: dataclasses and pickling look a module up there.
    sys.modules[name] = module
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        place = [frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename) == path.resolve()]
        line = error.lineno if isinstance(error, SyntaxError) else place[-1].lineno if place else None
        where = f" in line {line}" if line else ""
        raise InputError(f"--loss: {path} does not run: {type(error).__name__}{where}: {error}") from error
    return module


def _parameters(found: Callable[..., Any]) -> dict[str, inspect.Parameter]:
    try:
        return dict(inspect.signature(found).parameters)
    except (TypeError, ValueError):
        return {}


def _open_ended(found: Callable[..., Any]) -> bool:
    return any(p.kind is p.VAR_KEYWORD for p in _parameters(found).values()) and not (
        isinstance(found, type) and issubclass(found, Loss)
    )


def _check_names(name: str, given: Mapping[str, Any], fields: Mapping[str, Any], *, open_ended: bool) -> None:
    for key in given:
        if key not in fields and not open_ended:
            raise InputError(f"--loss: {name} takes no {key!r}. {near(key, fields)}")
