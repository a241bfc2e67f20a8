"""What a run learns from, in short: it is stored when the run begins, and a run is continued with the same only."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from torchobjectives.workbench import own
from torchobjectives.workbench.batches import Data, fingerprint
from torchobjectives.workbench.config import RunConfig
from torchobjectives.workbench.contents import INPUTS
from torchobjectives.workbench.errors import InputError
from torchobjectives.workbench.objectives import parse_loss, weighted


def described(config: RunConfig, *parts: Data) -> dict[str, Any]:
    """Return the SHA-256 of the rows, and of every file of the user's own losses."""
    return {"rows": fingerprint(*parts), "losses": {str(path): _sha256(path) for path in own_files(config)}}


def own_files(config: RunConfig) -> list[Path]:
    """The files of the user's own losses."""
    names = [parse_loss(weighted(text)[1])[0] for text in config.loss]
    return [own.file_of(name) for name in names if ".py:" in name]


def release_losses(place: Path) -> None:
    """Let a run that a loss of the user's own has stopped be continued with that loss mended."""
    began = _stored(place)
    began["losses"] = dict.fromkeys(began["losses"])
    (place / INPUTS).write_text(json.dumps(began), encoding="utf-8")


def check_losses(place: Path, config: RunConfig) -> None:
    """Refuse to continue a run with a loss that was changed; the file is not run for that.

    Raises:
        InputError: It is not what the run began with.
    """
    began = _stored(place)["losses"]
    for path in own_files(config):
        if not path.exists():
            raise InputError(f"--resume: there is no file {path}, the run's loss, in {Path.cwd()}: go where it lies")
        if began.get(str(path), "") not in (None, _sha256(path)):
            raise InputError(
                f"--resume: {path} is not as it was when the run began: undo its changes, or begin again with "
                "--overwrite"
            )


def check_rows(place: Path, now: Mapping[str, Any], config: RunConfig) -> None:
    """Refuse to continue a run with other rows.

    Raises:
        InputError: They are not what the run began with.
    """
    if _stored(place)["rows"] != now["rows"]:
        raise InputError(
            f"--resume: the data of {config.source} are not those that the run began with: give the file that holds "
            "them, or begin again with --overwrite"
        )


def _stored(place: Path) -> dict[str, Any]:
    try:
        began = json.loads((place / INPUTS).read_text(encoding="utf-8"))
        return {"rows": str(began["rows"]), "losses": dict(began["losses"])}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"--resume: {place / INPUTS}, which says what the run began with, is missing or damaged: begin again "
            "with --overwrite"
        ) from error


def _sha256(path: Path) -> str:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise InputError(f"--loss {path}: cannot be read ({error.strerror})") from error
