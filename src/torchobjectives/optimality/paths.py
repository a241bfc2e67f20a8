"""Regularization paths: the solutions of an objective from a strong penalty to a weak one."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple, final

import torch
from torch import Tensor, nn

from torchobjectives._validate import in_range, number, positive, whole
from torchobjectives.objective import BoundObjective, Objective
from torchobjectives.optimality._pictures import pictures
from torchobjectives.optimality._problem import Losses, Problem, plain, unchanged, undisturbed
from torchobjectives.optimality._solver import measured, solve
from torchobjectives.optimality._table import Table
from torchobjectives.optimality.largest import chosen_term, start_at_zero
from torchobjectives.penalties._data import Smooth
from torchobjectives.penalties._methods import pieces_of
from torchobjectives.penalties._norm import Piece

__all__ = ["RegularizationPath", "regularization_path"]


@final
@dataclass(frozen=True, eq=False, repr=False)
class RegularizationPath:
    """The solutions of :func:`regularization_path`, one per coefficient; printed, it is a table."""

    term: str
    """The name of the penalty's term."""
    lambdas: Tensor
    """The coefficients, (L,), in the order in which they were solved."""
    coefficients: Tensor
    """All penalised weights of each solution, (L, P): flat, tensor after tensor."""
    nonzeros: Tensor
    """How many of them are not 0 (or not at their anchor), (L,)."""
    objective: Tensor
    """The objective on the data, (L,)."""
    stationarity: Tensor
    """The distance of each solution from stationarity, (L,): what says that it was reached."""
    validation: Tensor | None
    """The losses, without penalties, on the validation data, (L,); None without such data."""
    _states: list[dict[str, Tensor]] = field(default_factory=list)

    @property
    def best(self) -> int:
        """The index of the least validation loss; of equals the first, which has the strongest penalty on a path down.

        Raises:
            ValueError: there were no validation data.
        """
        if self.validation is None:
            raise ValueError("there is no best solution without validation data: regularization_path(validation=…)")
        return int(self.validation.nan_to_num(nan=torch.inf).argmin())

    def restore(self, model: nn.Module, index: int | None = None) -> None:
        """Put a solution into the model.

        Args:
            model: The model of the path, or one with the same parameters.
            index: Which solution; None for :attr:`best`.

        Raises:
            ValueError: the model has other parameters; no index and no validation data.
        """
        state = self._states[self.best if index is None else index]
        parameters = dict(model.named_parameters())
        if any(name not in parameters or parameters[name].shape != value.shape for name, value in state.items()):
            raise ValueError(f"{type(model).__name__} has other parameters than the model of this path.")
        with torch.no_grad():
            for name, value in state.items():
                parameters[name].copy_(value)

    def table(self) -> Table:
        """A row for each coefficient: a list of dicts, which polars and pandas take as it is."""
        columns: dict[str, Tensor] = {
            "lambda": self.lambdas,
            "nonzeros": self.nonzeros,
            "objective": self.objective,
            "stationarity": self.stationarity,
        }
        if self.validation is not None:
            columns["validation"] = self.validation
        lists = {name: column.tolist() for name, column in columns.items()}
        return Table(dict(zip(lists, row, strict=True)) for row in zip(*lists.values(), strict=True))

    def plot(self, path: str | Path | None = None, *, names: Sequence[str] | None = None) -> Any:
        """Draw the weights, how many are not 0, and the validation loss, against the coefficient.

        Args:
            path: A png, svg or pdf file to write.
            names: Of the weights, for the legend of the largest few: P of them.

        Returns:
            A matplotlib figure.

        Raises:
            ImportError: matplotlib is missing; it comes with the extra ``workbench``.
            ValueError: as many names as there are no weights.
        """
        if names is not None and len(names) != self.coefficients.shape[1]:
            raise ValueError(f"names has {len(names)} entries for {self.coefficients.shape[1]} penalised weights.")
        return pictures().path(self, None if names is None else list(names), path)

    def __str__(self) -> str:
        return str(self.table())

    def __repr__(self) -> str:
        least, most = (float(end) for end in (self.lambdas.min(), self.lambdas.max()))
        return f"<RegularizationPath of {self.term!r}: {len(self.lambdas)} solutions from {most:.4g} to {least:.4g}>"


def regularization_path(
    objective: Objective | BoundObjective,
    model: nn.Module,
    loader: Iterable[Any],
    *,
    term: str | None = None,
    lambdas: Sequence[float] | None = None,
    num: int = 20,
    ratio: float = 1e-2,
    validation: Iterable[Any] | None = None,
    tolerance: float = 1e-8,
    rounds: int = 30,
    progress: Callable[[int, int], object] | None = None,
) -> RegularizationPath:
    """Minimise an objective for one coefficient after another, each from the last solution.

    Without ``lambdas`` it starts where all penalised weights are 0, at :func:`lambda_max`, and goes down in equal
    ratios. Each solution is found by proximal steps over all of the data, which set weights to exactly 0, in turn with
    a quasi-Newton method for those that are not; ``stationarity`` of the result says how well. Evaluation mode: no
    dropout, and batch norm by its running statistics. The model is afterwards what it was: ``restore`` loads a
    solution.

    In a network, the solutions are critical points that depend on the way, and the way is the other one: ``lambdas``
    from small to large shut off one input after another of a trained model. Give the layers that are not penalised an
    L2: otherwise they grow as the penalised one shrinks, and there is no minimum.

    Args:
        objective: The objective, attached or not; the coefficient of the penalty itself does not matter.
        model: Where the other parameters start.
        loader: Batches (x, y_true) that cover the data, the same in every pass; one batch with all rows is fastest.
        term: The name of the penalty's term, where more than one penalty makes zeros.
        lambdas: The coefficients, solved in this order, from the model as it is; instead of ``num`` and ``ratio``.
        num: How many coefficients, at least 2.
        ratio: The last over the first, in (0, 1).
        validation: Batches (x, y_true) of other rows, on which every solution's losses are taken.
        tolerance: The stationarity to reach, as a share of the first coefficient (of the largest of ``lambdas``).
        rounds: Most rounds per coefficient, each of 20 proximal and at most 30 quasi-Newton steps.
        progress: Called after each solution: with how many there are, and how many there will be.

    Returns:
        The path: ``lambdas``, ``coefficients``, ``nonzeros``, ``objective``, ``validation``, ``stationarity``;
        ``best``, ``restore``, ``table``, ``plot``.

    Raises:
        ValueError: As :func:`lambda_max`; numbers out of range; an empty loader.
        TypeError: What is no objective; a ``progress`` that cannot be called.

    Example:
        >>> from torchobjectives import L1, MSELoss, Objective
        >>> _ = torch.manual_seed(0)
        >>> x = torch.randn(100, 4, dtype=torch.float64)
        >>> y_true = x[:, :1] * 3 - x[:, 1:2]
        >>> objective = Objective(MSELoss(), penalties=[L1(0.0)])
        >>> path = regularization_path(objective, nn.Linear(4, 1).double(), [(x, y_true)], num=4, ratio=0.1)
        >>> path.nonzeros
        tensor([0, 1, 2, 2])

    Source: Friedman, Hastie and Tibshirani, Regularization paths for generalized linear models (2010).

    Elsewhere: scikit-learn's ``lasso_path`` for linear models by coordinate descent; LassoNet's path starts dense, and
    under momentum solves other coefficients than it reports.
    """
    objective = plain(objective)
    name = chosen_term(objective, term)
    whole(rounds=rounds, low=1)
    whole(num=num, low=2)
    positive(tolerance=tolerance)
    in_range(low=0, high=1, open_low=True, open_high=True)(ratio=ratio)
    wanted = None if lambdas is None else _checked(lambdas)
    if progress is not None and not callable(progress):
        raise TypeError(f"progress is {progress!r}, wanted a function of two counts, or None.")
    with undisturbed(objective, model), unchanged(model):
        if wanted is None:
            largest = start_at_zero(objective, model, loader, name, 1e-9, rounds)
            wanted = [largest * ratio ** (i / (num - 1)) for i in range(num)]
        pieces = pieces_of(objective.penalties[name], model)
        score = None if validation is None else Smooth(Losses(objective), model, validation, [], 0)
        solutions = []
        for place, coefficient in enumerate(wanted):
            problem = Problem(objective, model, loader, {name: coefficient})
            # At lambda_max the solution is there already; rounding would let the first weight in.
            known = lambdas is None and place == 0
            solved = measured(problem) if known else solve(problem, tolerance * max(wanted), rounds)
            solutions.append(_solution(model, pieces, *solved, None if score is None else score.value()))
            if progress is not None:
                progress(place + 1, len(wanted))
    return _gathered(name, wanted, solutions)


class _Solution(NamedTuple):
    objective: float
    stationarity: float
    validation: float | None
    weights: Tensor
    nonzeros: int
    state: dict[str, Tensor]


def _solution(
    model: nn.Module, pieces: list[Piece], objective: float, stationarity: float, validation: float | None
) -> _Solution:
    weights = torch.cat([piece.weight.detach().flatten().cpu() for piece in pieces])
    nonzeros = sum(int((piece.weight.detach() != _rest(piece)).sum()) for piece in pieces)
    state = {name: value.detach().clone() for name, value in model.named_parameters() if value.requires_grad}
    return _Solution(objective, stationarity, validation, weights, nonzeros, state)


def _rest(piece: Piece) -> Tensor | float:
    return 0.0 if piece.anchor is None else piece.anchor


def _gathered(name: str, lambdas: list[float], solutions: list[_Solution]) -> RegularizationPath:
    def column(values: list[Any]) -> Tensor:
        return torch.tensor(values, dtype=torch.float64)

    scores = [solution.validation for solution in solutions]
    return RegularizationPath(
        term=name,
        lambdas=column(lambdas),
        coefficients=torch.stack([solution.weights for solution in solutions]),
        nonzeros=torch.tensor([solution.nonzeros for solution in solutions]),
        objective=column([solution.objective for solution in solutions]),
        stationarity=column([solution.stationarity for solution in solutions]),
        validation=None if None in scores else column(scores),
        _states=[solution.state for solution in solutions],
    )


def _checked(lambdas: Sequence[float]) -> list[float]:
    values = [number("lambdas", float(value), low=0.0) for value in lambdas]
    if not values or not max(values):
        raise ValueError(f"lambdas is {list(lambdas)!r}, wanted at least one coefficient above 0.")
    return values
