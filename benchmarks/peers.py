"""The calls of other libraries for torch that give the same numbers as a row of ``catalogue.py``."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from typing import Any

from torch import Tensor

Loss = Callable[[Tensor, Tensor], Tensor]

# name → module, and the call
PEERS: dict[str, tuple[str, Callable[[Any], Loss]]] = {
    "barron_loss": ("kornia", lambda kornia: lambda p, y: kornia.losses.charbonnier_loss(p, y, reduction="mean")),
    "cauchy_loss": ("kornia", lambda kornia: lambda p, y: kornia.losses.cauchy_loss(p, y, reduction="mean")),
    "geman_mcclure_loss": (
        "kornia",
        lambda kornia: lambda p, y: kornia.losses.geman_mcclure_loss(p, y, reduction="mean"),
    ),
    "welsch_loss": ("kornia", lambda kornia: lambda p, y: kornia.losses.welsch_loss(p, y, reduction="mean")),
    "softmax_focal_loss": (
        "kornia",
        lambda kornia: lambda p, y: p.shape[1] * kornia.losses.focal_loss(p, y, None, gamma=2.0, reduction="mean"),
    ),
    "focal_loss": ("monai.losses", lambda monai: _labelled(monai.FocalLoss(gamma=2.0))),
    "mcc_loss": ("monai.losses", lambda monai: _labelled(monai.MCCLoss(sigmoid=True, batch=True, smooth_dr=0.0))),
    "dice_loss": (
        "monai.losses",
        lambda monai: _unsqueezed(monai.DiceLoss(softmax=True, to_onehot_y=True, batch=True)),
    ),
    "rmse_loss": ("neuralforecast.losses.pytorch", lambda nf: _target_first(nf.RMSE())),
    "mape_loss": ("neuralforecast.losses.pytorch", lambda nf: _target_first(nf.MAPE())),
    "smape_loss": ("neuralforecast.losses.pytorch", lambda nf: _target_first(nf.SMAPE())),
    "quantile_loss": ("neuralforecast.losses.pytorch", lambda nf: _target_first(nf.QuantileLoss(0.5))),
    "sparsemax_loss": ("entmax", lambda entmax: lambda p, y: entmax.sparsemax_loss(p, y).mean()),
    "entmax_loss": ("entmax", lambda entmax: lambda p, y: entmax.entmax15_loss(p, y).mean()),
}


def peer(name: str) -> tuple[str, Loss] | None:
    """The library and its call, or None where there is none or it is not installed."""
    if name not in PEERS:
        return None
    module, call = PEERS[name]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            library = importlib.import_module(module)
    except ImportError:
        return None
    return module.partition(".")[0], call(library)


def _target_first(loss: Loss) -> Loss:
    return lambda p, y: loss(y, p)


def _unsqueezed(loss: Loss) -> Loss:
    return lambda p, y: loss(p, y.unsqueeze(1))


def _labelled(loss: Loss) -> Loss:
    """For losses that want an axis of labels."""
    return lambda p, y: loss(p.unsqueeze(1), y.unsqueeze(1))
