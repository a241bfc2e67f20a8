"""scikit-learn's metrics on held-out rows, each with a bootstrap interval."""

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn import metrics as sk
from sklearn.dummy import DummyClassifier, DummyRegressor
from sklearn.exceptions import UndefinedMetricWarning
from sklearn.utils import resample

from torchobjectives.workbench.data import Problem

Array = NDArray[Any]
Metric = Callable[[Array, Array], float]
Interval = dict[str, float | None]

RESAMPLES = 200
LOWER_IS_BETTER = frozenset({"brier", "log_loss", "mae", "rmse"})


def metrics_of(problem: Problem) -> dict[str, Metric]:
    """Return the metrics of the task by name; each takes the encoded truth and the predictions.

    Predictions are probabilities of every class, (N, K), or the values of a regression, (N,).
    """
    if problem.task == "regression":
        return {"mae": sk.mean_absolute_error, "rmse": sk.root_mean_squared_error, "r2": sk.r2_score}
    labels = np.arange(len(problem.classes))
    average = "binary" if problem.task == "binary" else "macro"
    return {
        "roc_auc": _over_classes(sk.roc_auc_score),
        "average_precision": _over_classes(sk.average_precision_score),
        "f1": lambda y, p: sk.f1_score(y, p.argmax(1), average=average, zero_division=0.0),
        "brier": _brier,
        "accuracy": lambda y, p: sk.accuracy_score(y, p.argmax(1)),
        "balanced_accuracy": lambda y, p: sk.recall_score(
            y, p.argmax(1), labels=np.unique(y), average="macro", zero_division=0.0
        ),
        "log_loss": lambda y, p: sk.log_loss(y, p, labels=labels),
    }


def _over_classes(metric: Callable[..., float]) -> Metric:
    """Score probabilities class against rest; the mean over the classes that the truth has (binary: of 1)."""

    def score(y: Array, p: Array) -> float:
        present = np.unique(y)
        if len(present) < 2:
            return float("nan")
        if p.shape[1] == 2:
            return float(metric(y, p[:, 1]))
        return float(metric(y[:, None] == present, p[:, present], average="macro"))

    return score


def _brier(y: Array, p: Array) -> float:
    """Return the mean squared distance to the truth: of the probability of 1, or summed over classes."""
    if p.shape[1] == 2:
        return float(sk.brier_score_loss(y, p[:, 1]))
    return float(((p - np.eye(p.shape[1])[y]) ** 2).sum(1).mean())


def evaluate(problem: Problem, y: Array, predictions: Array, *, seed: int) -> dict[str, Interval]:
    """Return each metric's value and its 95 % percentile bootstrap interval over rows (within classes)."""
    named = metrics_of(problem)
    stratify = y if problem.classes else None
    rows = np.arange(len(y))
    draws = [resample(rows, stratify=stratify, random_state=seed + draw) for draw in range(RESAMPLES)]
    with warnings.catch_warnings():
        # A resample in which a score is not defined gives NaN, and NaN is left out of the interval.
        warnings.simplefilter("ignore", UndefinedMetricWarning)
        values = {name: metric(y, predictions) for name, metric in named.items()}
        spread = {name: [metric(y[d], predictions[d]) for d in draws] for name, metric in named.items()}
    return {name: _interval(values[name], np.asarray(spread[name])) for name in named}


def _interval(value: float, spread: NDArray[np.float64]) -> Interval:
    known = spread[np.isfinite(spread)]
    low, high = np.quantile(known, [0.025, 0.975]) if len(known) else (np.nan, np.nan)
    # Rounding, or few rows, can leave the value a hair outside its own interval.
    numbers = {"value": float(value), "low": float(min(low, value)), "high": float(max(high, value))}
    # JSON has no NaN: a score that is not defined is null.
    return {key: number if np.isfinite(number) else None for key, number in numbers.items()}


def constant_predictions(problem: Problem, y_train: Array, rows: int) -> Array:
    """Return the baseline: class shares of the training rows, or their mean, for every row."""
    kind = DummyClassifier(strategy="prior") if problem.classes else DummyRegressor(strategy="mean")
    kind.fit(np.zeros((len(y_train), 1)), y_train)
    blank = np.zeros((rows, 1))
    predicted: Array = kind.predict_proba(blank) if problem.classes else kind.predict(blank)
    return predicted
