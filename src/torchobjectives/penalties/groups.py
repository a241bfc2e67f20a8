"""Penalties of groups of weights: a group is large or it is nothing."""

import math
from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from torchobjectives._validate import number
from torchobjectives.params._roles import Entry
from torchobjectives.penalties._penalty import (
    On,
    Penalty,
    called,
    checked_on,
    precise,
    selected,
    total,
    where,
)

__all__ = ["GroupLasso"]


@final
@dataclass(frozen=True, repr=False)
class GroupLasso(Penalty):
    r"""Sum of the lengths of groups of weights; a group is what one input feature multiplies.

    .. math:: \lambda \sum_g \sqrt{|g|}\, \lVert w_g \rVert_2

    Groups are the columns of a linear, attention or recurrent matrix (with several stacked matrices in one,
    as in ``in_proj_weight`` and ``weight_ih_l0``, an input's column runs through all of them); the input
    channels of a convolution, transposed and grouped ones too; the pairs of inputs of a bilinear layer; the
    columns of a bare matrix, each matrix of a stack by itself; the rows of an embedding, one per token. Any
    other tensor that ``on`` selects has one group per number. At a group of zeros the gradient is 0, and so
    is the second derivative.

    Args:
        coefficient: λ ≥ 0.
        on: Which tensors: a pattern, a selector, or None for ``select.weights()``.

    Raises:
        ValueError: Negative, NaN or infinite coefficient.
        TypeError: A coefficient that is no number, or an ``on`` that is no pattern and no selector.

    Example:
        >>> model = nn.Linear(2, 4)
        >>> _ = nn.init.constant_(model.weight, -3.0)
        >>> GroupLasso(0.1).value(model)  # 2 groups of 4 weights: 0.1 · 2 · √4 · √36
        tensor(2.4000, grad_fn=<MulBackward0>)

    Reference: Yuan and Lin, Model selection and estimation in regression with grouped variables (2006).

    Elsewhere: celer, skglm and LassoNet leave √|g| out.
    """

    coefficient: float
    on: On = None
    name = "group_lasso"

    def __post_init__(self) -> None:
        object.__setattr__(self, "coefficient", number("coefficient", self.coefficient, low=0.0))
        checked_on(self.on)

    def value(self, model: nn.Module) -> Tensor:
        """``λ·Σ√|g|·‖w_g‖`` over the selected tensors of the model."""
        chosen = selected("GroupLasso", model, self.on)
        return total(self.coefficient, [_lengths(by_input(entry)) for entry in chosen])

    def formula(self) -> str:
        """``λ·Σ√|g|·‖w_g‖``."""
        return f"{self.coefficient}·Σ√|g|·‖w_g‖{where(self.on)}"

    def __repr__(self) -> str:
        return called("GroupLasso", self.on, coefficient=self.coefficient)


def by_input(entry: Entry) -> Tensor:
    """The tensor as ``(groups, members)``: what one input feature multiplies is one row."""
    weight, owner = entry.parameter, entry.owner
    if entry.role == "embedding":
        return weight.flatten(1)
    if entry.role != "weight":
        return weight.reshape(-1, 1)
    if not weight.numel():
        return weight.reshape(0, 1)
    # A convolution may also own matrices of another kind, such as low-rank adapters.
    convolution = owner if isinstance(owner, _ConvNd) and weight.ndim == len(owner.kernel_size) + 2 else None
    if isinstance(convolution, _ConvTransposeNd):  # (in, out/groups, *kernel)
        return weight.flatten(1)
    if convolution is not None:  # (out, in/groups, *kernel): a channel feeds its own block of outputs only
        blocks = weight.reshape(convolution.groups, -1, *weight.shape[1:])
        return blocks.movedim(1, 2).flatten(0, 1).flatten(1)
    if isinstance(owner, nn.Bilinear):  # (out, in1, in2)
        return weight.flatten(1).T
    return weight.movedim(-2, -1).flatten(0, -2)  # (*, out, in)


def _lengths(groups: Tensor) -> Tensor:
    """``Σ √|g|·‖w_g‖`` over the rows.

    Not ``vector_norm``: its second derivative at a row of zeros is NaN.
    """
    real = torch.view_as_real(groups).flatten(1) if groups.is_complex() else groups
    squares = precise(real).square().sum(1)
    alive = squares > 0
    lengths = torch.where(alive, torch.where(alive, squares, 1.0).sqrt(), 0.0)
    return math.sqrt(groups.shape[1]) * lengths.sum()
