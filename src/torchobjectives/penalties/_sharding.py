"""Tensors of which each process holds a part."""

from typing import NamedTuple

from torch import Tensor


class Members(NamedTuple):
    """Sums over the members of groups, here all in this process."""

    def total(self, values: Tensor, dims: int) -> Tensor:
        """The sum over each group, kept as axes of length 1."""
        return values.sum(tuple(range(dims, values.ndim)), keepdim=True)

    def largest(self, values: Tensor, dims: int) -> Tensor:
        """The largest of each group, kept as axes of length 1."""
        return values.amax(tuple(range(dims, values.ndim)), keepdim=True)


def local(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor."""
    return tensor
