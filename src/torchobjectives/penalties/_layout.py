"""Which numbers of a tensor make up a group: views of it with the groups first."""

from collections.abc import Callable
from typing import Literal, NamedTuple, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from torchobjectives.params._roles import Entry

Axis: TypeAlias = Literal["input", "output"] | int


class Grouped(NamedTuple):
    """A view of a tensor: its first ``dims`` axes tell the groups apart, the others run within one."""

    view: Tensor
    dims: int

    @property
    def inner(self) -> tuple[int, ...]:
        """The axes within a group."""
        return tuple(range(self.dims, self.view.ndim))

    @property
    def members(self) -> int:
        """Numbers in a group."""
        return self.view.shape[self.dims :].numel()


Layout: TypeAlias = Callable[[Tensor], Grouped]


def layout(entry: Entry, axis: Axis) -> Layout:
    """How a tensor like the entry's is cut into groups along an axis.

    Raises:
        ValueError: the tensor has no such axis.
    """
    if isinstance(axis, int):
        dims = entry.parameter.ndim
        if not -dims <= axis < dims:
            wanted = f"{-dims} to {dims - 1}, 'input' or 'output'" if dims else "'input' or 'output'"
            raise ValueError(f"{entry.name!r} has {dims} axes, so no axis {axis}: wanted {wanted}.")
        return _one_each if dims == 1 else lambda tensor: Grouped(tensor.movedim(axis, 0), 1)
    return _by_input(entry) if axis == "input" else _by_output(entry)


def _by_input(entry: Entry) -> Layout:
    """One group is what one input feature multiplies."""
    weight, owner = entry.parameter, entry.owner
    if entry.role == "embedding":
        return lambda tensor: Grouped(tensor, 1)
    if entry.role != "weight" or weight.ndim < 2:
        return _one_each
    kernel = _kernel_of(entry)
    if isinstance(kernel, _ConvTransposeNd):  # (in, out/groups, *kernel)
        return lambda tensor: Grouped(tensor, 1)
    if kernel is not None:  # (out, in/groups, *kernel): a channel feeds its own block of outputs only
        return _second_axis(entry, kernel)
    if isinstance(owner, nn.Bilinear):  # (out, in1, in2)
        return lambda tensor: Grouped(tensor.movedim(0, -1), 2)
    return lambda tensor: Grouped(tensor.movedim(-2, -1), tensor.ndim - 1)  # (*, out, in)


def _by_output(entry: Entry) -> Layout:
    """One group is what makes one output feature."""
    weight, owner = entry.parameter, entry.owner
    if entry.role == "embedding":
        return lambda tensor: Grouped(tensor.movedim(1, 0), 1)
    if entry.role != "weight" or weight.ndim < 2:
        return _one_each
    kernel = _kernel_of(entry)
    if isinstance(kernel, _ConvTransposeNd):  # (in, out/groups, *kernel): an output takes its own block of inputs only
        return _second_axis(entry, kernel)
    if kernel is not None or isinstance(owner, nn.Bilinear):
        return lambda tensor: Grouped(tensor, 1)
    return lambda tensor: Grouped(tensor, tensor.ndim - 1)  # (*, out, in)


def _kernel_of(entry: Entry) -> _ConvNd | None:
    """The convolution whose kernel this is; it may also own matrices of another kind, such as low-rank adapters."""
    owner = entry.owner
    return owner if isinstance(owner, _ConvNd) and entry.parameter.ndim == len(owner.kernel_size) + 2 else None


def _second_axis(entry: Entry, kernel: _ConvNd) -> Layout:
    """One group is a channel along the second axis, together with its own block along the first."""
    if kernel.groups == 1:
        return lambda tensor: Grouped(tensor.movedim(1, 0), 1)
    # The size of a block, not how many there are: that holds for a part of the tensor too.
    block = entry.parameter.shape[0] // kernel.groups
    return lambda tensor: Grouped(torch.unflatten(tensor, 0, (-1, block)).movedim(2, 1), 2)


def _one_each(tensor: Tensor) -> Grouped:
    return Grouped(tensor.unsqueeze(-1), tensor.ndim)
