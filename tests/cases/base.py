"""What a row of the table of losses is made of: samplers, variants, cases, reference values.

``sample(rng, n)`` gives float64 inputs with n samples along dim 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import torch
from torch import Generator, Tensor

import torchobjectives
from torchobjectives import Loss, Spec, _exports

Sample = Callable[[Generator, int], tuple[Tensor, Tensor]]
F64 = torch.float64


def rand(rng: Generator, *shape: int) -> Tensor:
    return torch.rand(shape, generator=rng, dtype=F64)


def randn(rng: Generator, *shape: int) -> Tensor:
    return torch.randn(shape, generator=rng, dtype=F64)


def reals(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return randn(rng, n, 2), randn(rng, n, 2)


def flat_reals(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return randn(rng, n), randn(rng, n)


def vectors(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return randn(rng, n, 3), randn(rng, n, 3)


def upright_vectors(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return randn(rng, n, 3, 2), randn(rng, n, 3, 2)


def hard_binary(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return 2 * randn(rng, n, 2), torch.randint(2, (n, 2), generator=rng)


def soft_binary(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return 2 * randn(rng, n, 2), rand(rng, n, 2)


def binary_probabilities(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return 0.01 + 0.98 * rand(rng, n, 2), torch.randint(2, (n, 2), generator=rng)


def classes(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return 2 * randn(rng, n, 3), torch.randint(3, (n,), generator=rng)


def pixels(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return 2 * randn(rng, n, 3, 2), torch.randint(3, (n, 2), generator=rng)


def soft_classes(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return 2 * randn(rng, n, 3), torch.softmax(randn(rng, n, 3), 1)


def log_probabilities(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    y_pred, y_true = pixels(rng, n)
    return torch.log_softmax(y_pred, 1), y_true


def soft_log_probabilities(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    y_pred, y_true = soft_classes(rng, n)
    return torch.log_softmax(y_pred, 1), y_true


def features(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return randn(rng, n, 16), torch.randint(6, (n,), generator=rng)


def masks(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return 2 * randn(rng, n, 2, 3), rand(rng, n, 2, 3)


def one_channel(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return 2 * randn(rng, n, 1, 3), torch.randint(2, (n, 3), generator=rng)


def mask_probabilities(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    y_pred, y_true = masks(rng, n)
    return torch.sigmoid(y_pred), y_true.round()


@dataclass(frozen=True)
class Variant:
    """One setting of a loss: inputs and hyper-parameters that belong together."""

    sample: Sample
    hyper: dict[str, Any] = field(default_factory=dict)
    # Laws that hold in this setting though the loss is exempt from them in another.
    keeps: tuple[str, ...] = ()
    # What the class takes beside them, and the function does not.
    only_class: dict[str, Any] = field(default_factory=dict)
    # Where it is another one than the case's.
    unit_axis: int | None = None
    # Why the minimiser of the expected loss does not tell every true probability from every other.
    hides: str = ""


@dataclass(frozen=True)
class Case:
    """One loss: its variants, the first of which is the usual one, and its independent reference."""

    name: str
    variants: tuple[Variant, ...]
    reference: Callable[..., Any] | None
    kind: Literal["unit", "counted", "chosen", "batch"] = "unit"
    # The axis that belongs to one unit: the classes, or a vector's components.
    unit_axis: int | None = None
    # The sizes of prediction at which value and slope are promised to be finite (log-scales: 30).
    extremes: tuple[float, ...] = (30.0, 300.0, 1e4)

    @property
    def loss_class(self) -> type[Loss]:
        class_name, _ = _exports.LOSSES[self.name]
        found: type[Loss] = getattr(torchobjectives, class_name)
        return found

    @property
    def spec(self) -> Spec:
        return self.loss_class.spec

    def make(self, variant: Variant, **more: Any) -> Loss:
        """The class form in this setting."""
        return self.loss_class(**variant.hyper | variant.only_class | more)

    def evaluate(self, variant: Variant) -> Callable[..., Tensor]:
        """The loss as a function of the contract; for a class without one, a fixed instance's ``evaluate``."""
        function = dict(_exports.FAMILIES[self.loss_class.__module__.rsplit(".", 1)[1]])[self.loss_class.__name__]
        if function is not None:
            return partial(getattr(torchobjectives, function), **variant.hyper)
        torch.manual_seed(0)
        return self.loss_class(**variant.hyper).double().evaluate

    def axis_of(self, variant: Variant) -> int | None:
        """The axis that belongs to one unit, in this setting."""
        return self.unit_axis if variant.unit_axis is None else variant.unit_axis

    def units(self, y_pred: Tensor, variant: Variant) -> tuple[int, ...]:
        """The shape of the units."""
        shape = list(y_pred.shape)
        axis = self.axis_of(variant)
        if axis is not None:
            del shape[axis]
        return tuple(shape)


WEIGHTS = torch.tensor([1.0, 2.0, 4.0], dtype=F64)
SOME_WEIGHTS = torch.tensor([0.5, 0.0, 3.0], dtype=F64)
HEAD = {"in_features": 16, "num_classes": 6, "cutoffs": [2, 4], "div_value": 2.0}


def case(name: str, reference: Callable[..., Any] | None, *variants: Variant, **more: Any) -> Case:
    return Case(name, variants, reference, **more)


def t64(values: Any) -> Tensor:
    return torch.tensor(values, dtype=F64)


R = t64([0.5, -1, 2, 0]), t64([0, 1, 2.5, 0])
BIN = t64([2, -1, 0.5, -3]), t64([1, 0, 0, 1])
X = t64([[2, 1, 0.1], [0.5, 2.5, -1], [-1, 0, 3]])
K = torch.tensor([0, 1, 1])
W = t64([1, 2, 4])
SOFT = t64([[0.7, 0.2, 0.1], [0, 1, 0], [0.1, 0.1, 0.8]])
SEG = t64([[[0.9, 0.6, 0.3, 0.1]]]), torch.tensor([[1, 1, 0, 0]])

# name, inputs, hyper-parameters (and weight, mask, reduction), the value wanted
Golden = tuple[str, tuple[Tensor, Tensor], dict[str, Any], float]


def generator(seed: int) -> Generator:
    return Generator().manual_seed(seed)
