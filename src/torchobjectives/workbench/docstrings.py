"""The parts of a loss's docstring, the one home of its formula, its arguments and its remarks on other libraries."""

import inspect
import re
import sys
from dataclasses import dataclass, field

from torchobjectives import Loss

# What opens a part, at the left margin.
MARKERS = ("Args:", "Raises:", "When called:", "Source:", "Elsewhere:", ">>>")


@dataclass(frozen=True)
class Documentation:
    """What a docstring says, part by part; a part that it lacks is empty."""

    headline: str = ""
    body: str = ""
    parts: dict[str, str] = field(default_factory=dict)

    @property
    def formula(self) -> str:
        """The LaTeX of the first displayed formula."""
        return next(iter(formulas(self.body)), "")

    @property
    def arguments(self) -> dict[str, str]:
        """Each argument and what is said of it, in one line."""
        entries = re.split(r"^ {4}(?=\w)", self.parts.get("Args:", ""), flags=re.MULTILINE)
        pairs = (_one_line(entry).partition(": ") for entry in entries[1:])
        return {name: text for name, _, text in pairs}

    @property
    def source(self) -> str:
        """Where the loss comes from."""
        return _one_line(self.parts.get("Source:", ""))

    @property
    def elsewhere(self) -> str:
        """Where other libraries differ."""
        return _one_line(self.parts.get("Elsewhere:", ""))


def documented(kind: type[Loss]) -> object:
    """What carries the documentation of a loss: its function; of a class that has none, the class."""
    return getattr(kind, "function", kind)


def read(kind: type[Loss]) -> Documentation:
    """The documentation of a loss."""
    return parse(inspect.getdoc(documented(kind)) or "")


def of_family(kind: type[Loss]) -> str:
    """What a family says of all its members, such as the letters of its formulas; not its headline."""
    return parse(inspect.getdoc(sys.modules[kind.__module__]) or "").body


def parse(text: str) -> Documentation:
    r"""Split a docstring at its markers.

    >>> parse("Half.\n\n.. math:: x\n\nArgs:\n    y: one,\n        two.\n\nElsewhere: no\nwhere.").arguments
    {'y': 'one, two.'}
    """
    headline, _, rest = text.strip().partition("\n")
    opened = "body"
    found: dict[str, list[str]] = {opened: []}
    for line in rest.splitlines():
        marker = next((marker for marker in MARKERS if line.startswith(marker)), None)
        if marker is not None and marker != opened:
            opened = marker
            line = line if marker == ">>>" else line.removeprefix(marker).strip()
        found.setdefault(opened, []).append(line)
    parts = {marker: "\n".join(lines).strip("\n") for marker, lines in found.items()}
    return Documentation(headline.strip(), parts.pop("body").strip("\n"), parts)


DISPLAYED = re.compile(r"^\.\. math::(.*(?:\n(?: .*|(?=\n +\S)))*)", re.MULTILINE)


def formulas(body: str) -> list[str]:
    r"""The displayed formulas of a text.

    >>> formulas("First\n\n.. math:: x + y, \\\\\n    z\n\nthen.")
    ['x + y, \\\\\nz']
    """
    return [_flush_left(found[1]) for found in DISPLAYED.finditer(body)]


def readable(body: str) -> str:
    r"""A text without the marks of reStructuredText: formulas stand as they were written, indented.

    >>> print(readable("With :math:`d` as in :func:`l1_loss`, ``x``:\n\n.. math:: d^2"))
    With d as in l1_loss, x:
    <BLANKLINE>
        d^2
    """
    text = DISPLAYED.sub(lambda found: "\n".join(f"    {line}" for line in _flush_left(found[1]).splitlines()), body)
    text = re.sub(r":\w+(?::\w+)?:`~?([^`]*)`", r"\1", text)
    return text.replace("``", "")


def _flush_left(text: str) -> str:
    return "\n".join(line.strip() for line in text.strip().splitlines() if line.strip())


def _one_line(text: str) -> str:
    return " ".join(text.split())
