"""Collects the outcome of every row and writes docs/parity.md."""

from __future__ import annotations

import re
from importlib.metadata import version
from pathlib import Path

import pytest
import torch

from tests.parity.inputs import INPUTS
from tests.parity.rows import OTHERS, PEERS, REASONS, ROWS, Row

PAGE = Path(__file__).resolve().parents[2] / "docs" / "parity.md"
_outcomes: dict[int, str] = {}


def record(report: pytest.TestReport) -> None:
    """Keep the outcome of a test that carries the property ``parity`` = (number of the row, what is equal)."""
    if report.when == "call":
        for key, value in report.user_properties:
            if key == "parity":
                number, equal = value
                _outcomes[number] = "FAILS" if report.failed else equal


def publish() -> str:
    """Write the page, if every row has been seen; say what happened."""
    if len(_outcomes) < len(ROWS):
        return f"docs/parity.md stays as it is: {len(_outcomes)} of {len(ROWS)} rows have run"
    text = _page()
    same = PAGE.exists() and PAGE.read_text(encoding="utf-8") == text
    PAGE.write_text(text, encoding="utf-8")
    return f"docs/parity.md: {len(ROWS)} rows, {'unchanged' if same else 'rewritten'}"


def _cell(row: Row, number: int) -> str:
    return " | ".join([f"`{row.theirs}`", f"`{row.ours}`", row.inputs, _outcomes[number], row.why or row.note])


def _page() -> str:
    lines = [
        "# Parity",
        "",
        f"Written by `./dev parity`, torch {torch.__version__.split('+')[0]}, on the CPU; not edited by hand. The "
        "first two columns are what the tests run: `p` is the prediction, `y` the truth, `C` the number of classes, "
        "`N` that of samples, `w` a weight per sample; `one_hot` and `last` put the classes in the last axis. Float64 "
        "where the library keeps it.",
        "",
        "- **value, gradient**: both are equal, to 1e-9 (keras averages in float32: to 1e-6), "
        "looser where the note names the cause",
        "- **value**: the library gives no gradient",
        "- **no**: they are not equal, for the reason that stands beside it; the tests demand the difference",
        "",
        "Not among them: torchvision, timm, segmentation-models-pytorch and pytorch-toolbelt. torchvision from the "
        "registry is built for torch with CUDA and cannot be imported beside the CPU's, and the others need it.",
        "",
    ]
    for peer, distribution in PEERS.items():
        lines += [f"## {peer} {version(distribution)}", "", "| theirs | ours | inputs | equal | note |"]
        lines += ["|---|---|---|---|---|"]
        lines += [f"| {_cell(row, n)} |" for n, row in enumerate(ROWS) if row.peer == peer]
        lines += [f"| – | `{loss}` | – | no call | {why} |" for (loss, name), why in REASONS.items() if name == peer]
        names = ", ".join(f"`{name}`" for name in OTHERS[peer].split())
        lines += ["", f"Without a counterpart here: {names}.", ""]
    used = {row.inputs for row in ROWS}
    lines += ["## Inputs", "", *(f"- **{name}**: {text}" for name, (text, _) in INPUTS.items() if name in used), ""]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines))
