"""How figures are drawn: ink that suits a light and a dark page, and what tells lines apart without colour."""

import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import matplotlib as mpl
from markupsafe import Markup, escape
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from torchobjectives.workbench.text import visible

# Drawn in this colour and replaced by the page's own, so that one figure serves light and dark.
INK = "#010203"
# All stand out by 3:1 or more from a white and from a near-black page.
BLUE, ORANGE = "#3a7fc1", "#c8701d"
COLORS = (BLUE, ORANGE, "#2f8f5b", "#9a63c4", "#c94a5c", "#1f8a99")
DASHES: tuple[Any, ...] = ("-", "--", "-.", ":", (0, (6, 1, 1, 1, 1, 1)), (0, (1, 3)))
MARKERS = "osD^v<>pP*"

STYLE: Any = {
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.6,
    "axes.spines.right": False,
    "axes.spines.top": False,
    "font.size": 10,
    "legend.fontsize": 9,
    "legend.frameon": False,
    "lines.linewidth": 1.6,
    "savefig.transparent": True,
    "svg.fonttype": "none",
    "text.color": INK,
    # A column may be called "$x$": names are text, never formulas.
    "text.parse_math": False,
    "xtick.color": INK,
    "ytick.color": INK,
}


@contextmanager
def styled(name: str) -> Iterator[None]:
    """Draw in this style; from the name come the ids inside a figure, which must differ on a page."""
    with mpl.rc_context(STYLE | {"svg.hashsalt": name}), warnings.catch_warnings():
        # A font without some sign is no fault of the run: the browser has its own fonts.
        warnings.filterwarnings("ignore", message=r"Glyph .* missing from font", category=UserWarning)
        # Numbers near the largest there are overflow in the margins of the axes.
        warnings.simplefilter("ignore", RuntimeWarning)
        yield


def draw(paint: Callable[[Axes], None], *, label: str, size: tuple[float, float] = (4.0, 2.8)) -> Markup:
    """Return what ``paint`` puts on one pair of axes as SVG, with a label for those who cannot see it.

    The label must differ between the figures of a page: from it come the ids inside the figure.
    """
    return draw_figure(lambda figure: paint(figure.add_subplot()), label=label, size=size)


def draw_figure(paint: Callable[[Figure], None], *, label: str, size: tuple[float, float]) -> Markup:
    """Return what ``paint`` puts on a figure as SVG, as :func:`draw` does."""
    with styled(label):
        figure = Figure(figsize=size, layout="constrained")
        paint(figure)
        buffer = io.StringIO()
        figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None, "Format": None, "Type": None})
    return Markup(_inline(buffer.getvalue(), visible(label)))


def draw_file(paint: Callable[[Figure], None], *, kind: str, size: tuple[float, float], written_by: str) -> bytes:
    """Return what ``paint`` puts on a figure as the content of a png, svg or pdf file, on white in any viewer."""
    with styled(written_by), mpl.rc_context({"savefig.transparent": False}):
        figure = Figure(figsize=size, layout="constrained", facecolor="white", dpi=150)
        paint(figure)
        buffer = io.BytesIO()
        metadata = {"Software" if kind == "png" else "Creator": written_by}
        figure.savefig(buffer, format=kind, metadata=metadata)
    return buffer.getvalue()


def _inline(svg: str, label: str) -> str:
    """Turn a stand-alone SVG file into an element of a page: no prologue, no namespaces, no style, no fixed size."""
    body = svg[svg.index("<svg") :]
    opening, rest = body.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', opening)
    for element in ("metadata", "style"):
        rest = re.sub(rf"<{element}\b.*?</{element}>", "", rest, flags=re.DOTALL)
    # Groups carry ids that repeat in every figure and that nothing refers to.
    rest = re.sub(r'<g id="[^"]*"', "<g", rest)
    rest = rest.replace(INK, "currentColor").replace("xlink:href", "href")
    return f'<svg role="img" aria-label="{escape(label)}" {box[0] if box else ""}>{rest}'
