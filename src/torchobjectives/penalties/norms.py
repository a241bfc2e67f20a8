"""Penalties of single numbers: L1, L2 and their mixture."""

from dataclasses import KW_ONLY, dataclass, field
from typing import final

from torchobjectives._validate import flag, number, positive, whole
from torchobjectives.params._roles import Entry
from torchobjectives.penalties._anchors import Towards
from torchobjectives.penalties._norm import Norm, called, settle, shown, variable, where
from torchobjectives.penalties._penalty import On
from torchobjectives.penalties._prox import Mix
from torchobjectives.penalties.schedules import Coefficient

__all__ = ["L1", "L2", "ElasticNet"]


@final
@dataclass(frozen=True, repr=False)
class L1(Norm):
    r"""Sum of absolute weights, the lasso's penalty.

    .. math:: \lambda \sum_i |w_i|

    Tied tensors count once, frozen ones not at all; half-precision weights are summed in float32. At a weight
    of exactly 0 the gradient is 0. A gradient step rarely lands on 0 exactly, so in the loss this term alone
    shrinks weights but does not make them vanish: :meth:`Objective.attach` does.

    Args:
        coefficient: λ ≥ 0, or a schedule of it, once the objective is attached to an optimizer.
        on: Which tensors: a pattern, a selector, or None for ``select.weights()``.
        towards: The point of no penalty instead of 0: a number, weights by name (a ``state_dict``), or a model,
            whose weights are copied now.

        non_negative: Whether the proximal step also keeps the weights ≥ 0. The value does not: it needs
            :meth:`Objective.attach`.

    Raises:
        ValueError: Negative, NaN or infinite coefficient; ``non_negative`` with ``towards``.
        TypeError: A coefficient that is no number, or an ``on`` that is no pattern and no selector.

    Example:
        >>> from torch import nn
        >>> model = nn.Linear(2, 1)
        >>> _ = nn.init.constant_(model.weight, -3.0)
        >>> L1(0.1).value(model)
        tensor(0.6000, grad_fn=<MulBackward0>)

    Elsewhere: means over the weights instead of their sum (some feature-selection code), and tutorials that
    sum biases and norm scales too.
    """

    coefficient: Coefficient
    on: On = None
    _: KW_ONLY
    non_negative: bool = False
    towards: Towards = field(default=None, compare=False)
    name = "l1"

    def __post_init__(self) -> None:
        flag(non_negative=self.non_negative)
        settle(self)
        if self.non_negative and self.towards is not None:
            raise ValueError("L1 takes non_negative=True or towards=, not both: weights >= 0 are pulled towards 0.")

    def mix(self, coefficient: float) -> Mix:
        """``coefficient·Σ|w|``, with w ≥ 0 where that is asked for."""
        return Mix(l1=coefficient, non_negative=self.non_negative)

    def groups_of(self, entry: Entry) -> None:
        """None: every number by itself."""

    def formula(self) -> str:
        """``λ·Σ|w|``."""
        bound = ", w≥0" if self.non_negative else ""
        return f"{shown(self)}·Σ|{variable(self)}|{bound}{where(self)}"

    def __repr__(self) -> str:
        return called(self, **({"non_negative": True} if self.non_negative else {}))

    @staticmethod
    def from_sklearn(*, alpha: float | None = None, C: float | None = None, samples: int | None = None) -> "L1":  # noqa: N803
        """The penalty of scikit-learn's ``Lasso(alpha)``, or of ``LogisticRegression(C=C, l1_ratio=1)``.

        Lasso's data term is half the mean squared error, ``Objective(MSELoss(), …, {"loss": 0.5})``: λ = alpha.
        Logistic regression minimises ``C·Σᵢ ℓᵢ + Σ|w|``, here it is the mean of ℓ: λ = 1/(C·samples).

        Args:
            alpha: Lasso's strength, >= 0.
            C: Logistic regression's inverse strength, > 0.
            samples: Rows of the data, with C.

        Raises:
            ValueError: Both or neither of ``alpha`` and ``C``, one of them out of range, C without ``samples``.

        Example:
            >>> L1.from_sklearn(alpha=0.05), L1.from_sklearn(C=0.5, samples=200)
            (L1(0.05), L1(0.01))
        """
        _either("L1", "Lasso", alpha, C)
        return L1(_inverse(C, samples) if alpha is None else alpha)

    @staticmethod
    def from_keras(l1: float) -> "L1":
        """The penalty of ``keras.regularizers.L1(l1)``, which is the same: ``l1·Σ|w|``.

        Example:
            >>> L1.from_keras(0.01)
            L1(0.01)
        """
        return L1(l1)


@final
@dataclass(frozen=True, repr=False)
class L2(Norm):
    r"""Half the sum of squared weights, the ridge's penalty.

    .. math:: \tfrac{1}{2} \lambda \sum_i w_i^2

    The half makes λ the same number as ``weight_decay`` of SGD and of Adam (not of AdamW, which minimises
    something else). Tied tensors count once, frozen ones not at all; half-precision weights are summed in
    float32.

    Args:
        coefficient: λ ≥ 0, or a schedule of it, once the objective is attached to an optimizer.
        on: Which tensors: a pattern, a selector, or None for ``select.weights()``.
        towards: The point of no penalty instead of 0: a number, weights by name (a ``state_dict``), or a model,
            whose weights are copied now.

    Raises:
        ValueError: Negative, NaN or infinite coefficient.
        TypeError: A coefficient that is no number, or an ``on`` that is no pattern and no selector.

    Example:
        >>> from torch import nn
        >>> model = nn.Linear(2, 1)
        >>> _ = nn.init.constant_(model.weight, -3.0)
        >>> L2(0.1).value(model)
        tensor(0.9000, grad_fn=<MulBackward0>)

    Elsewhere: Keras' ``L2(a)`` is ``a·Σw²``, twice as much.
    """

    coefficient: Coefficient
    on: On = None
    _: KW_ONLY
    towards: Towards = field(default=None, compare=False)
    name = "l2"

    def __post_init__(self) -> None:
        settle(self)

    def mix(self, coefficient: float) -> Mix:
        """``½·coefficient·Σw²``."""
        return Mix(l2=coefficient)

    def groups_of(self, entry: Entry) -> None:
        """None: every number by itself."""

    def formula(self) -> str:
        """``½·λ·Σw²``."""
        v = variable(self)
        return f"½·{shown(self)}·Σ{v if v == 'w' else f'({v})'}²{where(self)}"

    def __repr__(self) -> str:
        return called(self)

    @staticmethod
    def from_sklearn(*, alpha: float | None = None, C: float | None = None, samples: int) -> "L2":  # noqa: N803
        """The penalty of scikit-learn's ``Ridge(alpha)`` or ``LogisticRegression(C)``.

        Ridge minimises ``Σ(y−ŷ)² + alpha·Σw²``; beside half the mean squared error, which is
        ``Objective(MSELoss(), …, {"loss": 0.5})``, that is λ = alpha/samples. Logistic regression minimises
        ``C·Σᵢ ℓᵢ + ½·Σw²``, here it is the mean of ℓ: λ = 1/(C·samples).

        Args:
            alpha: Ridge's strength, >= 0.
            C: Logistic regression's inverse strength, > 0.
            samples: Rows of the data.

        Raises:
            ValueError: Both or neither of ``alpha`` and ``C``, one of them out of range, fewer than 1 sample.

        Example:
            >>> L2.from_sklearn(alpha=2.0, samples=200), L2.from_sklearn(C=0.5, samples=200)
            (L2(0.01), L2(0.01))
        """
        _either("L2", "Ridge", alpha, C)
        whole(samples=samples, low=1)
        return L2(_inverse(C, samples) if alpha is None else number("alpha", alpha, low=0.0) / samples)

    @staticmethod
    def from_keras(l2: float) -> "L2":
        """The penalty of ``keras.regularizers.L2(l2)``, which is ``l2·Σw²``: λ = 2·l2.

        Example:
            >>> L2.from_keras(0.01)
            L2(0.02)
        """
        return L2(2 * number("l2", l2, low=0.0))


@final
@dataclass(frozen=True, repr=False)
class ElasticNet(Norm):
    r"""Mixture of L1 and L2, in the convention of scikit-learn and glmnet.

    .. math:: \lambda \Big( r \sum_i |w_i| + \frac{1 - r}{2} \sum_i w_i^2 \Big)

    ``l1_ratio=1`` is :class:`L1`, ``l1_ratio=0`` is :class:`L2`.

    Args:
        coefficient: λ ≥ 0 (scikit-learn's ``alpha``).
        l1_ratio: r in [0, 1].
        on: Which tensors: a pattern, a selector, or None for ``select.weights()``.
        towards: The point of no penalty instead of 0: a number, weights by name (a ``state_dict``), or a model,
            whose weights are copied now.

    Raises:
        ValueError: Negative, NaN or infinite coefficient; ``l1_ratio`` outside [0, 1].
        TypeError: A coefficient or ratio that is no number, or an ``on`` that is no pattern and no selector.

    Example:
        >>> from torch import nn
        >>> model = nn.Linear(2, 1)
        >>> _ = nn.init.constant_(model.weight, -3.0)
        >>> ElasticNet(0.1, l1_ratio=0.5).value(model)
        tensor(0.7500, grad_fn=<MulBackward0>)

    Elsewhere: jaxopt's is ``λ·(Σ|w| + γ/2·Σw²)``.
    """

    coefficient: Coefficient
    l1_ratio: float
    on: On = None
    _: KW_ONLY
    towards: Towards = field(default=None, compare=False)
    name = "elastic_net"

    def __post_init__(self) -> None:
        object.__setattr__(self, "l1_ratio", number("l1_ratio", self.l1_ratio, low=0.0, high=1.0))
        settle(self)

    def mix(self, coefficient: float) -> Mix:
        """``coefficient·(r·Σ|w| + (1−r)/2·Σw²)``."""
        return Mix(l1=coefficient * self.l1_ratio, l2=coefficient * (1 - self.l1_ratio))

    def groups_of(self, entry: Entry) -> None:
        """None: every number by itself."""

    def formula(self) -> str:
        """``λ·(r·Σ|w| + (1−r)/2·Σw²)`` with its numbers."""
        v = variable(self)
        inside = f"{self.l1_ratio:g}·Σ|{v}| + {(1 - self.l1_ratio) / 2:g}·Σ{v if v == 'w' else f'({v})'}²"
        return f"{shown(self)}·({inside}){where(self)}"

    def __repr__(self) -> str:
        return called(self, self.l1_ratio)

    @staticmethod
    def from_sklearn(alpha: float, l1_ratio: float) -> "ElasticNet":
        """The penalty of scikit-learn's ``ElasticNet(alpha, l1_ratio)``, which is the same.

        Their data term is half the mean squared error: ``Objective(MSELoss(), …, {"loss": 0.5})``.

        Args:
            alpha: Their strength, >= 0.
            l1_ratio: As here. 1 is their ``Lasso``.

        Example:
            >>> ElasticNet.from_sklearn(alpha=0.05, l1_ratio=0.5)
            ElasticNet(0.05, 0.5)
        """
        return ElasticNet(alpha, l1_ratio)

    @staticmethod
    def from_keras(l1: float, l2: float) -> "ElasticNet":
        """The penalty of ``keras.regularizers.L1L2(l1, l2)``, which is ``l1·Σ|w| + l2·Σw²``.

        Example:
            >>> ElasticNet.from_keras(l1=0.1, l2=0.05)
            ElasticNet(0.2, 0.5)
        """
        absolute, squared = number("l1", l1, low=0.0), 2 * number("l2", l2, low=0.0)
        together = absolute + squared
        return ElasticNet(together, absolute / together if together else 1.0)


def _either(penalty: str, regression: str, alpha: float | None, inverse: float | None) -> None:
    if (alpha is None) == (inverse is None):
        raise ValueError(f"{penalty}.from_sklearn takes either alpha, of {regression}, or C, of LogisticRegression.")


def _inverse(inverse: float | None, samples: int | None) -> float:
    """``1/(C·samples)``: scikit-learn weighs the sum of losses, this library the penalty beside their mean."""
    if inverse is None or samples is None:
        raise ValueError("from_sklearn(C=...) needs samples, the rows of the data: C weighs a sum over them.")
    positive(C=inverse)
    whole(samples=samples, low=1)
    return 1 / (inverse * samples)
