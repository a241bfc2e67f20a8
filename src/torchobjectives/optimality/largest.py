"""The coefficient from which on everything that a penalty speaks of is zero."""

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from torchobjectives._validate import near, positive, whole
from torchobjectives.objective import BoundObjective, Objective
from torchobjectives.optimality._distance import distance
from torchobjectives.optimality._problem import Problem, plain, unchanged, undisturbed
from torchobjectives.optimality._solver import solve
from torchobjectives.penalties._anchors import restore_
from torchobjectives.penalties._methods import makes_zeros, pieces_of
from torchobjectives.penalties._norm import Piece

__all__ = ["lambda_max"]


class VanishedError(ValueError):
    """There is no slope where a path would begin."""


# Gradients below so many times what is left of the other parameters' are rounding.
NOISE = 100.0


def lambda_max(
    objective: Objective | BoundObjective,
    model: nn.Module,
    loader: Iterable[Any],
    *,
    term: str | None = None,
    tolerance: float = 1e-9,
    rounds: int = 50,
) -> float:
    r"""The smallest coefficient of a penalty at which all weights that it speaks of are 0.

    .. math:: \lambda_{max} = R^\circ \big( \nabla f(w_0) \big)

    w₀ has 0 (or the anchor) for every weight that the penalty speaks of, and the other parameters at their minimum;
    R° is the dual norm: for L1 the largest \|g\|, for GroupLasso the largest ‖g‖ of a group over √\|g\|. A search for a
    useful coefficient starts here and goes down.

    For a convex objective that is the whole truth. In a network it is where w₀ becomes stationary, with the other
    layers as they are found from the model's present ones; and where those are penalised too, nothing passes through
    zeros and there is no gradient at w₀ at all, which is an error. Evaluation mode; nothing of the model changes.

    Args:
        objective: The objective, attached or not. The coefficient of the penalty itself does not matter.
        model: Its other parameters are fitted, from where they are.
        loader: Batches (x, y_true) that cover the data, the same in every pass; one batch with all rows is fastest.
        term: The name of the penalty's term, where more than one penalty makes zeros.
        tolerance: How near the other parameters come to their minimum, as a stationarity.
        rounds: Most rounds of 20 proximal and 30 quasi-Newton steps for them.

    Raises:
        ValueError: No penalty that makes zeros, or several and no ``term``; a gradient that vanishes at w₀.
        TypeError: What is no objective.

    Example:
        >>> from torchobjectives import L1, MSELoss, Objective
        >>> x = torch.tensor([[1.0, 0.0], [-1.0, 0.0], [0.0, 2.0], [0.0, -2.0]])
        >>> y_true = torch.tensor([[2.0], [0.0], [3.0], [-1.0]])
        >>> objective = Objective(MSELoss(), penalties=[L1(0.1)])
        >>> round(lambda_max(objective, nn.Linear(2, 1), [(x, y_true)]), 4)  # max |xᵀ(y − mean y)|·2/4
        4.0

    Source: Friedman, Hastie and Tibshirani, Regularization paths for generalized linear models (2010), §2.5.

    Elsewhere: scikit-learn's ``alpha_max`` and glmnet's largest λ for linear models are the same number.
    """
    objective = plain(objective)
    positive(tolerance=tolerance)
    whole(rounds=rounds, low=1)
    name = chosen_term(objective, term)
    with undisturbed(objective, model), unchanged(model):
        return start_at_zero(objective, model, loader, name, tolerance, rounds)


def chosen_term(objective: Objective, term: str | None) -> str:
    """The name of the penalty whose coefficient is meant.

    Raises:
        ValueError: there is none that makes zeros, or more than one.
    """
    able = [
        name
        for name, penalty in objective.penalties.items()
        if makes_zeros(penalty) and hasattr(penalty, "coefficient")
    ]
    if term is not None and term not in able:
        raise ValueError(f"term {term!r} is no penalty that makes zeros. {near(term, able)}")
    if not able:
        raise ValueError(
            f"{objective} has no penalty that makes weights 0: add L1, ElasticNet, GroupLasso, or one of your own with "
            "a coefficient and prox(weight, step)."
        )
    if term is None and len(able) > 1:
        raise ValueError(
            f"several penalties make zeros: name the one that is meant, term={' or '.join(map(repr, able))}."
        )
    return able[0] if term is None else term


def start_at_zero(
    objective: Objective, model: nn.Module, loader: Iterable[Any], name: str, tolerance: float, rounds: int
) -> float:
    """Set what a penalty speaks of to its anchors, fit the rest, and return the largest coefficient."""
    pieces = pieces_of(objective.penalties[name], model)
    if not pieces:
        raise ValueError(f"{objective.penalties[name]!r} has nothing to penalise: every tensor it selects is frozen.")
    with torch.no_grad():
        for piece in pieces:
            piece.weight.copy_(restore_(torch.zeros_like(piece.weight), piece.anchor))
    left = 0.0
    with _frozen(pieces):
        others = Problem(objective, model, loader, {name: 0.0})
        if others.parameters:
            left = solve(others, tolerance, rounds).stationarity
    problem = Problem(objective, model, loader, {name: 0.0})
    value, gradients = problem.smooth_slope()
    slopes = [gradient for gradient, pull in zip(gradients, problem.pulls, strict=True) if _among(pull.weight, pieces)]
    if not all(bool(torch.isfinite(gradient).all()) for gradient in slopes):
        raise ValueError(
            f"where all that {name!r} speaks of is 0, its gradient is not finite: x or y_true holds NaN, infinite or "
            "very large numbers."
        )
    steepest = max(float(gradient.abs().max()) for gradient in slopes if gradient.numel())
    if steepest <= NOISE * (left + torch.finfo(slopes[0].dtype).eps * abs(value)):
        raise VanishedError(
            f"where all that {name!r} speaks of is 0, its gradient vanishes: y_true does not depend on x, or a network "
            "passes nothing on. The path of a network goes from small to large, from the trained model on: "
            "regularization_path(lambdas=[0.001, 0.01, …]), with L2 on the layers that are not penalised."
        )
    return _smallest(objective, model, loader, name, gradients, pieces)


@contextmanager
def _frozen(pieces: list[Piece]) -> Iterator[None]:
    for piece in pieces:
        piece.weight.requires_grad_(False)
    try:
        yield
    finally:
        for piece in pieces:
            piece.weight.requires_grad_(True)


def _among(weight: Tensor, pieces: list[Piece]) -> bool:
    return any(weight is piece.weight for piece in pieces)


def _smallest(
    objective: Objective,
    model: nn.Module,
    loader: Iterable[Any],
    name: str,
    gradients: list[Tensor],
    pieces: list[Piece],
) -> float:
    """By bisection the smallest coefficient whose subdifferential balances these gradients.

    One rule for every penalty, mixtures and one's own too: stationarity only ever asks for more of it.
    """

    def balanced(coefficient: float) -> bool:
        pulls = Problem(objective, model, loader, {name: coefficient}).pulls
        pairs = zip(pulls, gradients, strict=True)
        return all(distance(pull, slope) == 0 for pull, slope in pairs if _among(pull.weight, pieces))

    low, high = 0.0, 1.0
    if balanced(low):
        return low
    while not balanced(high):
        low, high = high, 2 * high
        if high > sys.float_info.max / 4:
            raise ValueError(f"no coefficient of {name!r} makes all its weights 0.")
    while low < (middle := (low + high) / 2) < high:
        low, high = (low, middle) if balanced(middle) else (middle, high)
    return high
