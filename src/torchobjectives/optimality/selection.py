"""Feature selection by how often a feature is chosen when the data are resampled."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from torchobjectives._loss import Loss
from torchobjectives._validate import flag, in_range, integer, whole
from torchobjectives.objective import BoundObjective, Objective
from torchobjectives.optimality._pictures import pictures
from torchobjectives.optimality._problem import Problem, plain, undisturbed
from torchobjectives.optimality._solver import solve
from torchobjectives.optimality._table import Table
from torchobjectives.optimality.largest import chosen_term, start_at_zero
from torchobjectives.params._roles import Entry, inventory
from torchobjectives.penalties._layout import layout
from torchobjectives.penalties.groups import GroupLasso
from torchobjectives.penalties.norms import L1

__all__ = ["FeatureSelection", "select_features"]

# The search for a coefficient goes down from lambda_max in this ratio, at most so far.
DOWN, LEAST = 0.85, 1e-3
# As a share of the coefficient: which weights are 0 is settled long before their values.
TOLERANCE, ROUNDS = 1e-4, 20


@final
@dataclass(frozen=True, eq=False, repr=False)
class FeatureSelection:
    """What :func:`select_features` found, in the manner of scikit-learn; printed, it is a table."""

    support_: Tensor
    """Which features are selected: booleans, (P,)."""
    frequencies_: Tensor
    """In which share of the resamples each feature was chosen, (P,)."""
    ranking_: Tensor
    """The rank of each feature, (P,): 1 is the one chosen most often; of equals, the one with the larger weight."""
    weights_: Tensor
    """The length of each feature's weights, fitted to all rows: of the standardised feature, unless asked not to."""
    coefficient_: float
    """The coefficient of the penalty on all rows."""
    chosen_per_resample_: float
    """How many features a resample chose on average."""
    threshold: float
    names: tuple[str, ...]

    @property
    def expected_false_(self) -> float:
        """A bound for the expected number of features selected by mistake: q²/((2·threshold − 1)·P)."""
        return self.chosen_per_resample_**2 / ((2 * self.threshold - 1) * len(self.names))

    def table(self) -> Table:
        """A row for each feature, the best first: a list of dicts, which polars and pandas take as it is."""
        return Table(
            {
                "rank": int(self.ranking_[i]),
                "feature": self.names[i],
                "frequency": float(self.frequencies_[i]),
                "weight": float(self.weights_[i]),
                "selected": bool(self.support_[i]),
            }
            for i in self.ranking_.argsort().tolist()
        )

    def plot(self, path: str | Path | None = None) -> Any:
        """Draw the frequency of each feature, and the threshold.

        Args:
            path: A png, svg or pdf file to write.

        Returns:
            A matplotlib figure.

        Raises:
            ImportError: matplotlib is missing; it comes with the extra ``workbench``.
        """
        return pictures().selection(self, path)

    def __str__(self) -> str:
        return str(self.table())

    def __repr__(self) -> str:
        return f"<FeatureSelection: {int(self.support_.sum())} of {len(self.names)} features>"


def select_features(
    x: Any,
    y_true: Any,
    loss: Any,
    *,
    model: nn.Module | None = None,
    names: Sequence[str] | None = None,
    per_resample: int | None = None,
    threshold: float = 0.6,
    resamples: int = 100,
    standardize: bool = True,
    seed: int = 0,
) -> FeatureSelection:
    r"""Select features by stability: those that a sparse fit chooses on most halves of the data.

    .. math:: \hat S = \{ k : \tfrac{1}{B} \sum_b [\, w^{(b)}_k \ne 0 \,] \ge \pi \}

    On each of B random halves of the rows the objective is minimised, with a penalty that shuts off inputs of the first
    layer; a feature is chosen where its weights are not all exactly 0. Halves come in pairs that complement each other.
    Of features that say the same, a single fit keeps any one: the frequency shows it. With q features chosen per half,
    at most q²/((2π − 1)·P) of those selected are there by mistake, in expectation: ``expected_false_`` of the result.

    For a network of your own, give an Objective with L2 on its other layers too: otherwise these grow as the first one
    shrinks, and nothing is shut off.

    Args:
        x: The features, (N, P): a tensor, or an array.
        y_true: The truth as the loss takes it, N rows.
        loss: A loss, to which GroupLasso on the first layer's inputs is added (L1 where it has one output); or an
            Objective with a penalty that makes zeros.
        model: What is fitted, each time from its present weights; copied, in evaluation mode. By default a linear
            layer in float64, with as many outputs as y_true has columns, or classes for a loss of classes.
        names: Of the features; by default ``x0``, ``x1`` ….
        per_resample: The strength of the penalty, said as how many features it may leave, in each half by a coefficient
            of its own. By default √(0.8·P) for a loss; the coefficient of an Objective is left as it is.
        threshold: π in (0.5, 1].
        resamples: B, an even number.
        standardize: Whether every feature is first given mean 0 and standard deviation 1: a penalty on weights
            depends on the units of features.
        seed: Of the halves; the same seed gives the same result.

    Returns:
        ``support_``, ``frequencies_``, ``ranking_``, ``weights_``, ``table()``, ``plot()``.

    Raises:
        ValueError: Wrong shapes; NaN or infinite features; fewer than 4 rows or 2 features; numbers out of range; a
            model whose first layer does not take P features; an Objective without a penalty that makes zeros.
        TypeError: What is no loss or no module.

    Example:
        >>> from torchobjectives import MSELoss
        >>> _ = torch.manual_seed(0)
        >>> x = torch.randn(200, 5)
        >>> y_true = 2 * x[:, 0] - x[:, 3] + 0.5 * torch.randn(200)
        >>> select_features(x, y_true, MSELoss(), resamples=20).support_
        tensor([ True, False, False,  True, False])

    Source: Meinshausen and Bühlmann, Stability selection (2010), theorem 1; pairs after Shah and Samworth, Variable
    selection with error control (2013).

    Elsewhere: scikit-learn had a randomized lasso until 0.21; its ``SelectFromModel`` fits once.
    """
    in_range(low=0.5, high=1, open_low=True)(threshold=threshold)
    whole(resamples=resamples, low=2)
    integer(seed=seed)
    flag(standardize=standardize)
    if resamples % 2:
        raise ValueError(f"resamples is {resamples}, wanted an even number: halves come in pairs.")
    x, y_true = _checked(x, y_true)
    names = _names(names, x.shape[1])
    x = _standardized(x) if standardize else x
    model = _linear(x, y_true, loss) if model is None else copy.deepcopy(_module(model))
    first = _first_layer(model, x.shape[1])
    x = x.to(first.parameter)
    y_true = y_true.to(first.parameter) if y_true.is_floating_point() else y_true
    objective = _objective(loss, first)
    with undisturbed(objective, model):
        fit = _Fit(objective, model, first, _count(per_resample, x.shape[1], loss))
        weights = fit.all_rows(x, y_true)
        halves = _halves(len(x), resamples, seed)
        chosen = torch.stack([fit.rows(x[rows], y_true[rows]) > 0 for rows in halves])
    frequencies = chosen.double().mean(0)
    # From the last key to the first: sorting is stable.
    order = weights.argsort(descending=True, stable=True)
    order = order[frequencies[order].argsort(descending=True, stable=True)]
    return FeatureSelection(
        support_=frequencies >= threshold,
        frequencies_=frequencies,
        ranking_=order.argsort() + 1,
        weights_=weights,
        coefficient_=fit.least,
        chosen_per_resample_=float(chosen.sum(1).double().mean()),
        threshold=threshold,
        names=names,
    )


class _Fit:
    """Fits of one model, at the least coefficient that leaves no more features than a count.

    The least: where a feature has only just come in, it is chance that chooses it.
    """

    def __init__(self, objective: Objective, model: nn.Module, first: Entry, count: int | None) -> None:
        self._objective, self._model, self._first, self._count = objective, model, first, count
        self._term = chosen_term(objective, None)
        self._start = self._weights()
        # The coefficient on all rows, and that at which a search for it gives up.
        self.least = self._floor = 0.0

    def all_rows(self, x: Tensor, y_true: Any) -> Tensor:
        """The length of each feature's weights; other fits start from here."""
        if self._count is None:
            self.least = self._own_coefficient()
            lengths = self._lengths_at([(x, y_true)], self.least)
        else:
            largest = start_at_zero(self._objective, self._model, [(x, y_true)], self._term, 1e-9, ROUNDS)
            self._floor = LEAST * largest
            self.least, lengths = self._down([(x, y_true)], largest, self._count)
        self._start = self._weights()
        return lengths

    def rows(self, x: Tensor, y_true: Any) -> Tensor:
        """The same for some of the rows; their own coefficient is searched from that of all rows."""
        self._put(self._start)
        data = [(x, y_true)]
        lengths = self._lengths_at(data, self.least)
        if self._count is None:
            return lengths
        if _features(lengths) <= self._count:
            return self._down(data, self.least, self._count)[1]
        coefficient = self.least
        while _features(lengths) > self._count:
            coefficient /= DOWN
            lengths = self._lengths_at(data, coefficient)
        return lengths

    def _down(self, data: list[tuple[Tensor, Any]], coefficient: float, count: int) -> tuple[float, Tensor]:
        """From a coefficient that leaves few enough to the least that does."""
        lengths, weights = self._lengths(), self._weights()
        while coefficient > self._floor:
            more = self._lengths_at(data, DOWN * coefficient)
            if _features(more) > count:
                self._put(weights)
                break
            coefficient, lengths, weights = DOWN * coefficient, more, self._weights()
        return coefficient, lengths

    def _own_coefficient(self) -> float:
        own = self._objective.penalties[self._term].coefficient
        if callable(own):
            raise ValueError(f"{self._term!r} has a schedule: give one number, or per_resample=.")
        return float(own)

    def _lengths_at(self, data: list[tuple[Tensor, Any]], coefficient: float) -> Tensor:
        problem = Problem(self._objective, self._model, data, {self._term: coefficient})
        solve(problem, TOLERANCE * coefficient, ROUNDS)
        return self._lengths()

    def _lengths(self) -> Tensor:
        inputs = layout(self._first, "input")(self._first.parameter.detach()).view
        return inputs.flatten(1).double().square().sum(1).sqrt().cpu()

    def _weights(self) -> list[Tensor]:
        return [parameter.detach().clone() for parameter in self._model.parameters()]

    def _put(self, weights: list[Tensor]) -> None:
        with torch.no_grad():
            for parameter, value in zip(self._model.parameters(), weights, strict=True):
                parameter.copy_(value)


def _features(lengths: Tensor) -> int:
    return int((lengths > 0).sum())


def _halves(rows: int, resamples: int, seed: int) -> Iterator[Tensor]:
    """Random halves of the rows, each followed by its complement."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(resamples // 2):
        shuffled = torch.randperm(rows, generator=generator)
        yield shuffled[: rows // 2]
        yield shuffled[rows // 2 : rows // 2 * 2]


def _checked(x: Any, y_true: Any) -> tuple[Tensor, Tensor]:
    x, y_true = torch.as_tensor(x), torch.as_tensor(y_true)
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
    return x, y_true


def _names(names: Sequence[str] | None, features: int) -> tuple[str, ...]:
    if names is None:
        return tuple(f"x{i}" for i in range(features))
    if len(names) != features:
        raise ValueError(f"names has {len(names)} entries for {features} features.")
    return tuple(map(str, names))


def _standardized(x: Tensor) -> Tensor:
    centred = x - x.mean(0)
    scale = centred.square().mean(0).sqrt()
    # Rounding leaves something of a constant feature: it stays next to 0.
    constant = scale <= 8 * torch.finfo(x.dtype).eps * x.abs().amax(0)
    return centred / torch.where(constant, 1.0, scale)


def _module(model: object) -> nn.Module:
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, which is copied, got {type(model).__name__}")
    return model


def _linear(x: Tensor, y_true: Tensor, loss: Any) -> nn.Module:
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
    classes = None if y_true.is_floating_point() or y_true.ndim > 1 else int(y_true.max()) + 1
    if isinstance(loss, Objective | BoundObjective):
        losses = list(plain(loss).losses.values())
        if len(losses) > 1:
            raise ValueError("an objective of several losses needs model=, which gives y_pred by their names.")
        loss = losses[0]
    if isinstance(loss, Loss) and type(loss).spec.task != "custom":
        return loss.num_outputs(classes)
    return 1 if classes is None else classes


def _first_layer(model: nn.Module, features: int) -> Entry:
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


def _objective(loss: Any, first: Entry) -> Objective:
    if isinstance(loss, Objective | BoundObjective):
        return plain(loss)
    single = layout(first, "input")(first.parameter).members == 1
    return Objective(loss, penalties=[L1(0.0, on=first.name) if single else GroupLasso(0.0, on=first.name)])


def _count(per_resample: int | None, features: int, loss: Any) -> int | None:
    """How many features a fit should leave; None: the coefficient is given."""
    if per_resample is not None:
        whole(per_resample=per_resample, low=1)
        if per_resample >= features:
            raise ValueError(f"per_resample is {per_resample}, wanted fewer than the {features} features.")
        return per_resample
    return None if isinstance(loss, Objective | BoundObjective) else max(1, round((0.8 * features) ** 0.5))
