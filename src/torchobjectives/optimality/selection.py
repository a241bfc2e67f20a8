"""Feature selection by how often a feature is chosen when the data are resampled."""

import copy
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, final

import torch
from torch import Tensor, nn

from torchobjectives._validate import flag, in_range, integer, whole
from torchobjectives.objective import BoundObjective, Objective
from torchobjectives.optimality._features import checked, first_layer, linear, module, named, standardized
from torchobjectives.optimality._fit import Fit
from torchobjectives.optimality._pictures import pictures
from torchobjectives.optimality._problem import plain, undisturbed
from torchobjectives.optimality._table import Table
from torchobjectives.params._roles import Entry
from torchobjectives.penalties._layout import layout
from torchobjectives.penalties.groups import GroupLasso
from torchobjectives.penalties.norms import L1

__all__ = ["FeatureSelection", "select_features"]


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
        x: The features, (N, P): a tensor, an array, or a data frame.
        y_true: The truth as the loss takes it, N rows.
        loss: A loss, to which GroupLasso on the first layer's inputs is added (L1 where it has one output); or an
            Objective with a penalty that makes zeros.
        model: What is fitted, each time from its present weights; copied, in evaluation mode. By default a linear
            layer in float64, with as many outputs as y_true has columns, or classes for a loss of classes.
        names: Of the features; by default the columns of a data frame, else ``x0``, ``x1`` ….
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
        TypeError: What is no loss or no module; text among the features.

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
    names = getattr(x, "columns", None) if names is None else names
    x, y_true = checked(x, y_true)
    names = named(names, x.shape[1])
    x = standardized(x) if standardize else x
    model = linear(x, y_true, loss) if model is None else copy.deepcopy(module(model))
    first = first_layer(model, x.shape[1])
    x = x.to(first.parameter)
    y_true = y_true.to(first.parameter) if y_true.is_floating_point() else y_true
    objective = _objective(loss, first)
    with undisturbed(objective, model):
        fit = Fit(objective, model, first, _count(per_resample, x.shape[1], loss))
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


def _halves(rows: int, resamples: int, seed: int) -> Iterator[Tensor]:
    """Random halves of the rows, each followed by its complement."""
    generator = torch.Generator().manual_seed(seed)
    for _ in range(resamples // 2):
        shuffled = torch.randperm(rows, generator=generator)
        yield shuffled[: rows // 2]
        yield shuffled[rows // 2 : rows // 2 * 2]


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
