"""Pictures of regularization paths and of selected features."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from torchobjectives.optimality.paths import RegularizationPath
from torchobjectives.optimality.selection import FeatureSelection
from torchobjectives.workbench.drawing import BLUE, COLORS, DASHES, INK, ORANGE, styled
from torchobjectives.workbench.text import cut

# So many lines of weights are told apart, and have names in the legend.
NAMED = len(COLORS)
LONGEST_NAME = 24
MOST_BARS = 50
KINDS = (".png", ".svg", ".pdf")


def path(result: RegularizationPath, names: list[str] | None, file: str | Path | None) -> Figure:
    """Draw the weights, the number that is not 0, and the validation loss if there is one, one above the other."""
    return _figure(lambda figure: paint_path(figure, result, names), (6.0, 6.0), file)


def paint_path(figure: Figure, result: RegularizationPath, names: list[str] | None, weight: str = "weight") -> None:
    """Put a path on a figure; what its lines are is called ``weight``."""
    rows = 2 if result.validation is None else 3
    first, *others = figure.subplots(rows, sharex=True, height_ratios=[2, *[1] * (rows - 1)])
    _weights(first, result, names)
    first.set_ylabel(weight)
    lambdas = result.lambdas.numpy()
    others[0].step(lambdas, result.nonzeros.numpy(), where="mid", color=BLUE)
    others[0].set_ylabel("not 0")
    others[0].yaxis.set_major_locator(MaxNLocator(integer=True))
    if result.validation is not None:
        others[1].plot(lambdas, result.validation.numpy(), color=BLUE, marker="o", ms=3)
        others[1].set_ylabel("validation loss")
        for axes in (first, *others):
            axes.axvline(float(result.lambdas[result.best]), color=INK, lw=0.8, ls=":")
    others[-1].set(xlabel=f"coefficient of {result.term}", xscale="log" if lambdas.min() > 0 else "linear")
    # Names are text here, and so are powers of ten.
    others[-1].xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    # From strong to weak, as the path goes.
    others[-1].invert_xaxis()


def _weights(axes: Axes, result: RegularizationPath, names: list[str] | None) -> None:
    weights = result.coefficients.double().numpy()
    order = abs(weights).max(0).argsort(kind="stable")[::-1]
    for place, index in enumerate(order):
        if place < NAMED:
            label = None if names is None else _shown(names[index])
            style: dict[str, Any] = {"color": COLORS[place], "ls": DASHES[place], "label": label, "zorder": 3}
        else:
            style = {"color": INK, "lw": 0.6, "alpha": 0.35}
        axes.plot(result.lambdas.numpy(), weights[:, index], **style)
    axes.axhline(0, color=INK, lw=0.6)
    if names is not None:
        axes.legend(loc="center left", bbox_to_anchor=(1, 0.5))


def selection(result: FeatureSelection, file: str | Path | None) -> Figure:
    """Draw a bar for each feature, the best on top; of many, the best."""
    order = result.ranking_.argsort().tolist()[:MOST_BARS]

    def paint(figure: Figure) -> None:
        axes = figure.add_subplot()
        for place, index in enumerate(order):
            kept = bool(result.support_[index])
            face = BLUE if kept else "none"
            axes.barh(place, float(result.frequencies_[index]), height=0.7, facecolor=face, edgecolor=BLUE)
        axes.axvline(result.threshold, color=ORANGE, ls="--", label=f"threshold {result.threshold:g}")
        axes.set_yticks(range(len(order)), [_shown(result.names[index]) for index in order])
        axes.set(xlabel="share of the resamples that choose it", xlim=(0, 1), ylim=(len(order) - 0.4, -0.6))
        axes.legend(loc="lower right")

    return _figure(paint, (6.0, 1.2 + 0.22 * len(order)), file)


def _figure(paint: Callable[[Figure], None], size: tuple[float, float], file: str | Path | None) -> Figure:
    """The painted figure, written to a file where there is one."""
    if file is not None and Path(file).suffix.lower() not in KINDS:
        raise ValueError(f"cannot write a picture to {str(file)!r}: wanted a name that ends in {', '.join(KINDS)}.")
    with styled("optimality"):
        figure = Figure(figsize=size, layout="constrained", facecolor="white", dpi=150)
        paint(figure)
        if file is not None:
            figure.savefig(file, transparent=False, metadata=_undated(Path(file).suffix.lower()))
    return figure


def _undated(suffix: str) -> dict[str, Any]:
    """Metadata without the time: the same result gives the same file."""
    return {} if suffix == ".png" else {"Date": None} if suffix == ".svg" else {"CreationDate": None}


def _shown(name: str) -> str:
    # Matplotlib leaves labels that begin with an underscore out of legends: a space of no width comes first.
    return "\u200b" + cut(name, LONGEST_NAME)
