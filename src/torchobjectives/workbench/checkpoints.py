"""The checkpoint that a run is continued from: read without running anything, and looked at before all else."""

from collections.abc import Mapping
from pathlib import Path

import torch
from torch import Tensor

from torchobjectives.workbench.errors import InputError

# Of Lightning's; without any of these it cannot go on.
WANTED = {
    *("callbacks", "epoch", "global_step", "loops", "lr_schedulers", "optimizer_states"),
    *("pytorch-lightning_version", "state_dict"),
}


def check(path: Path, network: Mapping[str, Tensor]) -> None:
    """Refuse a checkpoint that is damaged, or of another network.

    Raises:
        InputError: It is no file that a run writes.
    """
    if not path.exists() and not path.is_symlink():
        return
    if reason := _wrong(path, network):
        raise InputError(
            f"--resume: {path} is no checkpoint of this run ({reason}): put back a copy of it, or begin again with "
            "--overwrite"
        )


def _wrong(path: Path, network: Mapping[str, Tensor]) -> str | None:
    if not path.is_file():
        return "it is no file"
    try:
        stored = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a damaged file fails in any way
        return f"it is damaged, or holds more than numbers and names: {type(error).__name__}"
    if not isinstance(stored, dict):
        return f"it holds a {type(stored).__name__}"
    if missing := sorted(WANTED - stored.keys()):
        return f"it lacks {', '.join(missing)}"
    weights, history = stored["state_dict"], stored["callbacks"]
    if not isinstance(weights, dict) or not isinstance(history, dict) or "History" not in history:
        return "it lacks the weights, or the history"
    shapes = {name: getattr(weights.get(f"network.{name}"), "shape", None) for name in network}
    if different := [name for name, tensor in network.items() if tensor.shape != shapes[name]]:
        return f"its {different[0]} is not the network's"
    return None
