"""The documentation site: ``./dev docs`` builds it into docs/_build/html. Nothing is fetched, now or when viewed."""

import re
import sys
from importlib import metadata
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.utils.math import MathError
from docutils.utils.math.latex2mathml import tex2mathml
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util import logging

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "src"), str(HERE)]

import atlas  # noqa: E402

from torchobjectives import _exports  # noqa: E402
from torchobjectives.workbench import finding  # noqa: E402

LOSSES = {name for pairs in _exports.FAMILIES.values() for pair in pairs for name in pair}

project = "torchobjectives"
author = "the torchobjectives authors"
copyright = author
version = release = metadata.version("torchobjectives")

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", f"losses/{atlas.INDEX}.md"]

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
    """The atlas, from the table of exports: a new loss needs no line here, and a page that lacks a part is an error."""
    losses, papers = list(finding.entries()), atlas.read_papers(HERE / "papers")
    try:
        atlas.check(losses, papers)
    except atlas.IncompleteError as error:
        raise ExtensionError(str(error)) from error
    folder = HERE / "losses"
    folder.mkdir(exist_ok=True)
    pages = atlas.pages(losses, papers)
    for old in folder.glob("*.md"):
        if old.name not in pages:
            old.unlink()
    for name, text in pages.items():
        page = folder / name
        if not page.exists() or page.read_text(encoding="utf-8") != text:
            page.write_text(text, encoding="utf-8")


def keep_the_reference(app: Sphinx, what: str, name: str, obj: Any, options: Any, lines: list[str]) -> None:
    """Leave of a loss's docstring what its page does not show elsewhere."""
    package, _, short = name.rpartition(".")
    if package == "torchobjectives" and short in LOSSES:
        lines[:] = atlas.reference_part(lines)


def _mathml(self: Any, node: nodes.Element, *, block: bool) -> None:
    # Sizes of brackets are the browser's affair, and docutils knows neither them nor an escaped underscore in \\text.
    formula = re.sub(r"\\([bB]igg?[lrm]?|textstyle)(?![a-zA-Z])", "", node.astext()).replace(r"\_", "_")
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
    # Before napoleon, which takes the parts for fields.
    app.connect("autodoc-process-docstring", keep_the_reference, priority=400)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
