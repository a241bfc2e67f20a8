"""Pictures of losses: loss and slope along a line of predictions, one line per value of a hyper-parameter.

The command line and the documentation draw the same ones.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from markupsafe import Markup
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from torchobjectives import _exports
from torchobjectives._registry import get, loss_class
from torchobjectives.workbench import docstrings, samples
from torchobjectives.workbench.drawing import COLORS, DASHES, INK, MARKERS, draw_figure
from torchobjectives.workbench.slices import Slice, slice_of, unit_of
from torchobjectives.workbench.varying import VARIATIONS, Variation

POINTS = 241


@dataclass(frozen=True)
class Curve:
    """One line: a loss and its slope."""

    label: str
    positions: list[float]
    values: list[float]
    slopes: list[float]


@dataclass(frozen=True)
class Panel:
    """The lines for one target."""

    title: str
    curves: list[Curve]


@dataclass(frozen=True)
class Picture:
    """What is drawn of a loss, and the words below it."""

    name: str
    axis: str
    unit: str
    panels: list[Panel]
    caption: str

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches."""
        return (1.4 + 4.0 * len(self.panels), 5.6)

    def paint(self, figure: Figure) -> None:
        """Draw onto a figure: the loss above, its slope below, a column per target."""
        rows = figure.subplots(2, len(self.panels), squeeze=False, sharex=True, sharey="row")
        for panel, above, below in zip(self.panels, *rows, strict=True):
            for place, curve in enumerate(panel.curves):
                style = line_style(place)
                above.plot(curve.positions, curve.values, label=curve.label, **style)
                below.plot(curve.positions, curve.slopes, **style)
            above.set_title(panel.title, fontsize=10)
            below.set_xlabel(self.axis)
            for axes in (above, below):
                _rules(axes)
        rows[0][0].set_ylabel(f"loss ({self.unit})" if self.unit else "loss")
        rows[1][0].set_ylabel("slope of the loss")
        if len(self.panels[0].curves) > 1:
            handles, labels = rows[0][0].get_legend_handles_labels()
            _legend(figure, handles, max(1, 52 * len(self.panels) // (8 + max(map(len, labels)))))

    def svg(self) -> Markup:
        """The picture as an element of a page, with ink of the page's colour."""
        return draw_figure(self.paint, label=f"{self.name}. {self.caption}", size=self.size)


def line_style(place: int) -> dict[str, Any]:
    """How one of several lines looks: dashes tell the first apart without colour, markers the ones after them."""
    style: dict[str, Any] = {"color": COLORS[place % len(COLORS)], "ls": DASHES[place % len(DASHES)]}
    if place >= len(DASHES):
        style |= {"marker": MARKERS[place % len(MARKERS)], "markevery": (5 * place, 40), "ms": 5}
    return style


def _rules(axes: Axes) -> None:
    for draw in (axes.axhline, axes.axvline):
        draw(0, color=INK, lw=0.5, alpha=0.4, zorder=0)


def _legend(figure: Figure, handles: list[Any], columns: int) -> None:
    figure.legend(handles=handles, loc="outside lower center", ncols=columns, handlelength=3.2)


def picture(name: str, variation: Variation | None = None) -> Picture:
    """What there is to draw of a loss.

    Args:
        name: the name of the loss.
        variation: the hyper-parameter whose values are drawn; by default one that shows what the loss is about.

    Raises:
        LookupError: no line is known along which the loss could be drawn.
        ValueError: a value is out of the range of its hyper-parameter.
        TypeError: a value has the wrong type.
    """
    kind = loss_class(name)
    line = slice_of(kind)
    given = samples.needed(kind)
    chosen = variation or VARIATIONS.get(name) or Variation("", ())
    settings = [(f"{chosen.name}={value!r}", {**given, chosen.name: value}) for value in chosen.values]
    panels = _panels(name, line, settings or [("", given)])
    caption = f"Against the {_what(line.axis)}; {line.caption}; {_settings(name, given, chosen)}."
    return Picture(name, line.axis, unit_of(docstrings.read(kind).body), panels, caption)


def _what(axis: str) -> str:
    residual = axis.startswith("y_pred − y_true")
    return f"residual {axis}" if residual else axis


def _settings(name: str, given: dict[str, Any], chosen: Variation) -> str:
    stated = [f"{key} = {value}" for key, value in given.items() if key != chosen.name]
    rest = "as by default" if not chosen.name else f"one line per {chosen.name}, other hyper-parameters as by default"
    return ", ".join([*stated, rest])


def _panels(name: str, line: Slice, settings: Sequence[tuple[str, dict[str, Any]]]) -> list[Panel]:
    """A panel for each target; those in which every line is that of the first are left out."""
    panels: list[Panel] = []
    for title, target in line.targets:
        curves = [_curve(label, *_drawn(name, line, given, target)) for label, given in settings]
        if not panels or not _alike(panels[0].curves, curves):
            panels.append(Panel(title, curves))
    return panels if len(panels) > 1 else [Panel("", panels[0].curves)]


def _curve(label: str, *numbers: torch.Tensor) -> Curve:
    return Curve(label, *(one.tolist() for one in numbers))


def _drawn(name: str, line: Slice, given: dict[str, Any], target: Any) -> tuple[torch.Tensor, ...]:
    # A head of its own starts from random weights: the same in every picture, and nobody else's draws change.
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        loss = get(name, **given).double().eval()
    return line.evaluate(loss, target, POINTS)


def _alike(first: list[Curve], second: list[Curve]) -> bool:
    pairs = zip(first, second, strict=True)
    return all(
        math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)
        for one, other in pairs
        for a, b in zip(one.values, other.values, strict=True)
    )


@dataclass(frozen=True)
class Comparison:
    """The members of a family in one figure; those that share an axis stand on one panel."""

    family: str
    curves: dict[str, list[Curve]]
    marks: dict[str, float]

    @property
    def caption(self) -> str:
        """The words below it."""
        marks = " and ".join(f"{mark:g} ({axis})" for axis, mark in self.marks.items())
        return (
            "Shapes, not sizes: each loss has its default hyper-parameters, and is drawn above its least value and "
            f"divided by what it has there at the mark, {marks}."
        )

    @property
    def size(self) -> tuple[float, float]:
        """Width and height in inches."""
        lines = sum(map(len, self.curves.values()))
        return (3.2 + 3.4 * len(self.curves), 3.8 + 0.12 * lines)

    def paint(self, figure: Figure) -> None:
        """Draw onto a figure."""
        row = figure.subplots(1, len(self.curves), squeeze=False, sharey=True)[0]
        handles: list[Any] = []
        for axes, (axis, curves) in zip(row, self.curves.items(), strict=True):
            for curve in curves:
                style = line_style(len(handles))
                handles += axes.plot(curve.positions, curve.values, label=curve.label, **style)
            axes.plot([self.marks[axis]], [1.0], ls="", marker="+", ms=14, color=INK)
            axes.set(xlabel=axis, ylim=(-0.1, 4.0))
            _rules(axes)
        row[0].set_ylabel("loss above its least, 1 at the mark")
        _legend(figure, handles, 2 * len(self.curves))

    def svg(self) -> Markup:
        """The picture as an element of a page, with ink of the page's colour."""
        return draw_figure(self.paint, label=f"The losses of {self.family}. {self.caption}", size=self.size)


def compare(family: str) -> Comparison:
    """The losses of a family beside each other.

    Raises:
        LookupError: no line is known along which one of them could be drawn.
    """
    found = Comparison(family, {}, {})
    for class_name, function in _exports.FAMILIES[family]:
        name = function or _exports.snake_case(class_name)
        kind = loss_class(name)
        line = slice_of(kind, zoom=False)
        where, values, slopes = _drawn(name, line, samples.needed(kind), line.targets[0][1])
        found.curves.setdefault(line.axis, []).append(_curve(name, where, _scaled(line, where, values), slopes))
        found.marks[line.axis] = line.reference
    return found


def _scaled(line: Slice, where: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    above = values - values.min()
    at_mark = above[(where - line.reference).abs().argmin()]
    # A loss that is least at the mark has no size there.
    size = at_mark if at_mark > 1e-6 * above.max() else above.max()
    return above / size.clamp(min=1e-12)
