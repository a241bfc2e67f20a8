"""Penalties of single numbers: L1, L2 and their mixture."""

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor, nn

from torchobjectives._validate import number
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

__all__ = ["L1", "L2", "ElasticNet"]


@final
@dataclass(frozen=True, repr=False)
class L1(Penalty):
    r"""Sum of absolute weights, the lasso's penalty.

    .. math:: \lambda \sum_i |w_i|

    Tied tensors count once, frozen ones not at all; half-precision weights are summed in float32. At a weight
    of exactly 0 the gradient is 0. A gradient step rarely lands on 0 exactly, so this term alone shrinks
    weights but does not make them vanish.

    Args:
        coefficient: λ ≥ 0.
        on: Which tensors: a pattern, a selector, or None for ``select.weights()``.

    Raises:
        ValueError: Negative, NaN or infinite coefficient.
        TypeError: A coefficient that is no number, or an ``on`` that is no pattern and no selector.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> _ = nn.init.constant_(model.weight, -3.0)
        >>> L1(0.1).value(model)
        tensor(0.6000, grad_fn=<MulBackward0>)

    Elsewhere: means over the weights instead of their sum (some feature-selection code), and tutorials that
    sum biases and norm scales too.
    """

    coefficient: float
    on: On = None
    name = "l1"

    def __post_init__(self) -> None:
        object.__setattr__(self, "coefficient", number("coefficient", self.coefficient, low=0.0))
        checked_on(self.on)

    def value(self, model: nn.Module) -> Tensor:
        """``λ·Σ|w|`` over the selected tensors of the model."""
        chosen = selected("L1", model, self.on)
        return total(self.coefficient, [_absolute(entry.parameter) for entry in chosen])

    def formula(self) -> str:
        """``λ·Σ|w|``."""
        return f"{self.coefficient}·Σ|w|{where(self.on)}"

    def __repr__(self) -> str:
        return called("L1", self.on, coefficient=self.coefficient)


@final
@dataclass(frozen=True, repr=False)
class L2(Penalty):
    r"""Half the sum of squared weights, the ridge's penalty.

    .. math:: \tfrac{1}{2} \lambda \sum_i w_i^2

    The half makes λ the same number as ``weight_decay`` of SGD and of Adam (not of AdamW, which minimises
    something else). Tied tensors count once, frozen ones not at all; half-precision weights are summed in
    float32.

    Args:
        coefficient: λ ≥ 0.
        on: Which tensors: a pattern, a selector, or None for ``select.weights()``.

    Raises:
        ValueError: Negative, NaN or infinite coefficient.
        TypeError: A coefficient that is no number, or an ``on`` that is no pattern and no selector.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> _ = nn.init.constant_(model.weight, -3.0)
        >>> L2(0.1).value(model)
        tensor(0.9000, grad_fn=<MulBackward0>)

    Elsewhere: Keras' ``L2(a)`` is ``a·Σw²``, twice as much.
    """

    coefficient: float
    on: On = None
    name = "l2"

    def __post_init__(self) -> None:
        object.__setattr__(self, "coefficient", number("coefficient", self.coefficient, low=0.0))
        checked_on(self.on)

    def value(self, model: nn.Module) -> Tensor:
        """``½·λ·Σw²`` over the selected tensors of the model."""
        chosen = selected("L2", model, self.on)
        return total(0.5 * self.coefficient, [_squared(entry.parameter) for entry in chosen])

    def formula(self) -> str:
        """``½·λ·Σw²``."""
        return f"½·{self.coefficient}·Σw²{where(self.on)}"

    def __repr__(self) -> str:
        return called("L2", self.on, coefficient=self.coefficient)


@final
@dataclass(frozen=True, repr=False)
class ElasticNet(Penalty):
    r"""Mixture of L1 and L2, in the convention of scikit-learn and glmnet.

    .. math:: \lambda \Big( r \sum_i |w_i| + \frac{1 - r}{2} \sum_i w_i^2 \Big)

    ``l1_ratio=1`` is :class:`L1`, ``l1_ratio=0`` is :class:`L2`.

    Args:
        coefficient: λ ≥ 0 (scikit-learn's ``alpha``).
        l1_ratio: r in [0, 1].
        on: Which tensors: a pattern, a selector, or None for ``select.weights()``.

    Raises:
        ValueError: Negative, NaN or infinite coefficient; ``l1_ratio`` outside [0, 1].
        TypeError: A coefficient or ratio that is no number, or an ``on`` that is no pattern and no selector.

    Example:
        >>> model = nn.Linear(2, 1)
        >>> _ = nn.init.constant_(model.weight, -3.0)
        >>> ElasticNet(0.1, l1_ratio=0.5).value(model)
        tensor(0.7500, grad_fn=<MulBackward0>)

    Elsewhere: jaxopt's is ``λ·(Σ|w| + γ/2·Σw²)``.
    """

    coefficient: float
    l1_ratio: float
    on: On = None
    name = "elastic_net"

    def __post_init__(self) -> None:
        object.__setattr__(self, "coefficient", number("coefficient", self.coefficient, low=0.0))
        object.__setattr__(self, "l1_ratio", number("l1_ratio", self.l1_ratio, low=0.0, high=1.0))
        checked_on(self.on)

    def value(self, model: nn.Module) -> Tensor:
        """``λ·(r·Σ|w| + (1−r)/2·Σw²)`` over the selected tensors of the model."""
        tensors = [entry.parameter for entry in selected("ElasticNet", model, self.on)]
        absolute, squared = self.l1_ratio, (1 - self.l1_ratio) / 2
        return total(self.coefficient, [absolute * _absolute(w) + squared * _squared(w) for w in tensors])

    def formula(self) -> str:
        """``λ·(r·Σ|w| + (1−r)/2·Σw²)`` with its numbers."""
        inside = f"{self.l1_ratio:g}·Σ|w| + {(1 - self.l1_ratio) / 2:g}·Σw²"
        return f"{self.coefficient}·({inside}){where(self.on)}"

    def __repr__(self) -> str:
        return called("ElasticNet", self.on, coefficient=self.coefficient, l1_ratio=self.l1_ratio)


def _absolute(weight: Tensor) -> Tensor:
    return precise(weight).abs().sum()


def _squared(weight: Tensor) -> Tensor:
    real = torch.view_as_real(weight) if weight.is_complex() else weight
    return precise(real).square().sum()
