"""Whether a point is optimal: the distance of the gradient to what penalties with kinks can balance."""

from collections.abc import Iterable, Mapping
from typing import Any, final

from torch import nn

from torchobjectives.objective import BoundObjective, Objective
from torchobjectives.optimality._distance import distances, largest
from torchobjectives.optimality._problem import Problem, plain, undisturbed
from torchobjectives.optimality._table import Table

__all__ = ["Stationarity", "stationarity"]


@final
class Stationarity(float):
    """A number, 0 at an optimum, that also knows which parameter it comes from; printed, it is a table.

    Args:
        by_parameter: The largest distance in each parameter, by name.
    """

    def __new__(cls, by_parameter: Mapping[str, float]) -> "Stationarity":  # noqa: D102
        return super().__new__(cls, largest(dict(by_parameter)))

    def __init__(self, by_parameter: Mapping[str, float]) -> None:
        self.by_parameter: dict[str, float] = dict(by_parameter)

    @property
    def value(self) -> float:
        """The plain number."""
        return float(self)

    def table(self) -> Table:
        """A row for each parameter, the farthest first."""
        ordered = sorted(self.by_parameter.items(), key=lambda item: -item[1])
        return Table({"distance": distance, "parameter": name} for name, distance in ordered)

    def __str__(self) -> str:
        return f"stationarity {float(self):.3g}\n{self.table()}"

    def __repr__(self) -> str:
        return f"Stationarity({float(self)!r})"

    def __reduce__(self) -> Any:
        return Stationarity, (self.by_parameter,)


def stationarity(objective: Objective | BoundObjective, model: nn.Module, loader: Iterable[Any]) -> Stationarity:
    r"""How far a model is from a minimum of an objective: 0 at one, and only at a stationary point.

    .. math:: \max_g \operatorname{dist}_2 \big( -\nabla f(w)_g,\; \partial R(w)_g \big)

    f is the mean of the losses over all rows, plus what is smooth (L2, and a penalty of one's own that has a ``value``
    alone); R has the kinks. At a weight of exactly 0 L1 balances any slope up to λ, so that the distance there is
    max(\|g\| − λ, 0); elsewhere the sign is fixed, and it is \|g + λ·sign w\|. For GroupLasso it is the length of the
    same over a group; for both on one tensor, of what their sum leaves. Without a penalty it is \|g\|. For a penalty of
    one's own with ``prox`` it is \|w − prox(w − g, 1)\|, 0 at the same points.

    For a convex objective 0 means the minimum, for a network a critical point. It is computed in evaluation mode:
    dropout is off, and batch norm uses its running statistics. Nothing changes: gradients, buffers, modes and random
    numbers are what they were. Where the objective is attached to an optimizer, schedules are at its step. An
    optimizer's own ``weight_decay`` that is no penalty of the objective does not count.

    Args:
        objective: The objective, attached or not.
        model: Its trainable parameters are looked at; what a loss learns itself is not.
        loader: Batches (x, y_true) that cover the data; each counts by its rows.

    Returns:
        A float that also has ``by_parameter`` and ``table()``.

    Raises:
        ValueError: An empty loader, a schedule without an optimizer, terms on one tensor whose sum has no known
            subdifferential.
        TypeError: What is no objective.

    Example:
        >>> import torch
        >>> from torchobjectives import L1, MSELoss, Objective
        >>> x, y_true = torch.eye(2), torch.tensor([[3.0], [1.0]])
        >>> model = nn.Linear(2, 1, bias=False)
        >>> objective = Objective(MSELoss(), penalties=[L1(1.0)])
        >>> _ = model.weight.data.copy_(torch.tensor([[2.0, 0.0]]))  # the minimum: each shrunk by 1, here to 0
        >>> stationarity(objective, model, [(x, y_true)])
        Stationarity(0.0)
        >>> _ = model.weight.data.copy_(torch.tensor([[2.0, 0.5]]))
        >>> print(stationarity(objective, model, [(x, y_true)]))
        stationarity 0.5
        distance  parameter
             0.5  weight

    Elsewhere: scikit-learn and celer stop by the duality gap, which convex problems have; skglm by this distance.
    """
    objective = plain(objective)
    with undisturbed(objective, model):
        return Stationarity(distances(Problem(objective, model, loader)))
