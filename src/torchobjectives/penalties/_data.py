"""The smooth part of an objective, and its gradient, over all of a data set."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import torch
from torch import Tensor, nn

from torchobjectives.penalties._methods import STEPWISE, Carried


class Smooth:
    """Loss over a loader, plus the attached penalties that no proximal step carries.

    Args:
        objective: Called as ``objective(y_pred, y_true, model=model)`` for each batch; batches count by their rows.
        model: The network.
        loader: Batches (x, y_true).
        terms: The terms of the plan.
        step: The number of the optimizer step, for schedules.
    """

    def __init__(
        self, objective: Callable[..., Any], model: nn.Module, loader: Iterable[Any], terms: list[Carried], step: int
    ) -> None:
        self._objective, self._model, self._loader, self._step = objective, model, loader, step
        self._terms = [term for term in terms if term.method in ("gradient", "weight_decay")]
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]

    def value(self) -> float:
        """The value alone."""
        with torch.no_grad():
            return self._over_data(None)

    def slope(self) -> tuple[float, list[Tensor]]:
        """The value, and the gradient of every trainable parameter."""
        gradients = [torch.zeros_like(parameter) for parameter in self.parameters]
        with torch.enable_grad():
            return self._over_data(gradients), gradients

    def _over_data(self, gradients: list[Tensor] | None) -> float:
        value, rows = 0.0, 0
        for batch in self._loader:
            x, y_true = _pair(batch)
            loss = self._objective(self._model(x), y_true, model=self._model)
            count = _rows(y_true)
            value, rows = value + count * float(loss.detach()), rows + count
            _accumulate(gradients, loss, self.parameters, count)
        if not rows:
            raise ValueError(
                "the loader gave no batch: wanted batches (x, y_true) that cover the data, in every pass. A generator "
                "gives them once: list(loader)."
            )
        for gradient in gradients or ():
            gradient.div_(rows)
        value /= rows
        for term in self._terms:
            own = term.value(self._model, lambda: self._step)
            value += float(own.detach())
            _accumulate(gradients, own, self.parameters, 1)
        return value


def _accumulate(gradients: list[Tensor] | None, value: Tensor, parameters: list[nn.Parameter], factor: float) -> None:
    if gradients is None or not value.requires_grad:
        return
    for total, own in zip(gradients, torch.autograd.grad(value, parameters, allow_unused=True), strict=True):
        if own is not None:
            total.add_(own, alpha=factor)


def _pair(batch: Any) -> tuple[Any, Any]:
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        raise ValueError(f"the loader must give batches (x, y_true), got {type(batch).__name__}")
    return batch[0], batch[1]


def _rows(y_true: Any) -> int:
    while isinstance(y_true, Mapping):
        y_true = next(iter(y_true.values()))
    return len(y_true) if y_true.ndim else 1


def proximal_value(terms: list[Carried], step: int, model: nn.Module) -> float:
    """The value of the penalties that proximal steps carry."""
    with torch.no_grad():
        return sum(float(term.value(model, lambda: step)) for term in terms if term.method in STEPWISE)
