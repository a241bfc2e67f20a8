"""An objective on all of a data set, taken apart: a smooth part f, and terms whose kinks make zeros."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from torchobjectives.objective import BoundObjective, Objective
from torchobjectives.params._roles import inventory
from torchobjectives.penalties._data import Smooth, proximal_value
from torchobjectives.penalties._methods import Carried, pieces_of
from torchobjectives.penalties._norm import Norm, Piece, slope
from torchobjectives.penalties._penalty import total, with_coefficient
from torchobjectives.penalties._polish import polish
from torchobjectives.penalties._prox import Mix
from torchobjectives.penalties._steps import Targets
from torchobjectives.penalties.norms import L2
from torchobjectives.penalties.schedules import at


def plain(objective: object) -> Objective:
    """The objective itself, also where it comes bound to a model."""
    if isinstance(objective, BoundObjective):
        objective = objective.objective
    if not isinstance(objective, Objective):
        raise TypeError(f"objective must be an Objective, got {type(objective).__name__}: Objective(loss, penalties=…)")
    return objective


class Losses:
    """What an objective says of one batch: its losses, and the penalties that are a value and nothing else."""

    def __init__(self, objective: Objective, values: Iterable[Any] = ()) -> None:
        self._objective, self._values = objective, list(values)

    def __call__(self, y_pred: Any, y_true: Any, *, model: nn.Module) -> Tensor:
        """Their sum."""
        losses = self._objective._loss_terms(y_pred, y_true, None, None)
        return total([*losses.values(), *(penalty.value(model) for penalty in self._values)])


class Pull:
    """One tensor, and the terms with kinks that speak of it."""

    def __init__(self, name: str, weight: Tensor) -> None:
        self.name, self.weight = name, weight
        self.parts: list[tuple[Piece, Mix]] = []
        # A penalty of one's own, known by its proximal step alone.
        self.own: Any = None

    def add(self, piece: Piece, penalty: Any, step: int) -> None:
        """One more term.

        Raises:
            ValueError: the sum of the terms has no closed subdifferential.
        """
        if not isinstance(penalty, Norm):
            self.own = penalty
        else:
            self.parts.append((piece, penalty.mix(at(penalty.coefficient, step))))
        if self.own is not None and (self.parts or self.own is not penalty):
            raise ValueError(f"{self.name!r} has a proximal term of one's own and another: their sum is not known.")
        if sum(mix.group > 0 for _, mix in self.parts) > 1:
            raise ValueError(f"two group penalties speak of {self.name!r}: their sum has no closed subdifferential.")
        if piece.weight.is_complex():
            raise ValueError(f"{self.name!r} is complex: its penalty has no subdifferential here.")

    def slope(self) -> Tensor | None:
        """The gradient of the terms where they have one; 0 at the kinks."""
        slopes = [slope(piece, mix) for piece, mix in self.parts]
        return sum(slopes[1:], slopes[0]) if slopes else None


class Problem:
    """f + R over all of the data: f the losses and what is smooth, R the terms with a proximal step.

    Args:
        objective: Attached or not; attached, schedules are where its plan is.
        model: Its trainable parameters are the variables.
        loader: Batches (x, y_true).
        coefficients: Other coefficients than the penalties' own, by term.
    """

    def __init__(
        self,
        objective: Objective,
        model: nn.Module,
        loader: Iterable[Any],
        coefficients: Mapping[str, float] | None = None,
    ) -> None:
        self._model, self._loader = model, loader
        self._step = 0 if objective.plan is None else objective.plan.steps
        penalties = {
            name: with_coefficient(penalty, coefficients[name]) if coefficients and name in coefficients else penalty
            for name, penalty in objective.penalties.items()
        }
        known = {name: item for name, item in penalties.items() if isinstance(item, Norm) or hasattr(item, "prox")}
        for name, penalty in known.items():
            if callable(getattr(penalty, "coefficient", None)) and objective.plan is None:
                raise ValueError(f"{name!r} has a schedule, and no optimizer whose steps it counts: attach it first.")
        self._losses = Losses(objective, [item for name, item in penalties.items() if name not in known])
        self._terms = [
            Carried(name, item, "gradient" if isinstance(item, L2) else "proximal", pieces_of(item, model))
            for name, item in known.items()
        ]
        self._smooth = Smooth(self._losses, model, loader, self._terms, self._step)
        self.parameters: list[nn.Parameter] = self._smooth.parameters
        self.pulls = self._pulls()

    def _pulls(self) -> list[Pull]:
        names = {id(entry.parameter): entry.name for entry in inventory(self._model)}
        pulls = {id(weight): Pull(names[id(weight)], weight) for weight in self.parameters}
        for term in self._terms:
            for piece in term.pieces if term.method == "proximal" else ():
                pulls[id(piece.weight)].add(piece, term.penalty, self._step)
        return list(pulls.values())

    def value(self) -> float:
        """F + R."""
        return self._smooth.value() + proximal_value(self._terms, self._step, self._model)

    def smooth_slope(self) -> tuple[float, list[Tensor]]:
        """F and its gradient, a tensor for each of ``parameters``."""
        return self._smooth.slope()

    def slope(self) -> tuple[float, list[Tensor]]:
        """F + R and its gradient, which counts what has a kink at its weight as 0."""
        value, gradients = self._smooth.slope()
        for gradient, pull in zip(gradients, self.pulls, strict=True):
            own = pull.slope()
            if own is not None:
                gradient.add_(own.to(gradient.dtype))
        return value + proximal_value(self._terms, self._step, self._model), gradients

    def proximal_steps(self, steps: int) -> float:
        """Take accelerated proximal gradient steps; returns f + R."""
        if not self.parameters:
            return self.value()
        # Targets files tensors by the groups of an optimizer: here there is one for all, which takes no step.
        targets = Targets(self._terms, torch.optim.SGD(self.parameters, lr=1.0))
        return polish(self._losses, self._model, self._loader, steps, self._terms, targets, self._step)


@contextmanager
def undisturbed(objective: nn.Module, model: nn.Module) -> Iterator[None]:
    """Evaluation mode within; modes, buffers and random numbers are afterwards what they were.

    Raises:
        TypeError: what is no module.
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, got {type(model).__name__}")
    modules = list({id(module): module for root in (model, objective) for module in root.modules()}.values())
    modes = [(module, module.training) for module in modules]
    buffers = [
        (module, name, buffer, buffer.detach().clone())
        for module in modules
        for name, buffer in module._buffers.items()
        if buffer is not None
    ]
    devices = {parameter.device.index for parameter in model.parameters() if parameter.device.type == "cuda"}
    # cuDNN's recurrent layers have no gradient in evaluation mode; torch's own kernels do.
    with torch.random.fork_rng(devices=sorted(devices)), torch.backends.cudnn.flags(enabled=not _recurrent(modules)):
        try:
            for module in modules:
                module.training = False
            yield
        finally:
            for module, mode in modes:
                module.training = mode
            with torch.no_grad():
                for module, name, buffer, before in buffers:
                    buffer.copy_(before)
                    module._buffers[name] = buffer


def _recurrent(modules: list[nn.Module]) -> bool:
    return any(isinstance(module, nn.RNNBase) for module in modules)


@contextmanager
def unchanged(model: nn.Module) -> Iterator[None]:
    """Every parameter, and whether it is trained, is afterwards what it was."""
    before = [(parameter, parameter.detach().clone(), parameter.requires_grad) for parameter in model.parameters()]
    try:
        yield
    finally:
        with torch.no_grad():
            for parameter, value, trained in before:
                parameter.requires_grad_(trained)
                parameter.copy_(value)
