"""Cross-entropy that holds the logits back, against overconfidence and drift: y_pred (N, C, …) logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._link import SOFTMAX, Calibration, Link, class_axis
from torchobjectives._loss import Loss
from torchobjectives._reduction import Reduction, full_precision, reduce
from torchobjectives._spec import Spec
from torchobjectives.losses._softmax import (
    held_log_softmax,
    normalized,
    over_classes,
    prepare_classes,
    reduced_cross_entropy,
)


@full_precision
def confidence_penalty_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    beta: float = 0.1,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy minus a multiple of the prediction's entropy: overconfidence costs.

    .. math:: \ell = \sum_c w_c\, y_c \Big[-\log p_c + \beta \sum_j p_j \log p_j\Big]

    with p = softmax(y_pred). One value per unit, in nats; it may be below 0. Denominator as in
    :func:`cross_entropy_loss`. β = 0 is cross-entropy.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        beta: β ≥ 0.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import confidence_penalty_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> confidence_penalty_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(1.1588)

    Source: Pereyra et al., Regularizing Neural Networks by Penalizing Confident Output Distributions (2017), section 3.

    Elsewhere: none of torch, timm, optax and keras has it.
    """
    _validate.non_negative(beta=beta)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    log_p = F.log_softmax(given.y_pred, class_axis(given.y_pred))
    penalty = -beta * _entropy(log_p)
    values = over_classes(
        lambda x, k: penalty - log_p.gather(class_axis(x), k.unsqueeze(class_axis(x))).squeeze(class_axis(x)),
        lambda x: penalty.unsqueeze(class_axis(x)) - log_p.clamp(min=torch.finfo(log_p.dtype).min),
        given,
    )
    return reduce(values, given.w, reduction, mass=given.mass)


def _entropy(log_p: Tensor) -> Tensor:
    # log 0 = −inf is what a masked class has: hold it, so that 0·inf cannot arise.
    held = log_p.clamp(min=torch.finfo(log_p.dtype).min)
    return -(held.exp() * held).sum(class_axis(log_p))


def _unpenalized(prediction: Tensor, beta: float) -> Tensor:
    log_p = prediction.clamp(min=torch.finfo(prediction.dtype).tiny).log()
    odds = prediction * (1 + beta * (log_p + _entropy(log_p).unsqueeze(class_axis(prediction))))
    # So low a probability is the minimiser of no truth: the nearest is 0.
    return normalized(odds.clamp(min=0))


@final
class ConfidencePenaltyLoss(Loss):
    """Class form of :func:`confidence_penalty_loss`."""

    function = staticmethod(confidence_penalty_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        calibration=Calibration(_unpenalized, ("beta",)),
        claims=("improper",),
        use="A network that overfits into certainty: keeps some entropy, as label smoothing does, but adaptively.",
        avoid="Probabilities are read without calibrated=True: cross_entropy_loss with early stopping.",
        paper="Pereyra et al. 2017, arXiv:1701.06548, sec. 3",
        cites=("pereyra2017regularizing",),
    )

    beta: float = 0.1
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def z_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    coefficient: float = 1e-4,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy plus a small multiple of the squared log-partition: keeps logits from drifting.

    .. math:: \ell = \sum_c w_c\, y_c \left[-\log p_c + \lambda\, Z^2\right], \qquad
        Z = \log \sum_j e^{\text{y\_pred}_j}

    with p = softmax(y_pred). One value per unit; denominator as in :func:`cross_entropy_loss`. A number added to
    all logits, which cross-entropy does not see, changes it; its minimum has Z = 0 and the same probabilities.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        coefficient: λ ≥ 0.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import z_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> z_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(1.2128)

    Source: Chowdhery et al., PaLM (2022), section 5, with λ = 1e-4.

    Elsewhere: Liger-Kernel's cross-entropy gives the same number with ``lse_square_scale``, T5X's with ``z_loss``.
    """
    _validate.non_negative(coefficient=coefficient)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    values = over_classes(lambda x, k: _own_z(x, k, coefficient), lambda x: _all_z(x, coefficient), given)
    return reduce(values, given.w, reduction, mass=given.mass)


def _own_z(y_pred: Tensor, index: Tensor, coefficient: float) -> Tensor:
    axis = class_axis(y_pred)
    cost = F.cross_entropy(y_pred, index, reduction="none")
    # The log-partition is own logit + cost: no second pass over the classes.
    return cost + coefficient * (y_pred.gather(axis, index.unsqueeze(axis)).squeeze(axis) + cost).square()


def _all_z(y_pred: Tensor, coefficient: float) -> Tensor:
    axis = class_axis(y_pred)
    return coefficient * torch.logsumexp(y_pred, axis, keepdim=True).square() - held_log_softmax(y_pred)


@final
class ZLoss(Loss):
    """Class form of :func:`z_loss`."""

    function = staticmethod(z_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        claims=("proper",),
        use="Very many classes in half precision, as in language models: the log-partition stays near 0.",
        avoid="Logits that mean something by their level, as energies: cross_entropy_loss.",
        paper="Chowdhery et al. 2022, arXiv:2204.02311, sec. 5",
        cites=("chowdhery2023palm",),
    )

    coefficient: float = 1e-4
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def logit_norm_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    temperature: float = 0.04,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy of logits scaled to a constant length: only their direction is learnt.

    .. math:: \ell = -\sum_c w_c\, y_c \log \mathrm{softmax}(z)_c, \qquad
        z = \frac{\text{y\_pred}}{\tau \max(\|\text{y\_pred}\|,\ 10^{-7})}

    with the length ‖·‖ over the classes. One value per unit, in nats; denominator as in :func:`cross_entropy_loss`.
    ``predict`` gives softmax(z). No probability can be more certain than a length of 1/τ allows. Where a logit is
    infinite, z is undefined and so is the loss (NaN).

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        temperature: τ > 0.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import logit_norm_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> logit_norm_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(7.9057)

    Source: Wei et al., Mitigating Neural Network Overconfidence with Logit Normalization (2022), section 3.

    Elsewhere: the authors' code gives nearly the same number: it adds 1e-7 to the length instead of taking the maximum.
    """
    _validate.positive(temperature=temperature)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    return reduced_cross_entropy(_scaled(given.y_pred, temperature), given, reduction)


def _scaled(y_pred: Tensor, temperature: float) -> Tensor:
    # The bound stands inside the root, whose slope at 0 is infinite.
    length = y_pred.square().sum(class_axis(y_pred), keepdim=True).clamp(min=1e-14).sqrt()
    return y_pred / (temperature * length)


def _scaled_softmax(y_pred: Tensor, temperature: float) -> Tensor:
    return torch.softmax(_scaled(y_pred, temperature), class_axis(y_pred))


def _one_per_class(num_classes: int | None, temperature: float) -> int:
    return SOFTMAX.outputs(num_classes)


_SCALED_SOFTMAX = Link("softmax of logits of constant length", _scaled_softmax, _one_per_class, ("temperature",))


@final
class LogitNormLoss(Loss):
    """Class form of :func:`logit_norm_loss`."""

    function = staticmethod(logit_norm_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=_SCALED_SOFTMAX,
        claims=("proper",),
        use="Inputs unlike all training data must be told apart: the length of the logits is left free to show them.",
        avoid="No such inputs are expected: cross_entropy_loss, which has no temperature to tune.",
        paper="Wei et al. 2022, arXiv:2205.09310, sec. 3",
        cites=("wei2022mitigating",),
    )

    temperature: float = 0.04
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100
