"""What the report says in tables: of the data, of the weights, and of the machine."""

import os
import platform
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
import polars as pl
import torch
from torch import nn

from torchobjectives.penalties._methods import makes_zeros
from torchobjectives.workbench import preprocessing
from torchobjectives.workbench.text import number

if TYPE_CHECKING:
    from torchobjectives.workbench.config import RunConfig
    from torchobjectives.workbench.objectives import Fitted
    from torchobjectives.workbench.run import Prepared

PACKAGES = ("torchobjectives", "torch", "lightning", "scikit-learn", "polars", "numpy", "matplotlib", "skops")


def environment(accelerator: str) -> dict[str, str]:
    """Return what the run ran on: Python, the machine, the device, and the versions of the packages."""
    name = f" ({torch.cuda.get_device_name()})" if accelerator == "cuda" else ""
    return {
        "Python": f"{platform.python_version()} ({platform.python_implementation()})",
        "Platform": platform.platform(),
        "CPUs": str(os.cpu_count()),
        "Device": accelerator + name,
        "Packages": ", ".join(f"{package} {version(package)}" for package in PACKAGES),
    }


def weights(network: nn.Module, objective: nn.Module) -> list[dict[str, Any]]:
    """Return a row per parameter, those that a loss brings along included: shape, norms, exact zeros."""
    parameters = [*network.named_parameters(), *objective.named_parameters(prefix="objective")]
    return [
        {
            "name": name,
            "shape": " × ".join(map(str, value.shape)),
            "l1": float(value.detach().abs().sum()),
            "l2": float(value.detach().square().sum().sqrt()),
            "zeros": int((value == 0).sum()),
            "count": value.numel(),
        }
        for name, value in parameters
    ]


def use(prepared: "Prepared", network: nn.Module) -> dict[str, Any] | None:
    """Return how much the first layer reads of each column of the data, most first, and which it does not read.

    A column's use is the norm of the weights on all its inputs (its number and its missing-value indicator, or its
    categories), each weight times the standard deviation of its input in the training rows: 1 for a scaled number, 0
    for one that never changes. None where no first layer reads the inputs.
    """
    width, train = prepared.x.shape[1], prepared.rows["train"]
    first = next((m for m in network.modules() if isinstance(m, nn.Linear) and m.in_features == width), None)
    if first is None:
        return None
    weight = first.weight.detach().double().cpu().numpy()
    columns = list(prepared.kinds)
    owner = np.array([columns.index(column) for _, column in preprocessing.inputs(prepared.transformer)])
    # Column by column: all of them at once, in float64, would be twice the table.
    variance = np.array([column[train].var(dtype=np.float64) for column in prepared.x.T])
    power = (weight**2).sum(0) * variance
    norms = np.sqrt(np.bincount(owner, weights=power, minlength=len(columns)))
    counts = np.bincount(owner, minlength=len(columns))
    touched = np.bincount(owner, weights=(weight != 0).any(0), minlength=len(columns))
    order = np.argsort(-norms, kind="stable")
    largest = float(norms.max()) or 1.0
    return {
        "rows": [
            {
                "name": columns[index],
                "inputs": int(counts[index]),
                "norm": float(norms[index]),
                "share": float(norms[index]) / largest,
            }
            for index in order
            if touched[index]
        ],
        "columns": len(columns),
        "dropped": [column for column, hits in zip(columns, touched, strict=True) if not hits],
    }


def sparsity(prepared: "Prepared", fitted: "Fitted") -> dict[str, int]:
    """Return how many of the weights that penalties may make 0 are 0, and how many columns are still read."""
    penalised = {
        id(weight): weight
        for penalty in fitted.objective.penalties.values()
        if makes_zeros(penalty)
        for weight in (piece.weight for piece in penalty.pieces(fitted.network))
    }.values()
    read = use(prepared, fitted.network)
    assert read is not None
    return {
        "zeros": sum(int((weight == 0).sum()) for weight in penalised),
        "weights": sum(weight.numel() for weight in penalised),
        "columns_read": len(read["rows"]),
        "columns": read["columns"],
    }


def decay(config: "RunConfig", unit: float) -> str | None:
    """Say what the optimizer's own weight decay minimises; None where there is none."""
    if not config.weight_decay:
        return None
    if config.decoupled:
        return (
            "adamw shrinks every weight by the factor 1 − learning rate · weight decay at each step. That is not L2, "
            "and minimises nothing that could be written beside the loss; --l2 is, or adam."
        )
    # The optimizer sees the objective divided by the unit, and its own decay beside that.
    return f"With {config.optimizer} this adds ½·{config.weight_decay * unit:.4g}·Σw² to the objective."


def columns(prepared: "Prepared") -> list[dict[str, Any]]:
    """Return a row per column of the data: role, type, missing share, distinct values and their range."""
    table = prepared.table
    kinds = {table.target.name: "target", **prepared.kinds}
    rows = []
    for column in [table.target, *table.features.iter_columns()]:
        known = (column.fill_nan(None) if column.dtype.is_float() else column).drop_nulls()
        rows.append(
            {
                "name": column.name,
                "kind": kinds[column.name],
                "dtype": str(column.dtype),
                "missing": (len(column) - len(known)) / len(column),
                "distinct": known.n_unique(),
                **_range(known),
            }
        )
    return rows


def _range(known: pl.Series) -> dict[str, str]:
    """Return the smallest and the largest value, or of text the most frequent one and its share."""
    if known.is_empty():
        return {"range": "–", "share": ""}
    if known.dtype.is_numeric():
        low, high = (number(float(end)) for end in (known.min(), known.max()))  # type: ignore[arg-type]
        return {"range": f"{low} to {high}", "share": ""}
    if known.dtype.is_temporal():
        return {"range": f"{known.min()!s} to {known.max()!s}", "share": ""}
    counts = known.cast(pl.String).alias("value").value_counts(name="rows")
    value, rows = counts.sort(["rows", "value"], descending=[True, False]).row(0)
    return {"range": value, "share": f"({100 * rows / len(known):.0f} %)"}


def class_rows(prepared: "Prepared") -> list[tuple[str, int, int]]:
    """Return each class with its training and its validation rows."""
    names = prepared.problem.class_names
    if not names:
        return []
    counts = [
        np.bincount(prepared.y[prepared.rows[part]], minlength=len(names)).tolist() for part in ("train", "valid")
    ]
    return list(zip(names, *counts, strict=True))
