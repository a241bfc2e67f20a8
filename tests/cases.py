"""The table of losses that every generic test runs over: how to sample inputs, and what to compare with.

A new loss is a new row here. ``sample(rng, n)`` gives float64 inputs with n samples along dim 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Literal

import torch
from torch import Generator, Tensor

import torchobjectives
from tests import references as ref
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


@dataclass(frozen=True)
class Case:
    """One loss: its variants, the first of which is the usual one, and its independent reference."""

    name: str
    variants: tuple[Variant, ...]
    reference: Callable[..., Any] | None
    kind: Literal["unit", "counted", "batch"] = "unit"
    # The axis that belongs to one unit: the classes, or a vector's components.
    unit_axis: int | None = None
    torch_name: str | None = None

    @property
    def loss_class(self) -> type[Loss]:
        class_name, _ = _exports.LOSSES[self.name]
        found: type[Loss] = getattr(torchobjectives, class_name)
        return found

    @property
    def spec(self) -> Spec:
        return self.loss_class.spec

    def evaluate(self, variant: Variant) -> Callable[..., Tensor]:
        """The loss as a function of the contract; for a class without one, a fixed instance's ``evaluate``."""
        function = dict(_exports.FAMILIES[self.loss_class.__module__.rsplit(".", 1)[1]])[self.loss_class.__name__]
        if function is not None:
            return partial(getattr(torchobjectives, function), **variant.hyper)
        torch.manual_seed(0)
        return self.loss_class(**variant.hyper).double().evaluate

    def units(self, y_pred: Tensor) -> tuple[int, ...]:
        """The shape of the units."""
        shape = list(y_pred.shape)
        if self.unit_axis is not None:
            del shape[self.unit_axis]
        return tuple(shape)


WEIGHTS = torch.tensor([1.0, 2.0, 4.0], dtype=F64)
SOME_WEIGHTS = torch.tensor([0.5, 0.0, 3.0], dtype=F64)
HEAD = {"in_features": 16, "num_classes": 6, "cutoffs": [2, 4], "div_value": 2.0}


def _case(name: str, reference: Callable[..., Any] | None, *variants: Variant, **more: Any) -> Case:
    return Case(name, variants, reference, **more)


CASES: tuple[Case, ...] = (
    _case("mse_loss", ref.mse, Variant(reals), torch_name="mse_loss"),
    _case("l1_loss", ref.l1, Variant(reals), torch_name="l1_loss"),
    _case(
        "smooth_l1_loss",
        ref.smooth_l1,
        Variant(reals),
        Variant(flat_reals, {"beta": 0.3}),
        Variant(reals, {"beta": 0.0}),
        torch_name="smooth_l1_loss",
    ),
    _case("huber_loss", ref.huber, Variant(reals), Variant(flat_reals, {"delta": 0.5}), torch_name="huber_loss"),
    _case("rmse_loss", ref.rmse, Variant(reals), kind="batch"),
    _case(
        "barron_loss",
        ref.barron,
        Variant(reals),
        *(Variant(reals, {"alpha": a, "scale": 0.7}) for a in (2.0, 0.0, -2.0, 1.3, 3.0, -float("inf"), float("inf"))),
        Variant(reals, {"alpha": 1e-6}),
        Variant(reals, {"alpha": 2 - 1e-9}),
    ),
    _case(
        "cosine_similarity_loss",
        ref.cosine,
        Variant(vectors),
        Variant(upright_vectors, {"dim": 1}),
        unit_axis=1,
    ),
    _case("ghmr_loss", ref.ghmr, Variant(reals), Variant(reals, {"mu": 0.5, "bins": 3}), kind="counted"),
    _case(
        "binary_cross_entropy_loss",
        ref.bce,
        Variant(hard_binary),
        Variant(soft_binary, {"pos_weight": 3.0, "label_smoothing": 0.1}),
        Variant(binary_probabilities, {"from_logits": False}),
        Variant(binary_probabilities, {"from_logits": False, "pos_weight": 2.0, "label_smoothing": 0.2}),
    ),
    _case(
        "focal_loss",
        ref.focal,
        Variant(hard_binary),
        Variant(soft_binary, {"gamma": 0.5, "alpha": 0.25}),
        Variant(hard_binary, {"gamma": 0.0}),
        Variant(binary_probabilities, {"from_logits": False, "alpha": 0.75}),
        Variant(binary_probabilities, {"from_logits": False, "gamma": 0.5}),
    ),
    _case(
        "ghmc_loss",
        ref.ghmc,
        Variant(hard_binary),
        Variant(binary_probabilities, {"bins": 4, "from_logits": False}),
        kind="counted",
    ),
    _case(
        "cross_entropy_loss",
        ref.cross_entropy,
        Variant(classes),
        Variant(pixels, {"class_weight": WEIGHTS, "label_smoothing": 0.1}),
        Variant(soft_classes, {"label_smoothing": 0.2}),
        Variant(soft_classes, {"class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
    _case(
        "nll_loss",
        ref.nll,
        Variant(log_probabilities),
        Variant(log_probabilities, {"class_weight": WEIGHTS}),
        Variant(soft_log_probabilities, {"class_weight": WEIGHTS}),
        unit_axis=1,
    ),
    _case(
        "softmax_focal_loss",
        ref.softmax_focal,
        Variant(classes),
        Variant(pixels, {"gamma": 0.5, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"gamma": 0.5, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"gamma": 1.5}),
        Variant(classes, {"gamma": 0.0}),
        unit_axis=1,
    ),
    _case("adaptive_log_softmax_loss", None, Variant(features, HEAD), unit_axis=1),
    _case(
        "symmetric_cross_entropy_loss",
        ref.symmetric_cross_entropy,
        Variant(classes),
        Variant(pixels, {"alpha": 6.0, "beta": 0.1, "class_weight": WEIGHTS}),
        Variant(soft_classes, {"log_zero": -2.0, "class_weight": SOME_WEIGHTS}),
        unit_axis=1,
    ),
    _case(
        "dice_loss",
        ref.dice,
        Variant(pixels, keeps=("duplication", "scaling")),
        Variant(masks, {"smooth": 1.0, "absent": "count"}, keeps=("duplication",)),
        Variant(pixels, {"sum_over": "sample", "absent": "zero"}, keeps=("scaling",)),
        Variant(one_channel, {"squared": True, "sum_over": "sample"}, keeps=("scaling",)),
        Variant(
            mask_probabilities, {"from_logits": False, "absent": "count", "sum_over": "sample"}, keeps=("scaling",)
        ),
        kind="batch",
        unit_axis=1,
    ),
)

BY_NAME = {case.name: case for case in CASES}


def grid() -> list[tuple[Case, Variant, str]]:
    """Every variant of every loss, with a readable id."""
    return [(case, v, f"{case.name}-{number}") for case in CASES for number, v in enumerate(case.variants)]


def generator(seed: int) -> Generator:
    return Generator().manual_seed(seed)
