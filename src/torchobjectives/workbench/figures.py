"""The report's figures as inline SVG: text stays text, ink follows the page's colour."""

import io
import re
import warnings
from collections.abc import Callable
from typing import Any

import matplotlib as mpl
import numpy as np
import polars as pl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray
from sklearn.calibration import calibration_curve

Array = NDArray[Any]

# Drawn in this colour and replaced by the page's own, so that one figure serves light and dark.
INK = "#010203"
# Both stand out by 3:1 or more from a white and from a near-black page.
BLUE, ORANGE = "#3a7fc1", "#c8701d"
MOST_POINTS = 1000
GRID = 120

STYLE: Any = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 10,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "savefig.transparent": True,
    "svg.fonttype": "none",
    "svg.hashsalt": "torchobjectives",
    "text.color": INK,
    # A column may be called "$x$": names are text, never formulas.
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
}


def draw(paint: Callable[[Axes], None], *, label: str, size: tuple[float, float] = (4.0, 2.8)) -> Markup:
    """Return what ``paint`` puts on one pair of axes as SVG, with a label for those who cannot see it."""
    with mpl.rc_context(STYLE), warnings.catch_warnings():
        # A font without some sign is no fault of the run: the browser has its own fonts.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font", category=UserWarning)
        figure = Figure(figsize=size, layout="constrained")
        paint(figure.add_subplot())
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return Markup(_inline(buffer.getvalue(), label))


def _inline(svg: str, label: str) -> str:
    """Turn a stand-alone SVG file into an element of a page: no prologue, no namespaces, no fixed size."""
    body = svg[svg.index("<svg") :]
    opening, rest = body.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', opening)
    rest = re.sub(r"<metadata>.*?</metadata>", "", rest, flags=re.DOTALL)
    # Groups carry ids that repeat in every figure and that nothing refers to.
    rest = re.sub(r'<g id="[^"]*"', "<g", rest)
    rest = rest.replace(INK, "currentColor").replace("xlink:href", "href")
    return f'<svg role="img" aria-label="{escape(label)}" {box[0] if box else ""}>{rest}'


def learning_curve(history: pl.DataFrame, term: str) -> Markup:
    """Draw one term of the objective over the epochs, on training and on validation rows."""

    def paint(axes: Axes) -> None:
        epochs = history["epoch"].to_numpy()
        marker = "o" if len(epochs) == 1 else None
        axes.plot(epochs, history[f"train_{term}"].to_numpy(), color=BLUE, label="training", marker=marker)
        axes.plot(epochs, history[f"valid_{term}"].to_numpy(), color=ORANGE, label="validation", ls="--", marker=marker)
        axes.set(xlabel="epoch", ylabel=term)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True))
        axes.legend()

    return draw(paint, label=f"{term} by epoch, on training and validation rows")


def reliability(y: Array, probabilities: Array) -> Markup:
    """Draw how often a stated probability came true: of class 1, or of the class predicted."""
    if probabilities.shape[1] == 2:
        said, came_true, what = probabilities[:, 1], y == 1, "probability of the positive class"
    else:
        said, came_true, what = probabilities.max(1), y == probabilities.argmax(1), "probability of the predicted class"
    share, mean = calibration_curve(came_true, np.clip(said, 0, 1), n_bins=10)

    def paint(axes: Axes) -> None:
        axes.plot([0, 1], [0, 1], color=INK, lw=0.8, ls=":", label="ideal")
        axes.plot(mean, share, color=BLUE, marker="o", ms=4, label="model")
        axes.set(xlabel=what, ylabel="share that came true", xlim=(-0.03, 1.03), ylim=(-0.03, 1.03))
        axes.legend()

    return draw(paint, label=f"Reliability: {what} against the share that came true")


def residuals(y: Array, predicted: Array) -> Markup:
    """Draw truth minus prediction over the prediction."""
    chosen = _thinned(len(y))

    def paint(axes: Axes) -> None:
        axes.axhline(0, color=INK, lw=0.8, ls=":")
        axes.plot(predicted[chosen], (y - predicted)[chosen], ls="", marker="o", ms=3, mew=0, color=BLUE, alpha=0.7)
        axes.set(xlabel="prediction", ylabel="target − prediction")

    return draw(paint, label="Residuals: target minus prediction, by prediction")


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
    chosen = _thinned(len(y))

    def paint(axes: Axes) -> None:
        if len(names) == 2:
            shade = said[:, 1].reshape(GRID, GRID)
            filled = axes.contourf(across, up, shade, levels=np.linspace(0, 1, 11), cmap="RdBu_r", alpha=0.6)
            if shade.min() < 0.5 < shade.max():
                axes.contour(across, up, shade, levels=[0.5], colors=INK, linewidths=1)
            _bar(axes, filled, f"probability of {_short(names[1])}")
        elif names:
            levels = np.arange(len(names) + 1) - 0.5
            axes.contourf(across, up, said.argmax(1).reshape(GRID, GRID), levels=levels, cmap="tab10", alpha=0.35)
        else:
            _bar(axes, axes.contourf(across, up, said.reshape(GRID, GRID), levels=12, alpha=0.8), "prediction")
        _scatter(axes, points[chosen], y[chosen], names)
        axes.set(xlabel=_short(columns[0]), ylabel=_short(columns[1]))

    return draw(paint, label=f"Decision regions over {columns[0]} and {columns[1]}", size=(4.0, 3.5))


def _bar(axes: Axes, filled: Any, label: str) -> None:
    figure = axes.get_figure()
    assert figure is not None
    figure.colorbar(filled, ax=axes, label=label, shrink=0.9)


def _scatter(axes: Axes, points: Array, y: Array, names: list[str]) -> None:
    style: dict[str, Any] = {"ls": "", "ms": 3, "mew": 0.4, "mec": "white"}
    if not names:
        axes.plot(*points.T, marker="o", color=INK, **style)
        return
    colors = (BLUE, ORANGE) if len(names) == 2 else [f"C{index % 10}" for index in range(len(names))]
    for index, name in enumerate(names):
        axes.plot(
            *points[y == index].T, marker="osD^v<>pP*"[index % 10], color=colors[index], label=_short(name), **style
        )
    if len(names) <= 10:
        axes.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=5, fontsize=9)


def _short(name: str) -> str:
    """Cut a name that would not fit beside a figure.

    >>> _short("label"), _short("a column whose name is a sentence")
    ('label', 'a column whose name…')
    """
    text = " ".join(name.split())
    return text if len(text) <= 20 else text[:19].rstrip() + "…"


def _thinned(rows: int) -> Array:
    """Return the numbers of at most MOST_POINTS rows, evenly: a browser draws each point."""
    return np.unique(np.linspace(0, rows - 1, min(rows, MOST_POINTS)).astype(int))
