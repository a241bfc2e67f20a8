"""The report's figures as inline SVG: text stays text, ink follows the page's colour.

What colour tells, a dash, a marker or a lightness tells, too.
"""

from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from torchobjectives.workbench import metrics
from torchobjectives.workbench.drawing import BLUE, COLORS, DASHES, INK, MARKERS, ORANGE, draw
from torchobjectives.workbench.text import cut, width

Array = NDArray[Any]

LONGEST_NAME = 20  # in characters, as is the next
LEGEND_WIDTH = 46
MOST_POINTS = 1000
MOST_STEPS = 400
GRID = 120


def learning_curve(history: pl.DataFrame, term: str) -> Markup:
    """Draw one term of the objective over the epochs, on training and on validation rows."""

    def paint(axes: Axes) -> None:
        epochs = np.arange(1, history.height + 1)
        marker = "o" if history.height == 1 else None
        for part, color, dash in (("training", BLUE, "-"), ("validation", ORANGE, "--")):
            name = f"{part[:5]}_{term}"
            if name in history.columns:
                axes.plot(epochs, history[name].to_numpy(), color=color, ls=dash, label=part, marker=marker)
        axes.set(xlabel="epoch", ylabel=_name(term))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()

    return draw(paint, label=f"{term} by epoch, on training and validation rows")


def precision_recall(y: Array, p: Array, names: list[str], threshold: dict[str, float] | None) -> Markup:
    """Draw precision over recall: of class 1 of two, of each of a few classes, or of many the mean and the worst."""
    positives = [1] if len(names) == 2 else [index for index in range(len(names)) if (y == index).any()]
    curves = {index: metrics.precision_recall(y == index, p[:, index])[1:] for index in positives}

    def paint(axes: Axes) -> None:
        if len(curves) <= len(COLORS):
            for number, (index, (precision, recall)) in enumerate(curves.items()):
                shown = _thinned(len(recall), MOST_STEPS)
                style = {"color": COLORS[number], "ls": DASHES[number], "label": _name(names[index])}
                axes.plot(recall[shown], precision[shown], drawstyle="steps-pre", **style)
        else:
            _mean_and_worst(axes, curves, names)
        if len(names) == 2:
            axes.axhline((y == 1).mean(), color=INK, lw=0.8, ls=":", label="constant")
        if threshold is not None:
            at = (threshold["recall"], threshold["precision"])
            axes.plot(*at, ls="", marker="D", ms=6, color=INK, label=f"threshold {threshold['value']:.3g}")
        axes.set(xlabel="recall", ylabel="precision", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
        _legend_above(axes)

    whose = f"of {names[1]}" if len(names) == 2 else "class against rest"
    return draw(paint, label=f"Precision over recall, {whose}", size=(4.0, 3.4))


def _mean_and_worst(axes: Axes, curves: dict[int, tuple[Array, Array]], names: list[str]) -> None:
    grid = np.linspace(0, 1, 101)
    # The best precision at this recall or more, which exists at every recall.
    envelopes = {
        index: np.maximum.accumulate(precision[::-1])[::-1][np.searchsorted(recall, grid - 1e-12)]
        for index, (precision, recall) in curves.items()
    }
    worst = min(envelopes, key=lambda index: float(envelopes[index].mean()))
    axes.plot(grid, np.mean(list(envelopes.values()), axis=0), color=BLUE, label="mean of the classes")
    axes.plot(grid, envelopes[worst], color=ORANGE, ls="--", label=f"lowest: {_name(names[worst])}")


def reliability(y: Array, p: Array) -> Markup:
    """Draw how often a stated probability came true: of class 1, or of the class predicted."""
    came_true, said = metrics.confidence(y, p)
    what = "probability of the positive class" if p.shape[1] == 2 else "probability of the predicted class"
    bins = metrics.bins_of(said)
    rows = np.bincount(bins, minlength=metrics.BINS)
    filled = rows > 0
    mean = np.bincount(bins, weights=said, minlength=metrics.BINS)[filled] / rows[filled]
    share = np.bincount(bins, weights=came_true, minlength=metrics.BINS)[filled] / rows[filled]

    def paint(axes: Axes) -> None:
        middle = (np.arange(metrics.BINS) + 0.5) / metrics.BINS
        axes.bar(middle, rows / len(y), width=0.09, color=INK, alpha=0.18, lw=0, label="share of the rows")
        axes.plot([0, 1], [0, 1], color=INK, lw=0.8, ls=":", label="ideal")
        axes.plot(mean, share, color=BLUE, marker="o", ms=4, label="model")
        axes.set(xlabel=what, ylabel="share that came true", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
        _legend_above(axes)

    return draw(paint, label=f"Reliability: {what} against the share that came true", size=(4.0, 3.4))


def residuals(y: Array, predicted: Array) -> Markup:
    """Draw truth minus prediction over the prediction."""
    chosen = _thinned(len(y), MOST_POINTS)

    def paint(axes: Axes) -> None:
        axes.axhline(0, color=INK, lw=0.8, ls=":")
        axes.plot(predicted[chosen], (y - predicted)[chosen], ls="", marker="o", ms=3, mew=0, color=BLUE, alpha=0.7)
        axes.set(xlabel="prediction", ylabel="target − prediction")

    return draw(paint, label="Residuals: target minus prediction, by prediction")


def residual_histogram(y: Array, predicted: Array) -> Markup:
    """Draw how the residuals are spread."""

    def paint(axes: Axes) -> None:
        bins = int(np.clip(np.sqrt(len(y)), 5, 40))
        axes.hist(y - predicted, bins=bins, color=BLUE, edgecolor=INK, lw=0.4, alpha=0.8)
        axes.axvline(0, color=INK, lw=0.8, ls=":")
        axes.set(xlabel="target − prediction", ylabel="rows")

    return draw(paint, label="How many validation rows have which residual")


def regions(
    columns: tuple[str, str], points: Array, y: Array, names: list[str], surface: Callable[[Array], Array]
) -> Markup:
    """Draw what the model says over the plane of its two columns, with the validation rows on it.

    Args:
        columns: Names of the two columns.
        points: Validation rows, (N, 2).
        y: Their truth, encoded.
        names: The classes; none for a regression.
        surface: From (M, 2) points to predictions, (M,) or (M, K).
    """
    low, high = points.min(0), points.max(0)
    margin = 0.05 * (high - low) + 1e-9
    across, up = (np.linspace(a, b, GRID) for a, b in zip(low - margin, high + margin, strict=True))
    said = surface(np.stack([grid.ravel() for grid in np.meshgrid(across, up)], axis=1))
    chosen = _thinned(len(y), MOST_POINTS)

    def paint(axes: Axes) -> None:
        if len(names) == 2:
            shade = said[:, 1].reshape(GRID, GRID)
            filled = axes.contourf(across, up, shade, levels=np.linspace(0, 1, 11), cmap="cividis", alpha=0.8)
            if shade.min() < 0.5 < shade.max():
                axes.contour(across, up, shade, levels=[0.5], colors=INK, linewidths=1)
            _bar(axes, filled, f"probability of {_name(names[1])}")
        elif names:
            best = said.argmax(1).reshape(GRID, GRID)
            levels = np.arange(len(names) + 1) - 0.5
            axes.contourf(across, up, best, levels=levels, cmap="tab10", alpha=0.35)
            if best.min() < best.max():
                axes.contour(across, up, best, levels=levels[1:-1], colors=INK, linewidths=0.6)
        else:
            _bar(axes, axes.contourf(across, up, said.reshape(GRID, GRID), levels=12, alpha=0.8), "prediction")
        _scatter(axes, points[chosen], y[chosen], names)
        axes.set(xlabel=_name(columns[0]), ylabel=_name(columns[1]))

    # Room for a legend of one row per name.
    size = (4.0, 3.2 + (0.18 * len(names) if len(names) <= len(MARKERS) else 0))
    return draw(paint, label=f"Decision regions over {columns[0]} and {columns[1]}", size=size)


def _bar(axes: Axes, filled: Any, label: str) -> None:
    figure = axes.get_figure()
    assert figure is not None
    figure.colorbar(filled, ax=axes, label=label, shrink=0.9)


def _scatter(axes: Axes, points: Array, y: Array, names: list[str]) -> None:
    style: dict[str, Any] = {"ls": "", "ms": 3.5, "mew": 0.5}
    if not names:
        axes.plot(*points.T, marker="o", color="white", mec="black", **style)
        return
    # Two classes are told apart by light and dark, which also show on any shade of the plane below.
    fills = ("white", "black") if len(names) == 2 else [f"C{index % 10}" for index in range(len(names))]
    edges = ("black", "white") if len(names) == 2 else ["white"] * len(names)
    for index, name in enumerate(names):
        marker = MARKERS[index % len(MARKERS)]
        axes.plot(
            *points[y == index].T, marker=marker, color=fills[index], mec=edges[index], label=_name(name), **style
        )
    if len(names) <= len(MARKERS):
        _legend_above(axes)


def _legend_above(axes: Axes) -> None:
    """Put the legend where no line can run through it, in as many columns as fit."""
    labels = axes.get_legend_handles_labels()[1]
    columns = int(np.clip(LEGEND_WIDTH // (max(map(width, labels)) + 5), 1, len(labels)))
    axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=columns)


def _name(name: str) -> str:
    # Matplotlib leaves labels that begin with an underscore out of legends: a space of no width comes first.
    return "\u200b" + cut(name, LONGEST_NAME)


def _thinned(rows: int, most: int) -> Array:
    """Return the numbers of at most this many rows, evenly: a browser draws each point."""
    return np.unique(np.linspace(0, rows - 1, min(rows, most)).astype(int))
