"""Penalties in training: attached to the optimizer, in its unit, and polished when training is over."""

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.optim import Optimizer

from torchobjectives import L2, Objective, stationarity
from torchobjectives.optimality._problem import Problem
from torchobjectives.penalties._norm import Norm
from torchobjectives.penalties._optimizers import decay_is_l2
from torchobjectives.penalties._penalty import with_coefficient
from torchobjectives.workbench.batches import Batch
from torchobjectives.workbench.config import POLISH, RunConfig
from torchobjectives.workbench.errors import InputError
from torchobjectives.workbench.objectives import Fitted, without_penalties

# No weight survives more, and float32 holds it.
LARGEST = 1e30


def notes(config: RunConfig) -> list[str]:
    """What flags do about zeros that are not those of the minimum."""
    said = []
    if config.makes_zeros and config.stepwise and not config.polishing:
        # Dropout has no one objective that polishing could go down.
        polish = "" if config.dropout else f", or --polish {POLISH} at the end,"
        said.append(
            "Trained by minibatches, a proximal step finds the minimum but not quite which weights are 0: "
            f"--penalty-method dual_averaging{polish} does."
        )
    if config.decoupled:
        said.append("The decoupled decay moves the weights away from that minimum: --l2 in its place does not.")
    return said


@dataclass(frozen=True)
class Polished:
    """What polishing did to the objective on the training rows."""

    steps: int
    before: float
    after: float


class Carrier:
    """The penalties of an objective, applied at each step of an optimizer.

    The optimizer sees the losses divided by ``fitted.unit``, and so must it see the penalties, or they would weigh
    more or less against the losses than the objective says.

    Args:
        fitted: The network and its objective.
        optimizer: Its steps are followed.
        method: How, as :meth:`Objective.attach` takes it.
        notes: What is said below the plan: its own advice is not for the command line.
    """

    def __init__(self, fitted: Fitted, optimizer: Optimizer, method: str, notes: Sequence[str] = ()) -> None:
        self._kind, self._notes = type(optimizer).__name__, notes
        self._fitted, self._losses = fitted, without_penalties(fitted)
        alone = without_penalties(fitted, original=True)
        penalties: list[Norm] = [
            with_coefficient(penalty, min(penalty.coefficient / fitted.unit, LARGEST))
            for penalty in fitted.objective.penalties.values()
        ]
        self._spoken_of = [
            (penalty, [piece.weight for piece in penalty.pieces(fitted.network)]) for penalty in penalties
        ]

        # What several processes share is not asked for by one of them alone, as polishing does.
        def losses(raw: Tensor, y_true: Tensor) -> Tensor:
            return alone.evaluate(raw, y_true) / fitted.unit

        self._objective = Objective(losses, penalties)
        # The optimizer's own decay counts where it is ½·λ·Σw², or polishing would undo it.
        decay = max((g["weight_decay"] for g in optimizer.param_groups if decay_is_l2(optimizer, g)), default=0.0)
        self._minimised = Objective(losses, [*penalties, L2(decay)] if decay else penalties)
        try:
            self._plan = self._objective.attach(optimizer, fitted.network, method)
        except ValueError as error:
            raise InputError(f"--penalty-method {method}: {error}") from error

    def __str__(self) -> str:
        """The plan, as a table."""
        formula, unit = self._fitted.objective.formula(), self._fitted.unit
        # The plan's own formula has the numbers that the optimizer sees.
        head = f"{formula if unit == 1 else f'({formula}) / {unit:.4g}'}, attached to {self._kind}"
        return "\n".join([head, self._plan._table(), *self._notes])

    def evaluate(self, raw: Tensor, y_true: Tensor) -> Tensor:
        """The losses of a batch."""
        return self._losses.evaluate(raw, y_true)

    def terms(self) -> dict[str, Tensor]:
        """All terms: the losses of the last batch, and the penalties of the weights as they are."""
        with torch.no_grad():
            penalties = {name: self._plan.value(name) * self._fitted.unit for name in self._objective.penalties}
        return {**self._losses.objective.terms, **penalties}

    def slope(self) -> float:
        """The largest norm that the slope of the penalties can have at these weights, in the optimizer's unit.

        At the minimum the slope of the losses is as large as that.
        """
        total = 0.0
        for penalty, weights in self._spoken_of:
            # No flag asks for a schedule.
            assert not callable(penalty.coefficient)
            mix = penalty.mix(penalty.coefficient)
            # Of groups, too: the length of a group counts √|g|.
            total += (mix.l1 + mix.group) * math.sqrt(sum(weight.numel() for weight in weights))
            total += mix.l2 * math.hypot(*(float(weight.detach().norm()) for weight in weights)) if mix.l2 else 0.0
        return total

    def polish(self, batches: Callable[[], Iterable[Batch]], steps: int) -> Polished | None:
        """Take full-gradient proximal steps; None where the objective is not finite.

        Args:
            batches: Gives all training rows, the same at each call. What it raises leaves the weights as they were.
            steps: How many.
        """
        network, unit = self._fitted.network, self._fitted.unit
        loader = _Again(batches)
        kept = {name: value.clone() for name, value in network.state_dict().items()}
        problem = Problem(self._minimised, network, loader)
        before = problem.value()
        if not math.isfinite(before):
            return None
        try:
            after = problem.proximal_steps(steps)
        except BaseException:
            network.load_state_dict(kept)
            raise
        return Polished(steps, before * unit, after * unit)

    def stationarity(self, batches: Callable[[], Iterable[Batch]]) -> float | None:
        """How far the weights are from a minimum over all rows: 0 at one; None where a slope is not finite."""
        distance = float(stationarity(self._minimised, self._fitted.network, _Again(batches))) * self._fitted.unit
        return distance if math.isfinite(distance) else None


class _Again:
    """An iterable that begins anew each time."""

    def __init__(self, begin: Callable[[], Iterable[Batch]]) -> None:
        self._begin = begin

    def __iter__(self) -> Iterator[Batch]:
        return iter(self._begin())
