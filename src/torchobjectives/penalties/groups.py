"""Penalties of groups of weights: a group is large or it is nothing."""

import math
from dataclasses import KW_ONLY, dataclass, field
from typing import Literal, TypeAlias, final

from torchobjectives._validate import choice
from torchobjectives.params._roles import Entry
from torchobjectives.penalties._anchors import Towards
from torchobjectives.penalties._layout import Axis, layout
from torchobjectives.penalties._norm import Norm, called, settle, shown, variable, where
from torchobjectives.penalties._penalty import On
from torchobjectives.penalties._prox import Groups, Mix
from torchobjectives.penalties._sharding import members, shape_only
from torchobjectives.penalties.schedules import Coefficient

__all__ = ["GroupLasso"]

GroupWeights: TypeAlias = Literal["sqrt_size", "one"]


@final
@dataclass(frozen=True, repr=False)
class GroupLasso(Norm):
    r"""Sum of the lengths of groups of weights; a group is what one input feature multiplies.

    .. math:: \lambda \sum_g \sqrt{|g|}\, \lVert w_g \rVert_2

    By input, groups are the columns of a linear, attention or recurrent matrix (with several stacked matrices in one,
    as in ``in_proj_weight`` and ``weight_ih_l0``, an input's column runs through all of them); the input
    channels of a convolution, transposed and grouped ones too; the pairs of inputs of a bilinear layer; the
    columns of a bare matrix, each matrix of a stack by itself; the rows of an embedding, one per token. Any
    other tensor that ``on`` selects has one group per number. At a group of zeros the gradient is 0, and so
    is the second derivative.

    Args:
        coefficient: λ ≥ 0, or a schedule of it, once the objective is attached to an optimizer.
        on: Which tensors: a pattern, a selector, or None for ``select.weights()``.
        axis: ``"input"``: a group is what one input feature multiplies; ``"output"``: what makes one output
            feature or channel; a number: each slice of the tensor along that axis.
        group_weights: ``"sqrt_size"`` for √|g|, which makes groups of all sizes equally easy to keep, or
            ``"one"``.
        towards: The point of no penalty instead of 0: a number, weights by name (a ``state_dict``), or a model,
            whose weights are copied now.

    Raises:
        ValueError: Negative, NaN or infinite coefficient.
        TypeError: A coefficient that is no number, or an ``on`` that is no pattern and no selector.

    Example:
        >>> from torch import nn
        >>> model = nn.Linear(2, 4)
        >>> _ = nn.init.constant_(model.weight, -3.0)
        >>> GroupLasso(0.1).value(model)  # 2 groups of 4 weights: 0.1 · 2 · √4 · √36
        tensor(2.4000, grad_fn=<MulBackward0>)

    Reference: Yuan and Lin, Model selection and estimation in regression with grouped variables (2006).

    Elsewhere: celer, skglm and LassoNet leave √|g| out: ``group_weights="one"``.
    """

    coefficient: Coefficient
    on: On = None
    _: KW_ONLY
    axis: Axis = "input"
    group_weights: GroupWeights = "sqrt_size"
    towards: Towards = field(default=None, compare=False)
    name = "group_lasso"

    def __post_init__(self) -> None:
        if isinstance(self.axis, bool) or not isinstance(self.axis, int):
            choice("axis", self.axis, ("input", "output"))
        choice("group_weights", self.group_weights, ("sqrt_size", "one"))
        settle(self)

    def mix(self, coefficient: float) -> Mix:
        """``coefficient·Σ c_g·‖w_g‖``."""
        return Mix(group=coefficient)

    def groups_of(self, entry: Entry) -> Groups:
        """The groups of a tensor."""
        cut = layout(entry, self.axis)
        size = cut(shape_only(entry.parameter)).members
        factor = math.sqrt(size) if self.group_weights == "sqrt_size" else 1.0
        return Groups(cut, members(entry.name, entry.parameter, cut), factor)

    def formula(self) -> str:
        """``λ·Σ√|g|·‖w_g‖``."""
        factor = "√|g|·" if self.group_weights == "sqrt_size" else ""
        v = variable(self)
        return f"{shown(self)}·Σ{factor}‖{v if v == 'w' else f'({v})'}_g‖{where(self)}"

    def __repr__(self) -> str:
        axis = {} if self.axis == "input" else {"axis": self.axis}
        weights = {} if self.group_weights == "sqrt_size" else {"group_weights": self.group_weights}
        return called(self, **axis, **weights)
