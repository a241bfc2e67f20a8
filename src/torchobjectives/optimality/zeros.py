"""How many numbers of a model are exactly zero."""

from typing import Any, final

from torch import Tensor, nn

from torchobjectives.optimality._table import Table
from torchobjectives.params._roles import Entry, inventory
from torchobjectives.penalties._layout import Axis, layout

__all__ = ["Sparsity", "sparsity"]


@final
class Sparsity(Table):
    """A row for each parameter; printed, with their sum below."""

    @property
    def zeros(self) -> int:
        """Numbers of the model that are exactly 0."""
        return sum(row["zeros"] for row in self)

    @property
    def numbers(self) -> int:
        """Numbers of the model."""
        return sum(row["numbers"] for row in self)

    @property
    def share(self) -> float:
        """The share of zeros; 0 in a model without numbers."""
        return self.zeros / self.numbers if self.numbers else 0.0

    def __str__(self) -> str:
        return f"{super().__str__()}\n{self.zeros} of {self.numbers} numbers are 0: {self.share:.1%}"


def sparsity(model: nn.Module) -> Sparsity:
    """How many numbers of each parameter are exactly zero, and which inputs and outputs they shut off.

    An input is zero where all weights that it is multiplied by are, as :class:`GroupLasso` groups them; an output where
    all weights that make it are. Tied tensors count once, frozen ones too.

    Args:
        model: Any module.

    Returns:
        A list of rows (dicts), which polars and pandas take as they are: ``parameter``, ``numbers``, ``zeros``,
        ``share``, ``zero_inputs`` of ``inputs``, ``zero_outputs`` of ``outputs`` (None where a tensor has none). It has
        ``zeros``, ``numbers`` and ``share`` of the whole model, and prints as a table.

    Raises:
        TypeError: What is no module.

    Example:
        >>> import torch
        >>> model = nn.Linear(3, 2)
        >>> _ = model.weight.data.copy_(torch.tensor([[1.0, 0.0, 0.0], [2.0, 0.0, 3.0]]))
        >>> _ = nn.init.ones_(model.bias)
        >>> print(sparsity(model))
        parameter  numbers  zeros  share  zero_inputs  inputs  zero_outputs  outputs
        weight           6      3    0.5            1       3             0        2
        bias             2      0      0            -       -             -        -
        3 of 8 numbers are 0: 37.5%
    """
    return Sparsity(_row(entry) for entry in inventory(model))


def _row(entry: Entry) -> dict[str, Any]:
    weight = entry.parameter.detach()
    numbers, zeros = weight.numel(), int((weight == 0).sum())
    row = {"parameter": entry.name, "numbers": numbers, "zeros": zeros, "share": zeros / numbers if numbers else 0.0}
    axes: tuple[Axis, ...] = ("input", "output")
    for axis in axes:
        dead = zero_groups(entry, axis) if entry.role in ("weight", "embedding") and weight.ndim > 1 else None
        row[f"zero_{axis}s"] = None if dead is None else int(dead.sum())
        row[f"{axis}s"] = None if dead is None else dead.numel()
    return row


def zero_groups(entry: Entry, axis: Axis = "input") -> Tensor:
    """Which groups of a tensor are all zeros."""
    cut = layout(entry, axis)(entry.parameter.detach())
    return (cut.view == 0).flatten(cut.dims).all(-1).flatten()
