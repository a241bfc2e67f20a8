"""The parameters of a model as a table: what each is for, and what was said of it."""

from dataclasses import dataclass
from typing import final

from torch import nn
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils.parametrize import ParametrizationList, type_before_parametrizations

from torchobjectives.params._marks import Mark
from torchobjectives.params._roles import Entry, Role, inventory

__all__ = ["ParameterRow", "ParameterTable", "aligned", "parameter_table"]


@final
@dataclass(frozen=True)
class ParameterRow:
    """One parameter tensor of a model."""

    name: str  # the first under which the model lists it
    shape: tuple[int, ...] | None  # None before a lazy layer has seen a batch
    role: Role
    owner: str  # the class of the layer that holds it
    trainable: bool
    tied: tuple[str, ...]  # its further names
    mark: Mark | None


@final
class ParameterTable(tuple[ParameterRow, ...]):
    """The rows of ``parameter_table``; printed, they are a table."""

    __slots__ = ()

    def __repr__(self) -> str:
        rows = [["name", "shape", "role", "owner", "trainable", "tied to", "mark"]]
        for row in self:
            shape = "not yet known" if row.shape is None else "×".join(map(str, row.shape)) or "scalar"
            state = "yes" if row.trainable else "frozen"
            rows.append([row.name, shape, row.role, row.owner, state, ", ".join(row.tied) or "-", row.mark or "-"])
        return aligned(rows)


def parameter_table(model: nn.Module) -> ParameterTable:
    """Every parameter tensor of a model in one row: name, shape, role, owner, trainable, tied names, mark.

    What ``select.weights()`` selects are the rows with the role ``weight`` or the mark ``regularized``, without
    those marked ``unregularized`` and the frozen ones.

    Args:
        model: Any module; wrappers such as ``DistributedDataParallel`` and ``torch.compile`` change names alone.

    Returns:
        The rows, in the model's own order, each a dataclass; printed, they are a table.

    Raises:
        TypeError: Not a module.
        ValueError: A bare parameter without a shape (call the model once on a batch first).

    Example:
        >>> model = nn.Sequential(nn.Embedding(5, 3), nn.LayerNorm(3), nn.Linear(3, 5))
        >>> model[2].weight = model[0].weight
        >>> print(parameter_table(model))
        name      shape  role        owner      trainable  tied to   mark
        0.weight  5×3    embedding   Embedding  yes        2.weight  -
        1.weight  3      norm_scale  LayerNorm  yes        -         -
        1.bias    3      bias        LayerNorm  yes        -         -
        2.bias    5      bias        Linear     yes        -         -
        >>> sum(row.trainable for row in parameter_table(model))
        4
    """
    return ParameterTable(_row(entry) for entry in inventory(model))


def _row(entry: Entry) -> ParameterRow:
    lazy = isinstance(entry.parameter, UninitializedParameter)
    shape = None if lazy else tuple(entry.parameter.shape)
    return ParameterRow(entry.name, shape, entry.role, _layer(entry), entry.trainable, entry.tied, entry.mark)


def _layer(entry: Entry) -> str:
    """The class of the layer, as the user wrote it: not what parametrizations made of it or put inside it."""
    owner = entry.owner
    if isinstance(owner, ParametrizationList):
        owner = entry.modules[entry.name.rpartition("parametrizations.")[0].rstrip(".")]
    return type_before_parametrizations(owner).__name__


def aligned(rows: list[list[str]]) -> str:
    """Rows of cells as lines with columns of one width."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = ("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return "\n".join(line.rstrip() for line in lines)
