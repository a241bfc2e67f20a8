"""Tensors of which each process holds a part.

Every process works on its own part; what has to be known of the others goes through sums of small tensors. All
processes take the same decisions, from shapes and placements alone, so that none waits for another in vain. A plain
tensor costs one look at its type, and ``torch.distributed.tensor`` is never imported here: who has one of its tensors
has imported it.
"""

import sys
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias, cast

import torch
from torch import Tensor, nn

from torchobjectives.penalties._layout import Layout

if TYPE_CHECKING:
    from torch.distributed.tensor import DTensor
    from typing_extensions import TypeIs


class Peers(NamedTuple):
    """The processes along one axis of a mesh, among which a tensor is cut."""

    group: Any
    device: str


Everyone: TypeAlias = tuple[Peers, ...]
# What nearly every tensor is.
_PLAIN: tuple[type, ...] = (Tensor, nn.Parameter)


def is_sharded(tensor: Any) -> "TypeIs[DTensor]":
    """Whether this is a tensor spread over processes."""
    if type(tensor) in _PLAIN:
        return False
    module = sys.modules.get("torch.distributed.tensor")
    return module is not None and isinstance(tensor, module.DTensor)


def local(tensor: Tensor) -> Tensor:
    """What this process holds of a tensor, possibly nothing; with graph, and in place where there is none.

    Raises:
        ValueError: the parts have yet to be added up.
    """
    if not is_sharded(tensor):
        return tensor
    if any(placement.is_partial() for placement in tensor.placements):
        raise ValueError(
            f"a tensor with the placements {tuple(tensor.placements)} is a sum that is yet to be taken, and has no "
            "penalty: redistribute it to Shard or Replicate first."
        )
    return tensor.to_local()


def shape_only(tensor: Tensor) -> Tensor:
    """What has the shape of a tensor and, of one that is spread, nothing else: views of those may send messages."""
    return torch.empty((), device="meta").expand(tensor.shape) if is_sharded(tensor) else tensor


def local_state(state: Mapping[str, Any], parameter: Tensor) -> Mapping[str, Any]:
    """What this process holds of an optimizer's state of a parameter."""
    if not is_sharded(parameter):
        return state
    return {key: local(value) if isinstance(value, Tensor) else value for key, value in state.items()}


def local_gradient(parameter: Tensor) -> Tensor:
    """What this process holds of a parameter's gradient: a sum yet to be taken is taken, and kept."""
    gradient = cast("Tensor", parameter.grad)
    if is_sharded(gradient) and is_sharded(parameter) and gradient.placements != parameter.placements:
        parameter.grad = gradient = gradient.redistribute(parameter.device_mesh, parameter.placements)
    return local(gradient)


def peers(tensor: Tensor) -> Everyone:
    """The processes over which something that adds up over the numbers of a tensor has to be summed.

    Not those that hold copies.
    """
    if not is_sharded(tensor):
        return ()
    mesh = tensor.device_mesh
    return tuple(Peers(mesh.get_group(axis), mesh.device_type) for axis, _ in _cuts(tensor))


def _cuts(tensor: "DTensor") -> list[tuple[int, Any]]:
    """The axes of the mesh along which a tensor is cut, and how."""
    mesh = tensor.device_mesh
    placed = enumerate(tensor.placements)
    return [(axis, how) for axis, how in placed if not how.is_replicate() and mesh.size(axis) > 1]


class _Sum(torch.autograd.Function):
    """The sum over processes.

    All of them go on to the same number, so the slope with respect to each one's share is the slope of the sum.
    """

    @staticmethod
    def forward(ctx: Any, values: Tensor, everyone: Everyone) -> Tensor:
        return _reduced(values, everyone, "SUM")

    @staticmethod
    def backward(ctx: Any, *slopes: Any) -> Any:
        return slopes[0], None


def summed(values: Tensor, everyone: Everyone) -> Tensor:
    """The sum over processes, with graph; the same to the last bit in each."""
    return cast("Tensor", _Sum.apply(values, everyone)) if everyone else values  # type: ignore[no-untyped-call]


def _reduced(values: Tensor, everyone: Everyone, operation: str) -> Tensor:
    result = values.detach().clone(memory_format=torch.contiguous_format)
    if not everyone:
        return result
    from torch.distributed import ReduceOp, all_reduce

    for group, device in everyone:
        # Weights that are kept on the CPU cannot be sent by a backend for accelerators.
        there = result if result.device.type == device else result.to(device)
        all_reduce(there, getattr(ReduceOp, operation), group)
        result = there.to(values.device)
    return result


def total_of(parts: list[tuple[Tensor, Everyone]], add: Callable[[list[Tensor]], Tensor]) -> Tensor:
    """The sum of numbers, each of which has to be summed over some processes first: one message for all alike."""
    by_peers: dict[Everyone, list[Tensor]] = {}
    for part, everyone in parts:
        by_peers.setdefault(everyone, []).append(part)
    return add([summed(add(values), everyone) for everyone, values in by_peers.items()])


class Members(NamedTuple):
    """Sums over the members of groups, wherever they are."""

    # Among whom the members of each group are spread.
    across: Everyone = ()

    def total(self, values: Tensor, dims: int) -> Tensor:
        """The sum over each group, kept as axes of length 1."""
        return summed(values.sum(tuple(range(dims, values.ndim)), keepdim=True), self.across)

    def totals(self, one: Tensor, other: Tensor, dims: int) -> tuple[Tensor, Tensor]:
        """Two such sums in one message."""
        inner = tuple(range(dims, one.ndim))
        sums = one.sum(inner, keepdim=True), other.sum(inner, keepdim=True)
        if not self.across:
            return sums
        first, second = summed(torch.stack(sums), self.across).unbind()
        return first, second

    def largest(self, values: Tensor, dims: int) -> Tensor:
        """The largest of each group, kept as axes of length 1."""
        inner = tuple(range(dims, values.ndim))
        if not self.across:
            return values.amax(inner, keepdim=True)
        if values.numel():
            return _reduced(values.amax(inner, keepdim=True), self.across, "MAX")
        # Nothing of any group is here.
        shape = (*values.shape[:dims], *(1 for _ in inner))
        return _reduced(values.new_full(shape, -torch.inf), self.across, "MAX")


def members(name: str, tensor: Tensor, layout: Layout) -> Members:
    """Among whom the groups of a tensor are spread.

    Raises:
        ValueError: a block of groups begins within the part of a process.
    """
    if not is_sharded(tensor):
        return Members()
    every = _cuts(tensor)
    spread = [axis for axis, how in every if _crosses(name, tensor, layout, axis, how, [cut for _, cut in every])]
    mesh = tensor.device_mesh
    return Members(tuple(Peers(mesh.get_group(axis), mesh.device_type) for axis in spread))


def _crosses(name: str, tensor: "DTensor", layout: Layout, axis: int, how: Any, every: list[Any]) -> bool:
    """Whether members of one group are in different parts of a tensor that is cut along an axis of the mesh."""
    size = tensor.shape[how.dim]
    # Followed through the layout: the one axis along which it is cut has strides.
    shape = [size if dim == how.dim else 1 for dim in range(tensor.ndim)]
    view, dims = layout(torch.empty(shape, device="meta").expand(tensor.shape))
    places = [place for place, stride in enumerate(view.stride()) if stride and view.shape[place] > 1]
    inner = [place for place in places if place >= dims]
    if len(inner) in (0, len(places)):
        return bool(inner)
    # Blocks, each with groups of its own, as in a grouped convolution. Parts of a whole number of them have whole
    # groups.
    block = view.shape[inner[0]]
    part = -(-size // tensor.device_mesh.size(axis))
    alone = sum(other.dim == how.dim for other in every) == 1
    if not (alone and type(how).__name__ == "Shard" and part % block == 0):
        raise ValueError(
            f"{name!r} of a grouped convolution is cut within one of its blocks of {block} channels, and its groups "
            "of weights with it: shard it by whole blocks or along another axis, leave this layer out of the sharding, "
            "or narrow the penalty with on=."
        )
    return False


def whole(tensor: Tensor) -> Tensor:
    """All of a tensor, in every process."""
    return tensor.full_tensor() if is_sharded(tensor) else tensor


def placed(tensor: Tensor, like: Tensor) -> Tensor:
    """A tensor, whole or spread over processes, as another of its shape is."""
    if not is_sharded(like):
        return whole(tensor)
    mesh, placements = like.device_mesh, like.placements
    if is_sharded(tensor) and tensor.device_mesh == mesh:
        return tensor.redistribute(mesh, placements)
    from torch.distributed.tensor import DTensor, Replicate

    return DTensor.from_local(whole(tensor), mesh, [Replicate()] * mesh.ndim).redistribute(mesh, placements)


def spread(part: Tensor, like: Tensor) -> Tensor:
    """The tensor of which this process holds that part, cut as another one is."""
    if not is_sharded(like) or not part.ndim:
        return part
    from torch.distributed.tensor import DTensor

    return DTensor.from_local(part, like.device_mesh, like.placements, shape=like.shape, stride=like.stride())


def equal(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors are equal everywhere, in all processes alike."""
    here = torch.equal(local(one), local(other))
    everyone = peers(one)
    if not everyone:
        return here
    return bool(_reduced(torch.tensor(int(here), device=local(one).device), everyone, "MIN"))
