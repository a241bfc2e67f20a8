"""The plan: penalties applied at each optimizer step instead of through the loss."""

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, final
from weakref import WeakSet

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from torchobjectives._validate import near
from torchobjectives.params.table import aligned
from torchobjectives.penalties._methods import COSTS, METHODS, carried, decay_effect, effect, makes_zeros
from torchobjectives.penalties._norm import Norm
from torchobjectives.penalties._optimizers import decay_is_decoupled, skipped, unwrapped
from torchobjectives.penalties._steps import Gradients, Targets
from torchobjectives.penalties.schedules import at

if TYPE_CHECKING:
    from torchobjectives.objective import Objective

__all__ = ["Plan"]

# What a plan keeps in the optimizer's groups: the steps taken, so that a checkpoint of the optimizer resumes it, and
# within a step the weight_decay that a group has besides the penalties.
STEPS, OWN_DECAY = "penalty_steps", "weight_decay_without_penalty"
_ATTACHED: "WeakSet[Optimizer]" = WeakSet()


@final
class Plan:
    """How each penalty of an objective reaches the weights, and what is minimised thereby; printed, it is a table.

    Made by :meth:`Objective.attach`. Penalties are applied once per optimizer step, however many backward passes it
    took, after any clipping of gradients, and not where a ``GradScaler`` skips the step. What has to outlive the
    process is kept in the optimizer: its ``state_dict`` resumes the plan of the same objective.

    Args:
        objective: Whose penalties are applied.
        optimizer: Its steps are followed.
        model: Its weights are penalised.
        method: One for all penalties, or a dict by the names of their terms.
    """

    def __init__(
        self, objective: "Objective", optimizer: Any, model: nn.Module, method: str | Mapping[str, str]
    ) -> None:
        self._objective, self._optimizer, self._model = objective, unwrapped(optimizer), model
        if self._optimizer in _ATTACHED:
            raise ValueError("this optimizer already applies the penalties of a plan: plan.detach() it first.")
        methods = _by_term(method, objective.penalties)
        self._terms = [
            carried(name, penalty, methods[name], self._optimizer, model)
            for name, penalty in objective.penalties.items()
        ]
        for term in self._terms:
            if isinstance(term.penalty, Norm):
                at(term.penalty.coefficient, self.steps)  # a schedule that is wrong from the start, before it is used
        self._targets = Targets(self._terms, self._optimizer)
        self._gradients = Gradients([term for term in self._terms if term.method == "gradient"], self._optimizer)
        self._decays = self._decay_by_group()
        self._handles = [
            self._optimizer.register_step_pre_hook(self._before_step),
            self._optimizer.register_step_post_hook(self._after_step),
            # A checkpoint brings groups of its own, which may know nothing of a plan.
            self._optimizer.register_load_state_dict_post_hook(self._settle_groups),
        ]
        self._settle_groups()
        _ATTACHED.add(self._optimizer)

    @property
    def methods(self) -> dict[str, str]:
        """The method of each term by name."""
        return {term.name: term.method for term in self._terms}

    @property
    def steps(self) -> int:
        """Optimizer steps taken so far."""
        return int(self._optimizer.param_groups[0].get(STEPS, 0))

    def value(self, name: str) -> Tensor:
        """The value of a term, of the weights and the coefficient as they now are; with graph.

        Raises:
            ValueError: No penalty has this name.
        """
        term = next((term for term in self._terms if term.name == name), None)
        if term is None:
            raise ValueError(f"{name!r} is no penalty of this plan. {near(str(name), self.methods)}")
        return term.value(self._model, lambda: self.steps)

    def detach(self) -> None:
        """Undo the attachment: the penalties are part of the returned scalar again."""
        if self._objective._plan is not self:
            return
        for handle in self._handles:
            handle.remove()
        for group in self._optimizer.param_groups:
            group.pop(STEPS, None)
        self._lower_decay()
        self._targets.forget(self._optimizer)
        _ATTACHED.discard(self._optimizer)
        self._objective._plan = None

    def __str__(self) -> str:
        head = f"{self._objective.formula()}, attached to {type(self._optimizer).__name__}"
        return "\n".join([head, self._table(), *self._notes()])

    def _table(self) -> str:
        rows = [["term", "tensors", "method", "what is minimised", "cost per step"]]
        for term in self._terms:
            tensors = str(len(term.pieces)) if term.pieces else "-"
            rows.append([term.name, tensors, term.method, effect(term, self._optimizer), COSTS[term.method]])
        return aligned(rows + self._own_decay())

    def __repr__(self) -> str:
        return str(self)

    def _own_decay(self) -> list[list[str]]:
        """A row for the decay that the optimizer had before."""
        rows = []
        for group in self._optimizer.param_groups:
            own = group.get("weight_decay")
            if own:
                what = decay_effect(self._optimizer, group, own)
                rows.append(["(optimizer)", str(len(group["params"])), f"weight_decay={own:g}", what, "nothing"])
        return rows

    def _notes(self) -> list[str]:
        notes = []
        if any(term.method == "proximal" and makes_zeros(term.penalty) for term in self._terms):
            notes.append(
                "Trained by minibatches, a proximal step finds the minimum but not quite which weights are 0: "
                'method="dual_averaging", or plan.polish(loader) at the end, does.'
            )
        if any(
            group.get("weight_decay") and decay_is_decoupled(self._optimizer, group)
            for group in self._optimizer.param_groups
        ):
            notes.append(
                "The decoupled decay moves the weights away from that minimum: build the optimizer with weight_decay=0."
            )
        if any(piece.weight.dtype.itemsize < 4 for term in self._terms for piece in term.pieces):
            notes.append("Half-precision weights round away a shrinkage of less than 1/256: keep them in float32.")
        return notes

    def _settle_groups(self, *_: Any) -> None:
        """Give every group what the plan keeps in it."""
        for group in self._optimizer.param_groups:
            group.setdefault(STEPS, 0)
        self._lower_decay()

    def _decay_by_group(self) -> dict[int, float]:
        """The penalties that the ``weight_decay`` of groups carries, by the numbers of the groups."""
        terms = [term for term in self._terms if term.method == "weight_decay"]
        decays: dict[int, float] = {}
        for index, group in enumerate(self._optimizer.param_groups):
            held = {id(parameter) for parameter in group["params"]}
            mine = [term for term in terms if any(id(piece.weight) in held for piece in term.pieces)]
            if mine:
                decays[index] = sum(float(term.penalty.coefficient) for term in mine)
        return decays

    def _raise_decay(self) -> None:
        """Let groups decay by their penalties too.

        In the step alone: copies and checkpoints of the optimizer, and schedules of ``weight_decay``, see its own.
        """
        self._lower_decay()  # where the last step was broken off by an error
        for index, added in self._decays.items():
            group = self._optimizer.param_groups[index]
            group[OWN_DECAY] = group["weight_decay"]
            group["weight_decay"] = group["weight_decay"] + added

    def _lower_decay(self) -> None:
        for group in self._optimizer.param_groups:
            if OWN_DECAY in group:
                group["weight_decay"] = group.pop(OWN_DECAY)

    def _before_step(self, optimizer: Optimizer, args: Any, kwargs: Any) -> Any:
        self._raise_decay()
        if not self._gradients.any:
            return None
        closure: Callable[[], Any] | None = kwargs.get("closure") or next(iter(args[1:]), None)
        if closure is None:
            self._gradients.add(self.steps)
            return None

        def with_penalty() -> Any:
            value = closure()
            self._gradients.add(self.steps)
            return value

        return args[:1], {**kwargs, "closure": with_penalty}

    def _after_step(self, optimizer: Optimizer, *_: Any) -> None:
        self._lower_decay()
        if skipped(optimizer):
            return
        with torch.no_grad():
            self._targets.move(optimizer, self.steps)
        for group in optimizer.param_groups:
            group[STEPS] = group.get(STEPS, 0) + 1

    def polish(self, loader: Iterable[tuple[Any, Any]], steps: int = 50) -> float:
        """Take full-gradient proximal steps on all of the data, until the zeros are those of the minimum.

        Accelerated proximal gradient steps with a step size found by backtracking, restarted where the objective would
        rise; the optimizer's own state stays as it is.

        Args:
            loader: Batches (x, y_true) that cover the data, the same in every pass.
            steps: How many; each costs two passes over the loader, or a few more while the step size is found.

        Returns:
            The objective at the end.

        Raises:
            ValueError: An empty loader; fewer than 1 step; the plan is detached.
        """
        if self._objective._plan is not self:
            raise ValueError("this plan is detached, and its penalties are in the loss again: polish before detach().")
        from torchobjectives.penalties._polish import polish

        return polish(self._objective, self._model, loader, steps, self._terms, self._targets, self.steps)


def _by_term(method: str | Mapping[str, str], penalties: Mapping[str, Any]) -> dict[str, str]:
    if not penalties:
        raise ValueError("this objective has no penalties to attach.")
    if isinstance(method, str):
        return dict.fromkeys(penalties, method)
    if not isinstance(method, Mapping):
        raise TypeError(f"method must be one of {', '.join(map(repr, METHODS))}, or a dict by term, got {method!r}")
    for name in method:
        if name not in penalties:
            raise ValueError(
                f"method has the unknown term {name!r}; the penalties are {', '.join(map(repr, penalties))}."
            )
    return {name: method.get(name, "auto") for name in penalties}
