"""Collects the outcome of every guarantee per loss and writes the table in docs/guarantees.md."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from torchobjectives import _exports
from torchobjectives._spec import GUARANTEES, LAWS

TABLE = Path(__file__).resolve().parent.parent / "docs" / "guarantees.md"
TORCH = torch.__version__.split("+")[0]

_cells: dict[tuple[str, str], str] = {}


def record(report: pytest.TestReport) -> None:
    """Keep the outcome of a test that carries the property ``guarantee`` = (loss, what, reason or "")."""
    if report.when != "call":
        return
    for key, value in report.user_properties:
        if key == "guarantee":
            loss, what, reason = value
            cell = "FAILS" if report.failed else (reason or "yes")
            worst = _cells.get((loss, what), "yes")
            _cells[loss, what] = cell if worst == "yes" else worst


def publish() -> None:
    """Write the table, if a whole run has been seen."""
    losses = sorted({loss for loss, _ in _cells})
    columns = [*GUARANTEES, "dtypes", "pure", "no_read"]
    if losses != sorted(_exports.LOSSES) or any((loss, what) not in _cells for loss in losses for what in columns):
        return
    TABLE.write_text(_page(losses, columns), encoding="utf-8")


def _page(losses: list[str], columns: list[str]) -> str:
    notes: list[str] = []

    def cell(loss: str, what: str) -> str:
        text = _cells[loss, what]
        if text in ("yes", "FAILS"):
            return text
        if text not in notes:
            notes.append(text)
        return f"no ({notes.index(text) + 1})"

    rows = [f"| {loss} | " + " | ".join(cell(loss, what) for what in columns) + " |" for loss in losses]
    laws = sorted({what for _, what in _cells if what in LAWS})
    law_rows = [
        f"| {loss} | " + " | ".join(cell(loss, law) if (loss, law) in _cells else "–" for law in laws) + " |"
        for loss in losses
    ]
    return "\n".join(
        [
            "# Guarantees",
            "",
            f"Written by the tests (`./dev test --all` renews it), torch {TORCH}, on the CPU; "
            "not edited by hand. No CUDA device was at hand: CPU = CUDA has not been run for this table.",
            "",
            *(f"- **{name}**: {text}" for name, text in GUARANTEES.items()),
            "- **dtypes**: float64, float32, bfloat16 and float16 in, the same dtype out; float32 under autocast",
            "- **pure**: no change of inputs, grad mode or random state",
            "- **no_read**: works on fake tensors: no value is read, so nothing waits for a device",
            "",
            "| loss | " + " | ".join(columns) + " |",
            "|---" * (len(columns) + 1) + "|",
            *rows,
            "",
            "## Laws of reduction",
            "",
            *(f"- **{name}**: {text}" for name, text in LAWS.items()),
            "",
            "| loss | " + " | ".join(laws) + " |",
            "|---" * (len(laws) + 1) + "|",
            *law_rows,
            "",
            "## Reasons",
            "",
            *(f"{number}. {note}" for number, note in enumerate(notes, 1)),
            "",
        ]
    )
