"""What the folder of a run holds: the files that this command line writes, so that no other is deleted with them."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from torchobjectives.workbench.errors import InputError

CONFIG = "config.toml"
METRICS = "metrics.json"
INPUTS = "inputs.json"
CHECKPOINT = "checkpoints/last.ckpt"
LOCK = ".lock"

FOLDERS = {"checkpoints", "logs", "logs/wandb"}
FILES = {
    *(CONFIG, INPUTS, f"{CONFIG}.new", f"{INPUTS}.new", LOCK, CHECKPOINT, f"{CHECKPOINT}.new"),
    *("history.csv", "l1_path.csv", METRICS, "model.pt", "predictions.parquet", "preprocessing.skops", "report.html"),
}
PATTERNS = (
    r"predictions-[^/]*\.(?i:parquet|pq|csv)",  # predict
    r"logs/(metrics\.csv|hparams\.yaml)",  # --log csv
    r"logs/events\.out\.tfevents\.[^/]*",  # tensorboard
    r"logs/mlflow\.db(-journal|-wal|-shm)?",  # mlflow
)
# wandb alone keeps a tree of its own, with links in it.
TREES = re.compile(r"logs/wandb/((offline-)?run-\d{8}_\d{6}-\w+|latest-run|debug(-internal)?\.log|settings)")


def foreign(folder: Path) -> str | None:
    """Return the first path in a folder of a run that no run writes; None where there is none."""
    return next(_foreign(folder, ""), None)


def _foreign(folder: Path, above: str) -> Iterator[str]:
    with os.scandir(folder) as entries:
        found = sorted(entries, key=lambda entry: entry.name)
    for entry in found:
        path = f"{above}{entry.name}"
        if TREES.fullmatch(path):
            continue
        if entry.is_dir(follow_symlinks=False) and path in FOLDERS:
            yield from _foreign(folder / entry.name, f"{path}/")
        elif not (entry.is_file(follow_symlinks=False) and _ours(path)):
            yield path


def _ours(path: str) -> bool:
    return path in FILES or any(re.fullmatch(pattern, path, re.DOTALL) for pattern in PATTERNS)


def is_own(path: str) -> bool:
    """Whether fit itself writes this path in the folder of a run; what predict writes may be written anew."""
    top = path.partition("/")[0]
    return top in FOLDERS or path in FILES


def refuse_foreign(folder: Path) -> None:
    """Refuse to delete a folder that holds anything that no run wrote.

    Raises:
        InputError: It does.
    """
    if found := foreign(folder):
        raise InputError(
            f"{folder} also holds {found!r}, which no fit wrote and would be deleted: move it elsewhere, or "
            "name another folder with --out"
        )
