import time
import warnings

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn import metrics as sk

from torchobjectives.workbench import metrics
from torchobjectives.workbench.data import Problem

Array = NDArray[np.float64]


def problem(classes: int) -> Problem:
    if not classes:
        return Problem("regression", "")
    return Problem("binary" if classes == 2 else "multiclass", "", list(range(classes)))


def sample(rows: int, classes: int, *, seed: int = 0, digits: int = 2) -> tuple[NDArray[np.int64], Array]:
    """Truth and probabilities that know something of it, rounded so that there are ties."""
    generator = np.random.default_rng(seed)
    y = generator.integers(0, classes, rows)
    p = generator.dirichlet(np.ones(classes), rows) + 0.3 * np.eye(classes)[y]
    p = np.round(p / p.sum(1, keepdims=True), digits) + 1e-6
    return y, p / p.sum(1, keepdims=True)


def calibration_error(y: NDArray[np.int64], p: Array) -> float:
    """The definition, with plain loops."""
    bins: dict[int, list[tuple[float, float]]] = {}
    for truth, row in zip(y, p, strict=True):
        chosen = 1 if len(row) == 2 else int(row.argmax())
        bins.setdefault(min(int(row[chosen] * 10), 9), []).append((row[chosen], float(truth == chosen)))
    gaps = [len(rows) * abs(np.mean([hit - said for said, hit in rows])) for rows in bins.values()]
    return float(sum(gaps) / len(y))


def by_scikit_learn(y: NDArray[np.int64], p: Array) -> dict[str, float]:
    classes = p.shape[1]
    said, every = p.argmax(1), np.arange(classes)
    if classes == 2:
        roc_auc, average_precision = sk.roc_auc_score(y, p[:, 1]), sk.average_precision_score(y, p[:, 1])
        f1, brier = sk.f1_score(y, said), sk.brier_score_loss(y, p[:, 1])
    else:
        there = np.unique(y)
        truth = y[:, None] == there
        roc_auc = sk.roc_auc_score(truth, p[:, there], average="macro")
        average_precision = sk.average_precision_score(truth, p[:, there], average="macro")
        f1 = sk.f1_score(y, said, labels=every, average="macro", zero_division=0.0)
        brier = sk.brier_score_loss(y, p, labels=every, scale_by_half=False)
    return {
        "roc_auc": roc_auc,
        "average_precision": average_precision,
        "f1": f1,
        "brier": brier,
        "accuracy": sk.accuracy_score(y, said),
        "balanced_accuracy": sk.recall_score(y, said, labels=np.unique(y), average="macro", zero_division=0.0),
        "log_loss": sk.log_loss(y, p, labels=every),
        "calibration_error": calibration_error(y, p),
    }


@pytest.mark.parametrize("classes", [2, 3, 7])
@pytest.mark.parametrize("rows", [15, 200])
def test_weighted_rows_score_as_repeated_rows_do_in_scikit_learn(classes: int, rows: int) -> None:
    y, p = sample(rows, classes)
    prepared = metrics.prepare(problem(classes), y, p)
    generator = np.random.default_rng(1)
    for draw in [np.arange(rows), *(generator.integers(0, rows, rows) for _ in range(5))]:
        weights = np.bincount(draw, minlength=rows).astype(float)
        found = prepared(weights)
        wanted = by_scikit_learn(y[draw], p[draw])
        assert list(found) == list(wanted)
        assert found == pytest.approx(wanted, rel=1e-11, abs=1e-12)


def test_values_score_as_in_scikit_learn() -> None:
    generator = np.random.default_rng(0)
    y = 1e9 + generator.normal(size=50)  # the digits that matter are the last ones
    predicted = y + generator.normal(size=50)
    prepared = metrics.prepare(problem(0), y, predicted)
    for draw in (np.arange(50), generator.integers(0, 50, 50)):
        weights = np.bincount(draw, minlength=50).astype(float)
        truth, said = y[draw], predicted[draw]
        assert prepared(weights)["mae"] == pytest.approx(sk.mean_absolute_error(truth, said))
        assert prepared(weights)["rmse"] == pytest.approx(sk.root_mean_squared_error(truth, said))
        assert prepared(weights)["r2"] == pytest.approx(sk.r2_score(truth, said))


def test_two_classes_are_binary_whatever_the_task_is_called() -> None:
    y, p = sample(60, 2)
    as_multiclass = Problem("multiclass", "", [0, 1])
    assert metrics.evaluate(as_multiclass, y, p, seed=0) == metrics.evaluate(problem(2), y, p, seed=0)


def test_macro_f1_counts_every_class_of_the_problem() -> None:
    y = np.array([0, 0, 1, 1])
    p = np.eye(4)[y]
    assert metrics.evaluate(problem(4), y, p, seed=0)["f1"]["value"] == 0.5


def test_calibration_error_by_hand() -> None:
    y = np.array([0, 1, 1, 1])
    said = np.array([0.25, 0.25, 0.95, 1.0])
    found = metrics.evaluate(problem(2), y, np.stack([1 - said, said], 1), seed=0)
    # Two bins of two rows: |0.5 − 0.25| and |1 − 0.975|.
    assert found["calibration_error"]["value"] == pytest.approx(0.5 * 0.25 + 0.5 * 0.025)


@pytest.mark.parametrize("seed", [0, 2**32 - 1])
def test_any_seed_draws(seed: int) -> None:
    y, p = sample(40, 2)
    assert metrics.evaluate(problem(2), y, p, seed=seed) == metrics.evaluate(problem(2), y, p, seed=seed)
    assert metrics.evaluate(problem(2), y, p, seed=seed) != metrics.evaluate(problem(2), y, p, seed=7)


def test_intervals_have_the_width_that_theory_gives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "RESAMPLES", 400)
    y = np.repeat([0, 1, 0, 1], [180, 180, 20, 20])
    said = np.repeat([0.0, 1.0, 1.0, 0.0], [180, 180, 20, 20])
    found = metrics.evaluate(problem(2), y, np.stack([1 - said, said], 1), seed=0)["accuracy"]
    assert found["value"] == 0.9
    assert found["low"] is not None
    assert found["high"] is not None
    assert found["high"] - found["low"] == pytest.approx(2 * 1.96 * np.sqrt(0.9 * 0.1 / 400), rel=0.2)


def test_right_on_every_class_but_unequally_is_not_certain(monkeypatch: pytest.MonkeyPatch) -> None:
    # Resampled within classes this has an interval of width 0: all of class 0 right, all of class 1 wrong.
    monkeypatch.setattr(metrics, "RESAMPLES", 50)
    y = np.repeat([0, 1], 20)
    found = metrics.evaluate(problem(2), y, np.tile([0.8, 0.2], (40, 1)), seed=0)["accuracy"]
    assert found["low"] is not None
    assert found["high"] is not None
    assert found["low"] < found["value"] < found["high"]


def test_undefined_resamples_are_left_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "RESAMPLES", 60)
    y = np.array([1, 0, 0, 0, 0])  # a third of the resamples have no positive row
    said = np.array([0.9, 0.1, 0.2, 0.3, 0.95])
    found = metrics.evaluate(problem(2), y, np.stack([1 - said, said], 1), seed=0)
    assert found["roc_auc"]["value"] == 0.75
    assert found["roc_auc"]["low"] is not None
    only = metrics.evaluate(problem(2), np.zeros(4, dtype=int), np.tile([0.6, 0.4], (4, 1)), seed=0)
    for name in ("roc_auc", "average_precision"):
        assert only[name] == {"value": None, "low": None, "high": None}
    assert only["accuracy"]["value"] == 1.0
    constant = metrics.evaluate(problem(0), np.full(4, 0.1), np.arange(4.0), seed=0)["r2"]
    assert constant == {"value": None, "low": None, "high": None}


def test_large_numbers_neither_overflow_nor_warn() -> None:
    y = np.arange(10) * 1e300
    constant = metrics.constant_predictions(problem(0), y, 10)
    assert constant == pytest.approx(np.full(10, 4.5e300))
    found = metrics.evaluate(problem(0), y, constant, seed=0)
    assert found["mae"]["value"] == pytest.approx(2.5e300)
    assert found["rmse"]["value"] == pytest.approx(np.sqrt(8.25) * 1e300)
    assert found["r2"]["value"] == pytest.approx(0, abs=1e-12)


def test_the_baseline_knows_every_class() -> None:
    shares = metrics.constant_predictions(problem(4), np.array([0, 0, 1, 3]), 2)
    assert shares.tolist() == [[0.5, 0.25, 0.0, 0.25]] * 2
    assert metrics.evaluate(problem(4), np.array([2, 0]), shares, seed=0)["log_loss"]["value"] > 10


def test_the_threshold_is_the_best_there_is() -> None:
    y, p = sample(150, 2, seed=3)
    chosen = metrics.choose_threshold(y, p)
    assert chosen is not None
    scores = {value: sk.f1_score(y, p[:, 1] >= value) for value in np.unique(p[:, 1])}
    assert chosen["f1"] == pytest.approx(max(scores.values()))
    said = p[:, 1] >= chosen["value"]
    assert chosen["f1"] == pytest.approx(sk.f1_score(y, said))
    assert chosen["precision"] == pytest.approx(sk.precision_score(y, said))
    assert chosen["recall"] == pytest.approx(sk.recall_score(y, said))
    assert metrics.choose_threshold(np.zeros(3, dtype=int), np.full((3, 2), 0.5)) is None


def test_precision_and_recall_are_those_of_scikit_learn() -> None:
    y, p = sample(150, 2, seed=4)
    values, precision, recall = metrics.precision_recall(y == 1, p[:, 1])
    wanted_precision, wanted_recall, wanted_values = sk.precision_recall_curve(y, p[:, 1])
    assert values == pytest.approx(wanted_values[::-1])
    assert precision == pytest.approx(wanted_precision[-2::-1])
    assert recall == pytest.approx(wanted_recall[-2::-1])


def test_large_data_take_fewer_resamples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "RESAMPLES", 200)
    assert metrics.resamples(problem(2), 100_000) == 200
    assert metrics.resamples(problem(0), 1_000_000) == 60
    assert metrics.resamples(problem(150), 1500) == 200
    assert metrics.resamples(problem(150), 100_000) == metrics.FEWEST_RESAMPLES


def test_large_data_take_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "RESAMPLES", 20)  # a tenth of what a run draws
    for rows, classes, seconds in ((100_000, 2, 1.0), (1500, 150, 2.0)):
        y, p = sample(rows, classes, digits=12)
        start = time.process_time()
        metrics.evaluate(problem(classes), y, p, seed=0)
        assert time.process_time() - start < seconds


def test_nothing_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for classes in (2, 3):
            y, p = sample(6, classes)
            metrics.evaluate(problem(classes), y, p, seed=0)
        metrics.evaluate(problem(0), np.ones(1), np.ones(1), seed=0)
