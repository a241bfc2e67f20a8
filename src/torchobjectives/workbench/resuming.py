"""A run is continued with its own options only; how many epochs, and where the data lie, may be said anew."""

import os
from pathlib import Path
from typing import Any

from torchobjectives.workbench.config import (
    ASKED,
    PARTIAL,
    FitOptions,
    RunConfig,
    checked,
    read_config,
    requested,
)
from torchobjectives.workbench.contents import CONFIG
from torchobjectives.workbench.errors import InputError
from torchobjectives.workbench.folders import is_unfinished, place_of, status

# What may differ from the run's own.
FREE = {*ASKED, "out", "epochs", "log"}


def resumed(file: Path | None, options: FitOptions) -> RunConfig:
    """Return the configuration of the run that is to be continued.

    Raises:
        InputError: There is no such run, it is finished, or an option differs from its own.
    """
    if options.config:
        raise InputError("--resume continues a run with its own options: drop --config")
    if options.out is None and file is None and options.dataset is None:
        raise InputError("--resume needs --out: the folder of the interrupted run")
    out = options.out if options.out is not None else requested(file, options).folder
    folder = out.with_name(out.name.removesuffix(PARTIAL)) if out.name else out
    place = place_of(folder)
    if place != folder and not is_unfinished(place):
        raise InputError(f"--resume: {place} exists and is no unfinished run: move it away")
    if not is_unfinished(place):
        raise InputError(f"--resume: there is no interrupted run at {folder}")
    stored = {key: value for key, value in read_config(place / CONFIG).items() if key not in ASKED}
    # A run from before there was a choice had its penalties in the loss.
    own = checked(RunConfig, {"penalty_method": "loss", **stored, "out": folder})
    _check_own(own, file, options)
    if options.epochs < own.epochs and "epochs" in options.model_fields_set:
        raise InputError(f"--resume: --epochs {options.epochs} is less than the run's {own.epochs}")
    changes: dict[str, Any] = {"data": file or own.data, "resume": True, "overwrite": options.overwrite}
    changes |= {name: getattr(options, name) for name in ("epochs", "log") if name in options.model_fields_set}
    config = own.model_copy(update=changes)
    if place == folder and status(folder) == "done" and config.epochs == own.epochs:
        raise InputError(f"--resume: {folder} is finished; for more epochs pass --epochs with a larger number")
    if file is None:
        _check_there(config)
    return config


def _check_own(own: RunConfig, file: Path | None, options: FitOptions) -> None:
    """Refuse an option that is not the run's own."""
    if file is not None and own.data is None:
        raise InputError(f"--resume: the run reads --dataset {own.dataset}, not a file: drop {file}")
    for name in sorted(options.model_fields_set - FREE):
        value = getattr(options, name)
        if value != getattr(own, name):
            flag = f"--{name.replace('_', '-')}"
            raise InputError(
                f"--resume: {flag} {_shown(value)}, but the run {_said(own, name)}: drop {flag}, for a run is "
                "continued with its own options"
            )


def _said(own: RunConfig, name: str) -> str:
    """What a run says of one of its options."""
    value = getattr(own, name)
    if value not in (None, []):
        return f"has {_shown(value)}"
    return {
        "lr": f"chose its learning rate itself ({own.learning_rate:g})",
        "loss": "takes the default loss of its task",
        "dataset": f"reads {own.source}",
        "target": f"has the target of {own.source}",
    }.get(name, "has none")


def _shown(value: Any) -> str:
    return " --loss ".join(f'"{text}"' for text in value) if isinstance(value, list) else str(value)


def _check_there(config: RunConfig) -> None:
    """Say in which folder the data were looked for: a run may be continued from another one."""
    if config.data is not None and not os.path.exists(config.data):
        raise InputError(
            f"--resume: there is no file {config.data}{_looked(config.data)}: give the run's data anew, "
            f"as in fit FILE --resume --out {config.folder}"
        )


def _looked(path: Path) -> str:
    return "" if path.is_absolute() else f" in {Path.cwd()}"
