"""What every penalty is: a value of the parameters of a model."""

import abc
import copy
from typing import Any, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter

from torchobjectives.params._roles import Entry, describe, inventory
from torchobjectives.params._selector import Selector, as_selector, trainable
from torchobjectives.params.select import matching, weights

On: TypeAlias = Selector | str | None


class Penalty(abc.ABC):
    """A term of an objective that depends on the parameters of a model alone.

    A penalty of one's own needs ``value``; ``name`` is what its term is called, ``formula`` what reports
    print. One that also has ``prox(weight, step)``, the minimiser over x of ``R(x) + ½ Σ (x − weight)²/step``
    for a single tensor, can be attached to an optimizer as proximal steps; ``on`` says to which tensors.

    Example:
        >>> class Centred(Penalty):
        ...     name = "centred"
        ...
        ...     def value(self, model):
        ...         return sum(weight.mean() ** 2 for weight in model.parameters())
        >>> Centred().value(nn.Linear(3, 2, bias=False)).ndim
        0
    """

    name: str = ""  # of its term in an objective; empty: the class name in snake case
    on: On = None  # the tensors that a proximal step is for; None: select.weights()

    @abc.abstractmethod
    def value(self, model: nn.Module) -> Tensor:
        """The penalty of the model's parameters: a scalar with graph."""

    def formula(self) -> str:
        """One line for reports; by default the penalty's ``repr``."""
        return repr(self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


def checked_on(on: object) -> None:
    """Raises where ``on`` is neither None, a pattern nor a selector."""
    if isinstance(on, str):
        matching(on)
    elif on is not None and not isinstance(on, Selector):
        raise TypeError(
            f"on must be a pattern such as '*.head.*', a selector such as select.weights(), or None, got {on!r}"
        )


def selected(penalty: str, model: nn.Module, on: On) -> list[Entry]:
    """The parameters that a penalty speaks of: none where all of them are frozen, an error where there are none."""
    selector = weights() if on is None else as_selector(on)
    entries = inventory(model)
    chosen = trainable(selector, entries)
    if not chosen and not selector.pick(entries):
        raise ValueError(
            f"{penalty}: {selector!r} selects nothing in {type(model).__name__}; there is: {describe(entries)}"
        )
    for entry in chosen:
        if isinstance(entry.parameter, UninitializedParameter):
            raise ValueError(f"{penalty}: {entry.name!r} has no shape yet; call the model once on a batch first")
    return chosen


def in_words(penalty: Any) -> str:
    """A penalty in a message: its ``repr``, but no address of a plain object."""
    is_plain = getattr(type(penalty), "__repr__", None) is object.__repr__
    return f"{type(penalty).__name__}()" if is_plain else repr(penalty)


def with_coefficient(penalty: Any, coefficient: float) -> Any:
    """The same penalty, one's own too, with another coefficient."""
    other = copy.copy(penalty)
    # Penalties are frozen dataclasses.
    object.__setattr__(other, "coefficient", coefficient)
    return other


def precise(tensor: Tensor) -> Tensor:
    """The tensor in at least float32: a sum of half numbers stops growing long before it is done."""
    if tensor.is_complex():
        return tensor if tensor.dtype.itemsize >= 8 else tensor.to(torch.complex64)
    return tensor if tensor.dtype.itemsize >= 4 else tensor.float()


def total(parts: list[Tensor]) -> Tensor:
    """The sum, on the device of the first part, in the widest dtype among them."""
    if not parts:
        return torch.zeros(())
    first, *rest = parts
    for part in rest:
        first = first + part.to(first.device)
    return first
