"""scikit-learn's metrics on held-out rows, each with a bootstrap interval."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk
from sklearn.exceptions import UndefinedMetricWarning

from torchobjectives.workbench.data import Problem

Array = NDArray[Any]
Numbers = NDArray[np.float64]
Metric = Callable[[Array, Array], float]
Interval = dict[str, float | None]

RESAMPLES = 200
# Below these, the 2.5 % quantile is no longer a resample of its own.
FEWEST_RESAMPLES = 40
# Rows times classes times resamples: under ten seconds.
BUDGET = 5_000_000
BINS = 10
LOWER_IS_BETTER = frozenset({"brier", "log_loss", "mae", "rmse", "calibration_error"})


def metrics_of(problem: Problem) -> dict[str, Metric]:
    """Return the metrics of the task by name; each takes the encoded truth and the predictions.

    Predictions are probabilities of every class, (N, K), or the values of a regression, (N,). With two classes,
    ``roc_auc``, ``average_precision``, ``f1``, ``brier`` and ``calibration_error`` are about class 1. With more they
    are

    - ``roc_auc``, ``average_precision``: class against rest, the mean over the classes that the truth has;
    - ``f1``: the mean over all classes of the problem; one that is neither there nor predicted counts as 0;
    - ``brier``: the squared distance to the truth, summed over classes;
    - ``calibration_error``: of the confidence, the probability of the predicted class.

    ``balanced_accuracy`` is the mean recall of the classes that the truth has.
    """
    if not problem.classes:
        return {"mae": _on_scale(sk.mean_absolute_error), "rmse": _on_scale(sk.root_mean_squared_error), "r2": _r2}
    labels = np.arange(len(problem.classes))
    binary = len(labels) == 2
    return {
        "roc_auc": _over_classes(sk.roc_auc_score),
        "average_precision": _over_classes(sk.average_precision_score),
        "f1": lambda y, p: sk.f1_score(
            y, p.argmax(1), labels=[1] if binary else labels, average="macro", zero_division=0.0
        ),
        "brier": lambda y, p: sk.brier_score_loss(y, p, labels=labels, scale_by_half=binary),
        "accuracy": lambda y, p: sk.accuracy_score(y, p.argmax(1)),
        "balanced_accuracy": lambda y, p: sk.recall_score(
            y, p.argmax(1), labels=np.unique(y), average="macro", zero_division=0.0
        ),
        "log_loss": lambda y, p: sk.log_loss(y, p, labels=labels),
        "calibration_error": calibration_error,
    }


def evaluate(problem: Problem, y: Array, predictions: Array, *, seed: int) -> dict[str, Interval]:
    """Return each metric's value and its 95 % percentile bootstrap interval over rows.

    Rows are drawn plainly, with replacement; a resample in which a metric is not defined is left out of its interval.

    Args:
        problem: What is to be predicted.
        y: The truth, encoded, (N,).
        predictions: Probabilities of every class, (N, K), or the values of a regression, (N,).
        seed: Seed of the resamples.
    """
    named = metrics_of(problem)
    generator = np.random.default_rng(seed)
    draws = [generator.integers(0, len(y), len(y)) for _ in range(resamples(problem, len(y)))]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        values = {name: metric(y, predictions) for name, metric in named.items()}
        spread = {name: [metric(y[draw], predictions[draw]) for draw in draws] for name, metric in named.items()}
    return {name: _interval(values[name], np.array(spread[name])) for name in named}


def resamples(problem: Problem, rows: int) -> int:
    """Return how many resamples an interval rests on: fewer where there are many rows and classes."""
    work = rows * (len(problem.classes) if len(problem.classes) > 2 else 1)
    return min(RESAMPLES, max(FEWEST_RESAMPLES, BUDGET // max(1, work)))


def _on_scale(metric: Callable[..., float]) -> Metric:
    """The metric of numbers of any size: squares of numbers beyond 1e154 would overflow."""

    def score(y: Array, predicted: Array) -> float:
        with np.errstate(over="ignore"):  # a distance beyond 1e308 has no number, and its metric is null
            distance = y - predicted
        scale = float(np.abs(distance).max()) or 1.0
        return scale * metric(np.zeros_like(distance), distance / scale) if np.isfinite(scale) else float("inf")

    return score


def _r2(y: Array, predicted: Array) -> float:
    if len(y) < 2 or np.ptp(y / (np.abs(y).max() or 1.0)) <= 1e-14:
        return float("nan")
    center = _center(y)
    scale = float(np.abs(y - center).max()) or 1.0
    return float(sk.r2_score((y - center) / scale, (predicted - center) / scale))


def _over_classes(metric: Callable[..., float]) -> Metric:
    """Score probabilities class against rest; the mean over the classes that the truth has (two: of class 1)."""

    def score(y: Array, p: Array) -> float:
        present = np.unique(y)
        if len(present) < 2:
            return float("nan")
        if p.shape[1] == 2:
            return float(metric(y, p[:, 1]))
        return float(metric(y[:, None] == present, p[:, present], average="macro"))

    return score


def confidence(y: Array, p: Array) -> tuple[Array, Numbers]:
    """Return whether it came true, and the probability stated: of class 1, or with more classes of the class predicted.

    These two are what calibration is about.
    """
    came_true, said = (y == 1, p[:, 1]) if p.shape[1] == 2 else (y == p.argmax(1), p.max(1))
    return came_true, np.clip(said, 0.0, 1.0)


def bins_of(said: Numbers) -> NDArray[np.int64]:
    """Return the number of the equal-width bin, of 10 from 0 to 1, that each probability lies in."""
    return np.minimum((said * BINS).astype(np.int64), BINS - 1)


def calibration_error(y: Array, p: Array) -> float:
    """Return the expected calibration error (Guo et al. 2017, equation 3), which scikit-learn does not have.

    The distance of the mean probability stated from the share that came true, per bin, weighted by the rows in it.
    """
    came_true, said = confidence(y, p)
    # The rows of a bin cancel: |mean of excess| · rows = |sum of excess|. What rounding leaves is no error.
    gaps = np.bincount(bins_of(said), weights=came_true - said, minlength=BINS)
    return round(float(np.abs(gaps).sum() / len(y)), 12)


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
    precision, recall, scores = sk.precision_recall_curve(positive, score)
    # scikit-learn begins at the lowest score, and adds a point that no score reaches.
    return scores[::-1], precision[-2::-1], recall[-2::-1]


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
