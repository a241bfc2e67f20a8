"""The atlas: a page per loss, a page per family and a table of all, from Specs, docstrings and pictures."""

from __future__ import annotations

import contextlib
import functools
import io
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from torchobjectives import _exports
from torchobjectives._spec import CLAIMS, GUARANTEES, LAWS
from torchobjectives.workbench import curves, docstrings, finding, samples, slices
from torchobjectives.workbench.finding import Entry

# File of docs/papers, without its suffix, → key → the entry as it stands there.
Papers = dict[str, dict[str, str]]
ENTRY = re.compile(r"^@\w+\s*\{\s*([^,\s]+)\s*,.*?^\}", re.MULTILINE | re.DOTALL)
# Formulas and code, within which a bar is a bar.
MATHS = re.compile(
    rf"({docstrings.DISPLAYED.pattern.replace('(.*', '(?:.*', 1)}|:math:`[^`]*`|``[^`]*``)", re.MULTILINE
)
NAMES = re.compile(rf"\b({'|'.join(sorted(_exports.LOSSES, key=len, reverse=True))})\b")
INDEX = "_index"


class IncompleteError(Exception):
    """A page would lack a part; the message names each loss and what it lacks."""


def read_papers(folder: Path) -> Papers:
    """All entries of the BibTeX files of a folder."""
    return {
        file.stem: {found[1]: found[0] for found in ENTRY.finditer(file.read_text(encoding="utf-8"))}
        for file in sorted(folder.glob("*.bib"))
    }


def paper(key: str, family: str, papers: Papers) -> str | None:
    """The entry of a key: that of the loss's own family, which may share a source with others, else any."""
    files = [papers.get(family, {}), *papers.values()]
    return next((file[key] for file in files if key in file), None)


def missing(found: Entry, papers: Papers) -> list[str]:
    """The parts that the page of a loss would lack, in words."""
    spec, said = found.spec, found.documentation
    lacking = [f"Spec.{part}" for part in ("use", "avoid", "paper") if not getattr(spec, part)]
    # What stands in every textbook has no one source.
    lacking += ["Spec.cites"] if not spec.cites and spec.paper != "textbook" else []
    lacking += [f"the BibTeX entry {key!r}" for key in spec.cites if paper(key, found.family, papers) is None]
    # A class without a function evaluates a network: its definition is prose.
    by_function = docstrings.documented(found.kind) is not found.kind
    parts = {"a formula (.. math::)": said.formula or not by_function, "Elsewhere:": said.elsewhere}
    lacking += [f"{part} in the docstring" for part, there in parts.items() if not there]
    for part, make in (("an example", samples.example), ("a curve", slices.slice_of)):
        try:
            make(found.kind)
        except LookupError as error:
            lacking.append(f"{part} ({error.args[0]})")
    return lacking


def check(losses: Iterable[Entry], papers: Papers) -> None:
    """See to it that every page will be whole.

    Raises:
        IncompleteError: one would not.
    """
    found = {one.name: lacking for one in losses if (lacking := missing(one, papers))}
    if found:
        lines = [f"{name} has no {', no '.join(lacking)}" for name, lacking in found.items()]
        raise IncompleteError("the atlas of losses is not complete:\n  " + "\n  ".join(lines))


def pages(losses: Sequence[Entry], papers: Papers) -> dict[str, str]:
    """Every page, by its file name in docs/losses."""
    families: dict[str, list[Entry]] = {}
    for one in losses:
        families.setdefault(one.family, []).append(one)
    written = {f"{one.name}.md": loss_page(one, papers) for one in losses}
    written |= {f"{family}.md": family_page(family, members) for family, members in families.items()}
    return {**written, f"{INDEX}.md": index(families)}


def loss_page(found: Entry, papers: Papers) -> str:
    """All about one loss."""
    spec, said = found.spec, found.documentation
    example = finding.example(found)
    drawn = curves.picture(found.name)
    entries = [paper(key, found.family, papers) for key in spec.cites]
    return "\n\n".join(
        [
            f"# {found.name}",
            _restructured(said.headline),
            f"Task: {spec.task}. Family: [{found.family}]({found.family}.md).",
            "## Formula",
            _restructured("\n\n".join(filter(None, (said.body, docstrings.of_family(found.kind))))),
            "## When to use it",
            f"**For:** {prose(spec.use)}",
            f"**Not for:** {prose(spec.avoid)}",
            "## Curve",
            figure(drawn.svg()),
            prose(drawn.caption),
            f"[Other values](../finding-a-loss.md): `torchobjectives show {found.name} --vary …`.",
            "## Example",
            f"```python\n{example}\n```",
            f"```text\n{printed(example)}```",
            "## Reference",
            _reference(found),
            "## Laws and guarantees",
            _laws(found),
            "## Elsewhere",
            _restructured(said.elsewhere),
            "## Paper",
            prose(spec.paper) + ".",
            *filter(None, [_restructured(said.source)]),
            *(f"```text\n{entry}\n```" for entry in entries),
        ]
    )


def _restructured(text: str) -> str:
    return f"```{{eval-rst}}\n.. currentmodule:: torchobjectives\n\n{_with_bars(text)}\n```"


def _with_bars(text: str) -> str:
    r"""A text in which the bars of \|d\| are bars: reStructuredText would look for a substitution."""
    parts = MATHS.split(text)
    parts[::2] = [part.replace("|", r"\|") for part in parts[::2]]
    return "".join(parts)


def _reference(found: Entry) -> str:
    by_function = docstrings.documented(found.kind) is not found.kind
    function = f".. autofunction:: {found.name}\n\n" if by_function else ""
    return _restructured(f"{function}.. autoclass:: {found.kind.__name__}")


def prose(text: str) -> str:
    """A sentence as Markdown, with names of losses as links to their pages."""
    return NAMES.sub(r"[\1](\1.md)", re.sub(r"([*<>\[\]`])", r"\\\1", text))


def figure(svg: str) -> str:
    """A picture in the page, whose ink it takes."""
    return f'```{{raw}} html\n<figure class="curve">{svg}</figure>\n```'


@functools.cache
def printed(program: str) -> str:
    """What a program prints."""
    output = io.StringIO()
    with contextlib.redirect_stdout(output):
        exec(compile(program, "example", "exec"), {"__name__": "__main__"})
    return output.getvalue()


def _laws(found: Entry) -> str:
    spec, rules = found.spec, {**LAWS, **GUARANTEES}
    items = [f"**{claim}**: {prose(CLAIMS[claim])}" for claim in spec.claims]
    items += [f"**not {law}** ({prose(rules[law])}): {prose(reason)}" for law, reason in spec.exemptions.items()]
    items += [f"{law}: {prose(words)}" for law, words in rules.items() if law not in spec.exemptions]
    tested = "Tested for every loss, as [the table of guarantees](../guarantees.md) says:"
    return tested + "\n\n" + "\n".join(f"- {item}" for item in items)


def family_page(family: str, members: Sequence[Entry]) -> str:
    """The losses of a family, beside each other."""
    parts = [
        f"# {family.capitalize()}",
        f"```{{eval-rst}}\n.. automodule:: torchobjectives.losses.{family}\n   :no-index:\n```",
    ]
    # One loss has nothing to be compared with.
    if len(members) > 1:
        compared = curves.compare(family)
        parts += [figure(compared.svg()), prose(compared.caption)]
    rows = [f"| [{one.name}]({one.name}.md) | {_cell(one.spec.use)} | {_cell(one.spec.avoid)} |" for one in members]
    parts += [
        "\n".join(["| loss | use it for | not for |", "|---|---|---|", *rows]),
        _toctree(one.name for one in members),
    ]
    return "\n\n".join(parts)


def index(families: dict[str, list[Entry]]) -> str:
    """The table of all losses, for docs/losses.md, beside which it is read."""
    rows = ["| loss | task | y_pred | y_true | use it for |", "|---|---|---|---|---|"]
    for members in families.values():
        for one in members:
            spec = one.spec
            kinds = (spec.task, spec.y_pred.replace("_", "-"), spec.y_true)
            use = re.sub(r"\]\((\w+\.md)", r"](losses/\1", _cell(spec.use))
            rows.append(f"| [{one.name}](losses/{one.name}.md) | {' | '.join(kinds)} | {use} |")
    return "\n".join(rows) + "\n\n" + _toctree(f"losses/{family}" for family in families)


def _cell(text: str) -> str:
    return prose(text).replace("|", r"\|")


def _toctree(documents: Iterable[str]) -> str:
    return "```{toctree}\n:maxdepth: 1\n:hidden:\n\n" + "\n".join(documents) + "\n```\n"


def reference_part(lines: list[str]) -> list[str]:
    """Of a docstring's lines those that belong to the signature: arguments, errors and the doctest.

    The rest has places of its own on the page.
    """
    first = next((at for at, line in enumerate(lines) if line.startswith("Args:")), None)
    last = next((at for at, line in enumerate(lines) if line.startswith(("Source:", "Elsewhere:"))), len(lines))
    if first is None:
        return lines
    code = next((at for at, line in enumerate(lines) if line.startswith(">>>")), last)
    return [*_with_bars("\n".join(lines[first:code])).splitlines(), "", *lines[code:last]]
