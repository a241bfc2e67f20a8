"""Metrics on held-out rows, each with a bootstrap interval.

The numbers are scikit-learn's; the tests compare them. Metrics are prepared once from the truth and the predictions,
and then evaluated for weights of the rows: a resample is a weight per row, how often it was drawn. What costs (sorting,
logarithms) is so done once and not once per resample.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from torchobjectives.workbench.data import Problem

Array = NDArray[Any]
Numbers = NDArray[np.float64]
# From the weights of the rows to a mean, or to metrics by name.
Mean = Callable[[Numbers], float]
Scores = Callable[[Numbers], dict[str, float]]
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
    scores = prepare(problem, y, predictions)
    rows = len(y)
    generator = np.random.default_rng(seed)
    draws = (generator.integers(0, rows, rows) for _ in range(resamples(problem, rows)))
    spread = [scores(np.bincount(draw, minlength=rows).astype(np.float64)) for draw in draws]
    values = scores(np.ones(rows))
    return {name: _interval(value, np.array([each[name] for each in spread])) for name, value in values.items()}


def resamples(problem: Problem, rows: int) -> int:
    """Return how many resamples an interval rests on: fewer where there are many rows and classes."""
    work = rows * (len(problem.classes) if len(problem.classes) > 2 else 1)
    return min(RESAMPLES, max(FEWEST_RESAMPLES, BUDGET // max(1, work)))


def prepare(problem: Problem, y: Array, predictions: Array) -> Scores:
    """Return a function that gives the metrics of the task, by name, for weights of the rows.

    With two classes, ``roc_auc``, ``average_precision``, ``f1``, ``brier`` and ``calibration_error`` are about class 1.
    With more they are

    - ``roc_auc``, ``average_precision``: class against rest, the mean over the classes that the truth has;
    - ``f1``: the mean over all classes of the problem; one that is neither there nor predicted counts as 0;
    - ``brier``: the squared distance to the truth, summed over classes;
    - ``calibration_error``: of the confidence, the probability of the predicted class.

    ``balanced_accuracy`` is the mean recall of the classes that the truth has.
    """
    return _of_classes(y, predictions, len(problem.classes)) if problem.classes else _of_values(y, predictions)


def _of_values(y: Array, predicted: Array) -> Scores:
    center = _center(y)
    with np.errstate(over="ignore"):  # a distance beyond 1e308 has no number, and its metric is null
        distance, centred = y - predicted, y - center
    # On the scale of the largest of them: squares of numbers beyond 1e154 would overflow.
    scale = float(max(np.abs(distance).max(), np.abs(centred).max())) or 1.0
    distance, centred = distance / scale, centred / scale
    absolute, squared = _mean(np.abs(distance)), _mean(distance**2)
    first, second = _mean(centred), _mean(centred**2)

    def scores(weights: Numbers) -> dict[str, float]:
        error, variance = squared(weights), second(weights) - first(weights) ** 2
        # Less is rounding: all rows of the resample hold one value.
        constant = variance <= 1e-14 * second(weights) or weights.sum() < 2
        return {
            "mae": scale * absolute(weights),
            "rmse": scale * float(np.sqrt(error)),
            "r2": float("nan") if constant else 1 - error / variance,
        }

    return scores


def _of_classes(y: Array, p: Array, classes: int) -> Scores:
    said, true = p.argmax(1), p[np.arange(len(y)), y]
    tiny = np.finfo(np.float64).eps
    areas = _areas(y == 1, p[:, 1]) if classes == 2 else _areas_over_classes(y, p)
    brier = _mean((p[:, 1] - y) ** 2 if classes == 2 else ((p - np.eye(classes)[y]) ** 2).sum(1))
    log_loss = _mean(-np.log(np.clip(true, tiny, 1 - tiny)))
    calibration_error = _calibration_error(*confidence(y, p))

    def scores(weights: Numbers) -> dict[str, float]:
        roc_auc, average_precision = areas(weights)
        hits, were, called = _counts(y, said, classes, weights)
        f1 = 2 * hits / np.maximum(were + called, 1.0)
        there = were > 0
        return {
            "roc_auc": roc_auc,
            "average_precision": average_precision,
            "f1": float(f1[1] if classes == 2 else f1.mean()),
            "brier": brier(weights),
            "accuracy": float(hits.sum() / were.sum()),
            "balanced_accuracy": float((hits[there] / were[there]).mean()),
            "log_loss": log_loss(weights),
            "calibration_error": calibration_error(weights),
        }

    return scores


def _mean(values: Array) -> Mean:
    numbers = np.asarray(values, dtype=np.float64)
    return lambda weights: _dot(numbers, weights) / float(weights.sum())


def _dot(a: Numbers, b: Numbers) -> float:
    # Not a @ b: the threads that it starts wait for each other longer than they compute, where cores are busy.
    return float(np.einsum("i,i->", a, b))


def _ranked(positive: Array, score: Array) -> Callable[[Numbers], tuple[Numbers, Numbers]]:
    """Prepare the weights of positives and of negatives at or above each distinct score, highest score first."""
    order = np.argsort(-score, kind="stable")
    ordered = score[order]
    ends = np.flatnonzero(np.r_[ordered[1:] != ordered[:-1], True])
    hit = positive[order].astype(np.float64)

    def above(weights: Numbers) -> tuple[Numbers, Numbers]:
        taken = weights[order]
        everything, hits = np.cumsum(taken)[ends], np.cumsum(taken * hit)[ends]
        return hits, everything - hits

    return above


def _areas(positive: Array, score: Array) -> Callable[[Numbers], tuple[float, float]]:
    """Prepare the area under the ROC curve and the average precision.

    The first is how often a positive outranks a negative, ties by half; the second the mean precision at each score,
    weighted by the recall that it adds. Both are NaN unless there are positives and negatives.
    """
    above = _ranked(positive, score)

    def areas(weights: Numbers) -> tuple[float, float]:
        hits, misses = above(weights)
        found, wrong = hits[-1], misses[-1]
        if found == 0 or wrong == 0:
            return float("nan"), float("nan")
        gained = np.diff(hits, prepend=0.0)
        outranked = _dot(gained, 2 * wrong - misses - np.r_[0.0, misses[:-1]])
        # Before the first row of the resample nothing is found, and nothing is added.
        precision = hits / np.maximum(hits + misses, 1.0)
        return outranked / float(2 * found * wrong), _dot(gained, precision) / float(found)

    return areas


def _areas_over_classes(y: Array, p: Array) -> Callable[[Numbers], tuple[float, float]]:
    areas = {index: _areas(y == index, p[:, index]) for index in np.unique(y)}

    def mean(weights: Numbers) -> tuple[float, float]:
        there = np.bincount(y, weights=weights)
        values = np.array([each(weights) for index, each in areas.items() if there[index] > 0])
        return float(values[:, 0].mean()), float(values[:, 1].mean())

    return mean


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


def _calibration_error(came_true: Array, said: Numbers) -> Mean:
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
