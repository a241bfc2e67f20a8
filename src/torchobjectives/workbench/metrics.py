"""Metrics on held-out rows, each with a bootstrap interval.

The numbers are scikit-learn's; the tests compare them. Each metric is prepared once from the truth and the
predictions, and then evaluated for weights of the rows: a resample is a weight per row, how often it was drawn. What
costs (sorting, logarithms) is so done once and not once per resample.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchobjectives.workbench.data import Problem

Array = NDArray[Any]
Numbers = NDArray[np.float64]
Metric = Callable[[Numbers], float]
Interval = dict[str, float | None]

RESAMPLES = 200
# Below these, the 2.5 % quantile is no longer a resample of its own.
FEWEST_RESAMPLES = 40
# Rows times classes times resamples: a few seconds.
BUDGET = 60_000_000
BINS = 10
LOWER_IS_BETTER = frozenset({"brier", "log_loss", "mae", "rmse", "calibration_error"})


def evaluate(problem: Problem, y: Array, predictions: Array, *, seed: int) -> dict[str, Interval]:
    """Return each metric's value and its 95 % percentile bootstrap interval over rows.

    Rows are drawn plainly, with replacement; a resample in which a metric is not defined is left out of its interval.

    Args:
        problem: What is to be predicted.
        y: The truth, encoded, (N,).
        predictions: Probabilities of every class, (N, K), or the values of a regression, (N,).
        seed: Seed of the resamples.
    """
    metrics = prepare(problem, y, predictions)
    rows = len(y)
    generator = np.random.default_rng(seed)
    spread: dict[str, list[float]] = {name: [] for name in metrics}
    for _ in range(resamples(problem, rows)):
        weights = np.bincount(generator.integers(0, rows, rows), minlength=rows).astype(np.float64)
        for name, metric in metrics.items():
            spread[name].append(metric(weights))
    once = np.ones(rows)
    return {name: _interval(metric(once), np.asarray(spread[name])) for name, metric in metrics.items()}


def resamples(problem: Problem, rows: int) -> int:
    """Return how many resamples an interval rests on: fewer where there are many rows and classes."""
    work = rows * (len(problem.classes) if len(problem.classes) > 2 else 1)
    return min(RESAMPLES, max(FEWEST_RESAMPLES, BUDGET // max(1, work)))


def prepare(problem: Problem, y: Array, predictions: Array) -> dict[str, Metric]:
    """Return the metrics of the task by name, each a function of the weights of the rows.

    With two classes, ``roc_auc``, ``average_precision``, ``f1``, ``brier`` and ``calibration_error`` are about class 1.
    With more they are

    - ``roc_auc``, ``average_precision``: class against rest, the mean over the classes that the truth has;
    - ``f1``: the mean over all classes of the problem; one that is neither there nor predicted counts as 0;
    - ``brier``: the squared distance to the truth, summed over classes;
    - ``calibration_error``: of the confidence, the probability of the predicted class.

    ``balanced_accuracy`` is the mean recall of the classes that the truth has.
    """
    if not problem.classes:
        return _of_values(y, predictions)
    p, classes = predictions, len(problem.classes)
    said = p.argmax(1)
    if classes == 2:
        areas = {"roc_auc": _area(y == 1, p[:, 1]), "average_precision": _average_precision(y == 1, p[:, 1])}
        distance = (p[:, 1] - y) ** 2
    else:
        areas = {
            "roc_auc": _over_classes(_area, y, p),
            "average_precision": _over_classes(_average_precision, y, p),
        }
        distance = ((p - np.eye(classes)[y]) ** 2).sum(1)
    tiny = np.finfo(np.float64).eps
    true = p[np.arange(len(y)), y]
    return {
        **areas,
        "f1": _f1(y, said, classes),
        "brier": _mean(distance),
        "accuracy": _mean(y == said),
        "balanced_accuracy": _balanced_accuracy(y, said, classes),
        "log_loss": _mean(-np.log(np.clip(true, tiny, 1 - tiny))),
        "calibration_error": _calibration_error(*confidence(y, p)),
    }


def _of_values(y: Array, predicted: Array) -> dict[str, Metric]:
    center = _center(y)
    with np.errstate(over="ignore"):  # a distance beyond 1e308 has no number, and its metric is null
        distance, centred = y - predicted, y - center
    # On the scale of the largest of them: squares of numbers beyond 1e154 would overflow.
    scale = float(max(np.abs(distance).max(), np.abs(centred).max())) or 1.0
    distance, centred = distance / scale, centred / scale
    absolute, squared = _mean(np.abs(distance)), _mean(distance**2)
    first, second = _mean(centred), _mean(centred**2)

    def r2(weights: Numbers) -> float:
        variance = second(weights) - first(weights) ** 2
        # Less is rounding: all rows of the resample hold one value.
        constant = variance <= 1e-14 * second(weights) or weights.sum() < 2
        return float("nan") if constant else 1 - squared(weights) / variance

    return {
        "mae": lambda weights: scale * absolute(weights),
        "rmse": lambda weights: scale * float(np.sqrt(squared(weights))),
        "r2": r2,
    }


def _mean(values: Array) -> Metric:
    numbers = np.asarray(values, dtype=np.float64)
    return lambda weights: float(numbers @ weights / weights.sum())


def _ranked(positive: Array, score: Array) -> Callable[[Numbers], tuple[Numbers, Numbers]]:
    """Prepare the weights of positives and of negatives at or above each distinct score, highest score first."""
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    hit = positive[order].astype(np.float64)

    def above(weights: Numbers) -> tuple[Numbers, Numbers]:
        sorted_weights = weights[order]
        everything = np.cumsum(np.add.reduceat(sorted_weights, starts))
        hits = np.cumsum(np.add.reduceat(sorted_weights * hit, starts))
        return hits, everything - hits

    return above


def _area(positive: Array, score: Array) -> Metric:
    """Prepare the area under the ROC curve: how often a positive outranks a negative, ties by half."""
    above = _ranked(positive, score)

    def area(weights: Numbers) -> float:
        hits, misses = above(weights)
        pairs = hits[-1] * misses[-1]
        if pairs == 0:
            return float("nan")
        return float((np.diff(misses, prepend=0.0) * (hits + np.r_[0.0, hits[:-1]])).sum() / (2 * pairs))

    return area


def _average_precision(positive: Array, score: Array) -> Metric:
    """Prepare the average precision: precision at each score, weighted by the recall that it adds."""
    above = _ranked(positive, score)

    def average(weights: Numbers) -> float:
        hits, misses = above(weights)
        if hits[-1] == 0 or misses[-1] == 0:
            return float("nan")
        # Before the first row of the resample nothing is found, and nothing is added.
        precision = hits / np.maximum(hits + misses, 1.0)
        return float((np.diff(hits, prepend=0.0) * precision).sum() / hits[-1])

    return average


def _over_classes(kind: Callable[[Array, Array], Metric], y: Array, p: Array) -> Metric:
    metrics = {index: kind(y == index, p[:, index]) for index in np.unique(y)}

    def mean(weights: Numbers) -> float:
        there = np.bincount(y, weights=weights)
        values = [metric(weights) for index, metric in metrics.items() if there[index] > 0]
        return float(np.mean(values))

    return mean


def _f1(y: Array, said: Array, classes: int) -> Metric:
    def f1(weights: Numbers) -> float:
        hits, were, called = _counts(y, said, classes, weights)
        each = 2 * hits / np.maximum(were + called, 1.0)
        return float(each[1] if classes == 2 else each.mean())

    return f1


def _balanced_accuracy(y: Array, said: Array, classes: int) -> Metric:
    def balanced(weights: Numbers) -> float:
        hits, were, _ = _counts(y, said, classes, weights)
        return float((hits[were > 0] / were[were > 0]).mean())

    return balanced


def _counts(y: Array, said: Array, classes: int, weights: Numbers) -> tuple[Numbers, Numbers, Numbers]:
    """Return per class how much was predicted rightly, was there, and was predicted."""

    def sums(labels: Array, counted: Numbers) -> Numbers:
        return np.bincount(labels, weights=counted, minlength=classes).astype(np.float64)

    return sums(y, weights * (y == said)), sums(y, weights), sums(said, weights)


def confidence(y: Array, p: Array) -> tuple[Array, Numbers]:
    """Return whether it came true, and the probability stated: of class 1, or with more classes of the class predicted.

    These two are what calibration is about.
    """
    came_true, said = (y == 1, p[:, 1]) if p.shape[1] == 2 else (y == p.argmax(1), p.max(1))
    return came_true, np.clip(said, 0.0, 1.0)


def bins_of(said: Numbers) -> NDArray[np.int64]:
    """Return the number of the equal-width bin, of 10 from 0 to 1, that each probability lies in."""
    return np.minimum((said * BINS).astype(np.int64), BINS - 1)


def _calibration_error(came_true: Array, said: Numbers) -> Metric:
    """Prepare the expected calibration error (Guo et al. 2017, equation 3).

    The distance of the mean probability stated from the share that came true, per bin, weighted by the rows in it.
    """
    bins, excess = bins_of(said), came_true - said

    def error(weights: Numbers) -> float:
        # The weight of a bin cancels: |mean of excess| · rows = |sum of excess|.
        gaps = np.bincount(bins, weights=weights * excess, minlength=BINS)
        # What rounding leaves of a perfect sum is no error.
        return round(float(np.abs(gaps).sum() / weights.sum()), 12)

    return error


def _interval(value: float, spread: Numbers) -> Interval:
    known = spread[np.isfinite(spread)]
    low, high = np.quantile(known, [0.025, 0.975]) if len(known) and np.isfinite(value) else (np.nan, np.nan)
    # Few rows, or a metric that resampling biases such as calibration_error, can leave the value outside.
    numbers = {"value": float(value), "low": float(min(low, value)), "high": float(max(high, value))}
    # JSON has no NaN: a score that is not defined is null.
    return {key: number if np.isfinite(number) else None for key, number in numbers.items()}


def choose_threshold(y: Array, p: Array) -> dict[str, float] | None:
    """Return the threshold on the probability of class 1 that is best by F1, and how well it does on these rows.

    A row is called 1 where its probability is the threshold or more. The candidates are the probabilities themselves;
    of several that are equally good it is the highest. None where there is no row of class 1.

    >>> choose_threshold(np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.6, 0.4], [0.2, 0.8]]))
    {'value': 0.4, 'precision': 1.0, 'recall': 1.0, 'f1': 1.0}
    """
    values, precision, recall = precision_recall(y == 1, p[:, 1])
    if not len(values):
        return None
    f1 = 2 * precision * recall / np.maximum(precision + recall, np.finfo(np.float64).tiny)
    best = int(f1.argmax())
    names = ("value", "precision", "recall", "f1")
    return {name: float(found[best]) for name, found in zip(names, (values, precision, recall, f1), strict=True)}


def precision_recall(positive: Array, score: Array) -> tuple[Numbers, Numbers, Numbers]:
    """Return the distinct scores, highest first, and the precision and recall of calling all from there up positive.

    All three are empty where there is no positive row.
    """
    if not positive.any():
        nothing = np.empty(0)
        return nothing, nothing, nothing
    hits, misses = _ranked(positive, score)(np.ones(len(score)))
    return np.unique(score)[::-1], hits / (hits + misses), hits / hits[-1]


def constant_predictions(problem: Problem, y_train: Array, rows: int) -> Array:
    """Return the baseline: class shares of the training rows, or their mean, for every row."""
    if problem.classes:
        shares = np.bincount(y_train, minlength=len(problem.classes)) / len(y_train)
        return np.tile(shares, (rows, 1))
    return np.full(rows, _center(y_train))


def _center(values: Array) -> float:
    """Return the mean, of numbers too large for their sum, too."""
    scale = float(np.abs(values).max()) or 1.0
    return scale * float((values / scale).mean())
