"""What the integrations must know of a loss before they take it, and its evaluation."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, cast

from torch import Tensor, nn

from torchobjectives import _exports
from torchobjectives._loss import Loss, name_of
from torchobjectives._registry import loss_class
from torchobjectives._spec import CUSTOM, Spec
from torchobjectives._validate import near
from torchobjectives.objective import BoundObjective, Objective


def spec_of_sum(loss: object, taker: str) -> Spec:
    """The facts of a loss that is a sum over units; raises for anything else.

    Args:
        loss: what the user gave.
        taker: the function that takes it, for the message.

    Raises:
        TypeError: not a loss of this library, a class instead of its instance, or an unknown hyper-parameter.
        ValueError: the loss has one value per batch.
    """
    if isinstance(loss, (Objective, BoundObjective)):
        raise TypeError(
            f"{taker} takes a loss, got an {type(loss).__name__}. Its penalties belong to the step of the optimizer "
            "and would count once per micro-batch: pass the loss alone, and attach the objective to the optimizer."
        )
    if isinstance(loss, type) and issubclass(loss, Loss):
        raise TypeError(f"{taker} takes an instance: pass {loss.__name__}(), not the class {loss.__name__}.")
    if not isinstance(loss, Loss) and not (callable(loss) and getattr(_inner(loss), "in_contract", False)):
        raise TypeError(f"{taker} takes a loss of this library, got {loss!r}. Wrap a function with as_loss first.")
    spec = type(loss).spec if isinstance(loss, Loss) else _spec_of_function(cast("Callable[..., Tensor]", loss))
    if spec.unit == "batch":
        raise one_value(loss, taker)
    return spec


def one_value(loss: object, taker: str) -> ValueError:
    """The error about a loss that has one value per batch."""
    name = name_of(loss) if callable(loss) else repr(loss)
    return ValueError(
        f"{taker} divides a sum over units, and {name} has none: it is one value per batch, a function of the whole "
        "batch. Take a loss with one value per unit (such as mse_loss for rmse_loss), or evaluate it on the whole "
        "batch, without accumulation and in one process."
    )


def _inner(loss: Any) -> Any:
    while isinstance(loss, functools.partial):
        loss = loss.func
    return loss


def _spec_of_function(loss: Callable[..., Tensor]) -> Spec:
    name, known = name_of(loss), list(inspect.signature(_inner(loss)).parameters)
    for keyword in loss.keywords if isinstance(loss, functools.partial) else ():
        if keyword not in known:
            raise TypeError(f"{name} takes no {keyword!r}. {near(keyword, known[2:])}")
    if name in _exports.LOSSES and loss_class(name).function is _inner(loss):
        return loss_class(name).spec
    return CUSTOM


def option(loss: Callable[..., Tensor], name: str) -> Any:
    """The value of a hyper-parameter of a loss or a partial; None where it has no such."""
    if isinstance(loss, Loss):
        return getattr(loss, name, None)
    parameter = inspect.signature(loss).parameters.get(name)
    return None if parameter is None else parameter.default


def evaluate(
    loss: Callable[..., Tensor],
    y_pred: Tensor,
    y_true: Tensor,
    *,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Any,
) -> Tensor:
    """Evaluate under any reduction, whatever the loss's own is."""
    function = loss.evaluate if isinstance(loss, Loss) else loss
    return function(y_pred, y_true, weight=weight, mask=mask, reduction=reduction)


def trainable(loss: object) -> list[str]:
    """The names of what the loss itself learns."""
    return [n for n, p in loss.named_parameters() if p.requires_grad] if isinstance(loss, nn.Module) else []
