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


def values(classes: int, y: NDArray[np.int64], p: Array) -> dict[str, float | None]:
    return {name: score["value"] for name, score in metrics.evaluate(problem(classes), y, p, seed=0).items()}


@pytest.mark.parametrize("rows", [15, 200])
def test_two_classes_by_their_definitions(rows: int) -> None:
    y, p = sample(rows, 2)
    said, score = p.argmax(1), p[:, 1]
    found = values(2, y, p)
    better = [(a > b) + (a == b) / 2 for a in score[y == 1] for b in score[y == 0]]
    assert found["roc_auc"] == pytest.approx(np.mean(better))
    hits = int(((said == 1) & (y == 1)).sum())
    assert found["f1"] == pytest.approx(2 * hits / ((said == 1).sum() + (y == 1).sum()))
    assert found["brier"] == pytest.approx(((score - y) ** 2).mean())
    assert found["accuracy"] == pytest.approx((said == y).mean())
    assert found["balanced_accuracy"] == pytest.approx(np.mean([(said == y)[y == k].mean() for k in (0, 1)]))
    assert found["log_loss"] == pytest.approx(-np.log(p[np.arange(rows), y]).mean())
    assert found["calibration_error"] == pytest.approx(calibration_error(y, p))


@pytest.mark.parametrize("classes", [3, 7])
def test_several_classes_by_their_definitions(classes: int) -> None:
    y, p = sample(60, classes)
    said, found = p.argmax(1), values(classes, y, p)
    one_hot = np.eye(classes)[y]
    there = np.unique(y)
    areas = [sk.roc_auc_score(y == k, p[:, k]) for k in there]
    assert found["roc_auc"] == pytest.approx(np.mean(areas))
    precisions = [sk.average_precision_score(y == k, p[:, k]) for k in there]
    assert found["average_precision"] == pytest.approx(np.mean(precisions))
    f1 = [2 * ((said == k) & (y == k)).sum() / max(1, (said == k).sum() + (y == k).sum()) for k in range(classes)]
    assert found["f1"] == pytest.approx(np.mean(f1))
    assert found["brier"] == pytest.approx(((p - one_hot) ** 2).sum(1).mean())
    assert found["calibration_error"] == pytest.approx(calibration_error(y, p))


def test_values_by_their_definitions() -> None:
    generator = np.random.default_rng(0)
    y = 1e9 + generator.normal(size=50)  # the digits that matter are the last ones
    predicted = y + generator.normal(size=50)
    found = {name: score["value"] for name, score in metrics.evaluate(problem(0), y, predicted, seed=0).items()}
    assert found["mae"] == pytest.approx(np.abs(y - predicted).mean())
    assert found["rmse"] == pytest.approx(np.sqrt(((y - predicted) ** 2).mean()))
    assert found["r2"] == pytest.approx(1 - ((y - predicted) ** 2).sum() / ((y - y.mean()) ** 2).sum())


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


@pytest.mark.grid
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
    assert metrics.resamples(problem(2), 25_000) == 200
    assert metrics.resamples(problem(0), 100_000) == 50
    assert metrics.resamples(problem(150), 500) == 66
    assert metrics.resamples(problem(150), 100_000) == metrics.FEWEST_RESAMPLES


def test_nothing_warns() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for classes in (2, 3):
            y, p = sample(6, classes)
            metrics.evaluate(problem(classes), y, p, seed=0)
        metrics.evaluate(problem(0), np.ones(1), np.ones(1), seed=0)
