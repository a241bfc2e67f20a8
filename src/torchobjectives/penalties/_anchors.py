"""Anchors: the point that a penalty pulls weights towards, 0 where none is given."""

from collections.abc import Mapping
from typing import TypeAlias

from torch import Tensor, nn

from torchobjectives._validate import near, number
from torchobjectives.params._roles import Entry
from torchobjectives.penalties._sharding import equal, is_sharded, local, placed


class Anchors:
    """Weights by name, copied: what the model's own tensors become later does not move them."""

    def __init__(self, weights: Mapping[str, Tensor]) -> None:
        self._weights = {name: weight.detach().clone() for name, weight in weights.items()}

    def of(self, entry: Entry) -> Tensor:
        """The anchor of a parameter, found by any of its names; on its device, and cut as it is, from then on.

        Raises:
            ValueError: there is none, or one of another shape.
        """
        name = next((alias for alias in entry.aliases if alias in self._weights), None)
        if name is None:
            raise ValueError(f"towards has no weights for {entry.name!r}. {near(entry.name, self._weights)}")
        anchor = self._weights[name]
        if anchor.shape != entry.parameter.shape:
            raise ValueError(
                f"towards has shape {tuple(anchor.shape)} for {entry.name!r}, the parameter "
                f"{tuple(entry.parameter.shape)}: shapes must be equal."
            )
        if anchor.device != entry.parameter.device:
            anchor = self._weights[name] = anchor.to(entry.parameter.device)
        if is_sharded(anchor) or is_sharded(entry.parameter):
            anchor = self._weights[name] = placed(anchor, entry.parameter)
        return anchor

    def __repr__(self) -> str:
        return f"<{len(self._weights)} tensors>"


Towards: TypeAlias = float | Mapping[str, Tensor] | nn.Module | Anchors | None


def anchors(towards: object) -> float | Anchors | None:
    """``towards`` as a number or as weights by name; None for 0.

    Raises:
        TypeError: it is neither a number, a dict of tensors nor a module.
    """
    if towards is None or isinstance(towards, Anchors):
        return towards
    if isinstance(towards, nn.Module):
        return Anchors(dict(towards.named_parameters(remove_duplicate=False)))
    if isinstance(towards, Mapping):
        if not all(isinstance(name, str) and isinstance(weight, Tensor) for name, weight in towards.items()):
            raise TypeError("towards must map names of parameters to tensors, as model.state_dict() does")
        return Anchors(towards)
    if isinstance(towards, Tensor) or not isinstance(towards, int | float):
        raise TypeError(
            f"towards must be a number, a dict of tensors by name, or a model, got {type(towards).__name__}"
        )
    return number("towards", towards) or None


def difference(weight: Tensor, anchor: float | Tensor | None) -> Tensor:
    """``weight − anchor``, in the weight's dtype; of the part that is here."""
    if anchor is None:
        return weight
    return weight - (local(anchor).to(weight.dtype) if isinstance(anchor, Tensor) else anchor)


def restore_(difference: Tensor, anchor: float | Tensor | None) -> Tensor:
    """``anchor + difference``, in place: exactly the anchor where the difference is 0."""
    if anchor is None:
        return difference
    return difference.add_(local(anchor).to(difference.dtype) if isinstance(anchor, Tensor) else anchor)


def same(one: float | Tensor | None, other: float | Tensor | None) -> bool:
    """Whether two anchors of one parameter are the same."""
    if isinstance(one, Tensor) and isinstance(other, Tensor):
        return one is other or equal(one, other)
    return type(one) is type(other) and one == other
