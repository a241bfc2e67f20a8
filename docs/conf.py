"""The documentation site: ``./dev docs`` builds it into docs/_build/html. Nothing is fetched, now or when viewed."""

import re
import sys
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent / "src"))

import torchobjectives  # noqa: E402
from torchobjectives import _exports  # noqa: E402

project = "torchobjectives"
author = "the torchobjectives authors"
copyright = author
version = release = torchobjectives.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build"]

html_theme = "furo"
html_title = f"torchobjectives {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False

myst_heading_anchors = 3

autodoc_typehints = "signature"
autodoc_member_order = "bysource"
maximum_signature_line_length = 80
python_use_unqualified_type_names = True
napoleon_numpy_docstring = False


def write_loss_pages(app: Sphinx) -> None:
    """One page per family of losses, from the table of exports: a new loss needs no line in the docs."""
    folder = HERE / "losses"
    folder.mkdir(exist_ok=True)
    pages = {f"{family}.md": _family_page(family) for family in _exports.FAMILIES}
    for old in folder.glob("*.md"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        page = folder / name
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def _family_page(family: str) -> str:
    lines = [f"# {family.capitalize()}", "", "```{eval-rst}", f".. automodule:: torchobjectives.losses.{family}"]
    lines += ["   :no-index:", "", ".. currentmodule:: torchobjectives", "```", ""]
    for class_name, function in _exports.FAMILIES[family]:
        lines += [f"## {function or class_name}", "", "```{eval-rst}", ".. currentmodule:: torchobjectives", ""]
        lines += [f".. autofunction:: {function}", ""] if function else []
        lines += [f".. autoclass:: {class_name}", "```", ""]
    return "\n".join(lines)


def _mathml(self: Any, node: nodes.Element, *, block: bool) -> None:
    # Sizes of brackets are the browser's affair, and docutils knows neither them nor an escaped underscore in \\text.
    formula = re.sub(r"\\[bB]igg?[lrm]?(?![a-zA-Z])", "", node.astext()).replace(r"\_", "_")
    try:
        mathml = tex2mathml(formula, as_block=block)
    except MathError as error:
        logging.getLogger(__name__).warning("no MathML for %s: %s", formula, error, location=node)
        mathml = f"<code>{self.encode(node.astext())}</code>"
    self.body.append(f'<div class="math">{mathml}</div>' if block else mathml)
    raise nodes.SkipNode


def _inline_math(self: Any, node: nodes.Element) -> None:
    _mathml(self, node, block=False)


def _block_math(self: Any, node: nodes.Element) -> None:
    _mathml(self, node, block=True)


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_html_math_renderer("mathml", (_inline_math, None), (_block_math, None))
    app.connect("builder-inited", write_loss_pages)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
