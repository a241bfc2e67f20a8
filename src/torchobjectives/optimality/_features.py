"""What feature selection is given, checked, and the linear model that fits it."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from torchobjectives._loss import Loss
from torchobjectives.objective import BoundObjective, Objective
from torchobjectives.optimality._problem import plain
from torchobjectives.params._roles import Entry, inventory
from torchobjectives.penalties._layout import layout


def checked(x: Any, y_true: Any) -> tuple[Tensor, Tensor]:
    """Features and truth as tensors that fit together."""
    x, y_true = _tensor("x", x), _tensor("y_true", y_true)
    if x.ndim != 2 or y_true.ndim not in (1, 2):
        raise ValueError(
            f"x has shape {tuple(x.shape)} and y_true {tuple(y_true.shape)}, wanted (N, P) and (N,) or (N, T)."
        )
    if len(x) != len(y_true):
        raise ValueError(f"x has {len(x)} rows and y_true {len(y_true)}: wanted as many.")
    if len(x) < 4 or x.shape[1] < 2:
        raise ValueError(f"x has shape {tuple(x.shape)}, wanted at least 4 rows and 2 features.")
    x = x if x.is_floating_point() else x.to(torch.float64)
    if not bool(torch.isfinite(x).all()):
        raise ValueError("x holds NaN or infinite numbers: fill them in, or leave those rows out.")
    if y_true.is_floating_point() and not bool(torch.isfinite(y_true).all()):
        raise ValueError("y_true holds NaN or infinite numbers: leave those rows out.")
    return x, y_true


def _tensor(what: str, values: Any) -> Tensor:
    """A tensor, also of a data frame or a series of pandas or polars."""
    values = values.to_numpy() if hasattr(values, "to_numpy") else values
    try:
        # So pandas keeps columns of several types.
        values = values.astype("float64") if str(getattr(values, "dtype", "")) == "object" else values
        tensor = values if isinstance(values, Tensor) else torch.tensor(values)
    except (TypeError, ValueError) as error:
        raise TypeError(f"{what} holds what is no number: {error}") from error
    if tensor.is_complex():
        raise TypeError(f"{what} holds complex numbers, wanted real ones.")
    return tensor


def named(names: Sequence[str] | None, features: int) -> tuple[str, ...]:
    """A name for each feature."""
    if names is None:
        return tuple(f"x{i}" for i in range(features))
    if len(names) != features:
        raise ValueError(f"names has {len(names)} entries for {features} features.")
    return tuple(map(str, names))


def standardized(x: Tensor) -> Tensor:
    """Every feature with mean 0 and standard deviation 1; a constant one is 0."""
    centred = x - x.mean(0)
    reach = centred.abs().amax(0)
    # Rounding leaves something of a constant feature.
    constant = reach <= 8 * torch.finfo(x.dtype).eps * x.abs().amax(0)
    # In two steps: the squares of numbers such as 1e25, in metres or in electronvolts, are not finite in float32.
    unit = torch.where(constant, 0.0, centred / torch.where(constant, 1.0, reach))
    return unit / torch.where(constant, 1.0, unit.square().mean(0).sqrt())


def module(model: object) -> nn.Module:
    """The model, once it is known to be one."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, which is copied, got {type(model).__name__}")
    return model


def linear(x: Tensor, y_true: Tensor, loss: Any) -> nn.Module:
    """A linear layer of zeros with the outputs that the loss takes, in the shape that it takes them."""
    outputs = _outputs(loss, y_true)
    flat = outputs == 1 and y_true.ndim == 1
    outputs = y_true.shape[1] if outputs == 1 and y_true.ndim == 2 else outputs
    # Without its initialisation, which would draw random numbers.
    layer: nn.Module = nn.utils.skip_init(nn.Linear, x.shape[1], outputs)  # type: ignore[no-untyped-call]
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)
    model = nn.Sequential(layer, nn.Flatten(0)) if flat else nn.Sequential(layer)
    return model.to(x.device, torch.float64)


def _outputs(loss: Any, y_true: Tensor) -> int:
    """As many as the loss says; of a loss that cannot say it, one for each class of whole numbers."""
    classes = None if y_true.is_floating_point() or y_true.ndim > 1 else int(y_true.max()) + 1
    if isinstance(loss, Objective | BoundObjective):
        losses = list(plain(loss).losses.values())
        if len(losses) > 1:
            raise ValueError("an objective of several losses needs model=, which gives y_pred by their names.")
        loss = losses[0]
    if isinstance(loss, Loss) and type(loss).spec.task != "custom":
        if type(loss).spec.task == "multiclass" and classes is None and y_true.ndim == 1:
            raise ValueError(
                f"y_true has dtype {y_true.dtype}, and {loss!r} takes classes: wanted whole numbers from 0."
            )
        return loss.num_outputs(classes)
    return 1 if classes is None else classes


def first_layer(model: nn.Module, features: int) -> Entry:
    """The weights that the features meet first."""
    first = next((entry for entry in inventory(model) if entry.role == "weight"), None)
    if first is None:
        raise ValueError(f"{type(model).__name__} has no layer with weights to select features by.")
    cut = layout(first, "input")(first.parameter)
    if cut.dims != 1 or cut.view.shape[0] != features:
        raise ValueError(
            f"{first.name!r}, the first layer of {type(model).__name__}, does not take the {features} features "
            f"of x: its inputs are {tuple(cut.view.shape[: cut.dims])}."
        )
    return first
