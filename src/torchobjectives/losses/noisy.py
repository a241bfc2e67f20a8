"""Losses for several classes whose labels are partly wrong: y_pred (N, C, …) logits."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Final, Literal, final

import torch
import torch.nn.functional as F
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._link import SOFTMAX, Calibration, Link, class_axis
from torchobjectives._loss import Loss
from torchobjectives._reduction import Reduction, full_precision, reduce
from torchobjectives._spec import Spec
from torchobjectives.losses._calibrations import of_bootstrap, of_gce, of_jsd, of_symmetric, unsmoothed
from torchobjectives.losses._divergences import (
    jsd_of_distribution,
    jsd_of_label,
    tempered_divergence,
    tempered_log_softmax,
    tempered_softmax,
)
from torchobjectives.losses._softmax import (
    Classes,
    along,
    at_index,
    class_mass,
    of_own_cost,
    one_hot,
    over_classes,
    prepare_classes,
    some_classes_at_a_time,
)
from torchobjectives.losses._transitions import by_product, checked_transition, log_transition_of, observed_labels

ACTIVE: Final = ("nce",)
# Passive loss → its factor on 1 − p: of RCE, minus what log 0 counts as.
PASSIVE: Final = {"mae": 2.0, "rce": 4.0}


@full_precision
def symmetric_cross_entropy_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    alpha: float = 0.1,
    beta: float = 1.0,
    log_zero: float = -4.0,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy plus reverse cross-entropy, whose bounded slope resists wrong labels.

    .. math:: \ell = \sum_c w_c\, y_c \left[-\alpha \log p_c - \beta A\, (1 - p_c)\right]

    with A = ``log_zero``, what log 0 counts as. One value per unit; denominator as in
    :func:`cross_entropy_loss`. α = 1, β = 0 is cross-entropy.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        alpha: weight ≥ 0 of cross-entropy; the paper takes 0.1 on CIFAR-10 and 6 on CIFAR-100.
        beta: weight ≥ 0 of reverse cross-entropy; the paper takes 1 and 0.1.
        log_zero: A ≤ 0.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import symmetric_cross_entropy_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> symmetric_cross_entropy_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(2.0364)

    Source: Wang et al., Symmetric Cross Entropy for Robust Learning with Noisy Labels (2019), equations 5 to 7.

    Elsewhere: code in circulation clamps probabilities at 1e-7 and one-hot labels at 1e-4 (A = −9.21).
    """
    _validate.non_negative(alpha=alpha, beta=beta)
    _validate.in_range(high=0.0)(log_zero=log_zero)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    values = of_own_cost(lambda u: alpha * u + beta * log_zero * torch.expm1(-u), given)
    return reduce(values, given.w, reduction, mass=given.mass)


@final
class SymmetricCrossEntropyLoss(Loss):
    """Class form of :func:`symmetric_cross_entropy_loss`."""

    function = staticmethod(symmetric_cross_entropy_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        calibration=Calibration(of_symmetric, ("alpha", "beta", "log_zero")),
        claims=("improper",),
        use="Wrong labels, which cross-entropy alone would learn by heart, and too many classes for its reverse alone.",
        avoid="Clean labels and probabilities that matter: cross_entropy_loss, or predict with calibrated=True.",
        paper="Wang et al. 2019, arXiv:1908.06112, eq. 5-7",
        cites=("wang2019symmetric",),
    )

    alpha: float = 0.1
    beta: float = 1.0
    log_zero: float = -4.0
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def gce_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    q: float = 0.7,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Generalized cross-entropy: between cross-entropy (q → 0) and one minus the probability (q = 1).

    .. math:: \ell = \sum_c w_c\, y_c\, \frac{1 - p_c^q}{q}, \qquad p = \mathrm{softmax}(\text{y\_pred})

    One value per unit, in [0, 1/q]; denominator as in :func:`cross_entropy_loss`. q = 1 is half of
    :func:`mae_classification_loss`.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        q: in (0, 1]; the larger, the less a unit of low probability counts.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import gce_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> gce_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(0.5895)

    Source: Zhang and Sabuncu, Generalized Cross Entropy Loss for Training Deep Neural Networks with Noisy Labels
    (2018), equation 6.

    Elsewhere: keras takes probabilities and q = 0.5. Code that raises p itself to q has a NaN slope where p is 0.
    """
    _validate.in_range(low=0.0, high=1.0, open_low=True)(q=q)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    values = of_own_cost(lambda u: -torch.expm1(-q * u) / q, given)
    return reduce(values, given.w, reduction, mass=given.mass)


@final
class GCELoss(Loss):
    """Class form of :func:`gce_loss`."""

    function = staticmethod(gce_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        calibration=Calibration(of_gce, ("q",)),
        claims=("improper", "bounded"),
        use="Wrong labels in a data set large enough to do without the units that are given up.",
        avoid="Few or clean labels: cross_entropy_loss; many classes learnt too slowly: a smaller q.",
        paper="Zhang and Sabuncu 2018, arXiv:1805.07836, eq. 6",
        cites=("zhang2018generalized",),
    )

    q: float = 0.7
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def mae_classification_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Absolute error between the probabilities and the label, which symmetric label noise does not bias.

    .. math:: \ell = \sum_c w_c\, y_c\, 2\,(1 - p_c), \qquad p = \mathrm{softmax}(\text{y\_pred})

    the distance Σ_j abs(e_j − p_j) to the one-hot label e of class c. One value per unit, in [0, 2]; denominator as in
    :func:`cross_entropy_loss`.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import mae_classification_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> mae_classification_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(0.9576)

    Source: Ghosh, Kumar and Sastry, Robust Loss Functions under Label Noise for Deep Neural Networks (2017), section 3.

    Elsewhere: ``torch.nn.L1Loss`` on probabilities and one-hot labels divides by C as well.
    """
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    values = of_own_cost(lambda u: -2 * torch.expm1(-u), given)
    return reduce(values, given.w, reduction, mass=given.mass)


@final
class MAEClassificationLoss(Loss):
    """Class form of :func:`mae_classification_loss`."""

    function = staticmethod(mae_classification_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        claims=("improper", "bounded"),
        use="Two or few classes with many labels flipped at random.",
        avoid="Many classes, where it hardly learns: gce_loss or active_passive_loss; it gives no probabilities.",
        paper="Ghosh, Kumar and Sastry 2017, arXiv:1712.09482, sec. 3",
        cites=("ghosh2017robust",),
    )

    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def normalized_cross_entropy_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy divided by its sum over all labels the unit could have.

    .. math:: \ell = \sum_c w_c\, y_c\, \frac{\log p_c}{\sum_j \log p_j}, \qquad p = \mathrm{softmax}(\text{y\_pred})

    One value per unit, in [0, 1]; denominator as in :func:`cross_entropy_loss`. A single class has the value 0.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import normalized_cross_entropy_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> normalized_cross_entropy_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(0.1840)

    Source: Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels (2020), section 3.1.

    Elsewhere: torch, keras, timm and optax have none; the authors' code gives the same number.
    """
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    values = _of_log_probabilities(torch.div, given)
    return reduce(values, given.w, reduction, mass=given.mass)


def _of_log_probabilities(cost: Callable[[Tensor, Tensor], Tensor], given: Classes) -> Tensor:
    """The values of a loss of log p_c and Σ_j log p_j."""
    axis = class_axis(given.y_pred)

    def both(x: Tensor) -> tuple[Tensor, Tensor]:
        log_p = F.log_softmax(x, axis)
        # Of two classes and more the sum is −C·log C or less; a single one's is 0, and would be 0 / 0.
        return log_p, log_p.sum(axis, keepdim=True) if x.shape[axis] > 1 else log_p - 1

    def of_index(x: Tensor, k: Tensor) -> Tensor:
        log_p, total = both(x)
        return cost(log_p.gather(axis, k.unsqueeze(axis)), total).squeeze(axis)

    def of_all(x: Tensor) -> Tensor:
        log_p, total = both(x)
        # A class whose logit is −inf costs nothing where its target is 0: that is 0 · (∞ / ∞) otherwise.
        return cost(log_p.clamp(min=torch.finfo(x.dtype).min), total)

    return over_classes(of_index, of_all, given)


@final
class NormalizedCrossEntropyLoss(Loss):
    """Class form of :func:`normalized_cross_entropy_loss`."""

    function = staticmethod(normalized_cross_entropy_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        claims=("improper", "bounded"),
        use="The active part of active_passive_loss, which takes it with a passive one.",
        avoid="On its own, for it underfits: active_passive_loss, or gce_loss.",
        paper="Ma et al. 2020, arXiv:2006.13554, sec. 3.1",
        cites=("ma2020normalized",),
    )

    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def active_passive_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    alpha: float = 1.0,
    beta: float = 1.0,
    active: Literal["nce"] = "nce",
    passive: Literal["mae", "rce"] = "rce",
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""A robust loss that raises the probability of the label plus one that lowers those of the others.

    .. math:: \ell = \sum_c w_c\, y_c \left[\alpha\, \frac{\log p_c}{\sum_j \log p_j} + \beta\, a\, (1 - p_c)\right]

    with p = softmax(y_pred) and a = 2 for ``passive="mae"``, 4 for ``"rce"`` (reverse cross-entropy, log 0 = −4).
    One value per unit; denominator as in :func:`cross_entropy_loss`.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        alpha: weight ≥ 0 of the active loss.
        beta: weight ≥ 0 of the passive loss.
        active: ``"nce"``, :func:`normalized_cross_entropy_loss`.
        passive: ``"mae"``, :func:`mae_classification_loss`, or ``"rce"``, the reverse cross-entropy of
            :func:`symmetric_cross_entropy_loss`.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import active_passive_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> active_passive_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(2.0993)

    Source: Ma et al., Normalized Loss Functions for Deep Learning with Noisy Labels (2020), section 3.3.

    Elsewhere: torch, keras, timm and optax have none; the authors' code clamps at 1e-7 and 1e-4 (log 0 = −9.21).
    """
    _validate.non_negative(alpha=alpha, beta=beta)
    _validate.choice("active", active, ACTIVE)
    _validate.choice("passive", passive, tuple(PASSIVE))
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    factor = beta * PASSIVE[passive]
    values = _of_log_probabilities(lambda own, total: alpha * own / total - factor * torch.expm1(own), given)
    return reduce(values, given.w, reduction, mass=given.mass)


@final
class ActivePassiveLoss(Loss):
    """Class form of :func:`active_passive_loss`."""

    function = staticmethod(active_passive_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        claims=("improper", "bounded"),
        use="Many wrong labels, up to more than half, in data of many classes.",
        avoid="Probabilities that are to be trusted: forward_correction_loss or cross_entropy_loss.",
        paper="Ma et al. 2020, arXiv:2006.13554, sec. 3.3",
        cites=("ma2020normalized",),
    )

    alpha: float = 1.0
    beta: float = 1.0
    active: Literal["nce"] = "nce"
    passive: Literal["mae", "rce"] = "rce"
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def bi_tempered_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    t1: float = 0.8,
    t2: float = 1.2,
    label_smoothing: float = 0.0,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy with a bounded logarithm (t1) and a softmax of heavy tails (t2).

    .. math:: \ell = \sum_c \left[q_c\,(\log_{t_1} q_c - \log_{t_1} p_c)
        - \frac{q_c^{2 - t_1} - p_c^{2 - t_1}}{2 - t_1}\right], \quad
        p = \exp_{t_2}(\text{y\_pred} - \lambda), \quad q = (1-\varepsilon)\, y + \varepsilon / C

    with :math:`\log_t v = (v^{1-t} - 1) / (1 - t)`, exp_t its inverse, and λ such that Σp = 1. One value per unit;
    class weights multiply it as :math:`\sum_c w_c y_c`, and enter the denominator. t1 = t2 = 1 is
    :func:`cross_entropy_loss` less the entropy of q.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        t1: temperature of the logarithm, in [0, 1]; below 1 the loss is bounded.
        t2: temperature of the softmax, ≥ 1; above 1 its tails are heavy.
        label_smoothing: ε in [0, 1], spread over all C classes, the true one included.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import bi_tempered_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> bi_tempered_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(0.7857)

    Source: Amid et al., Robust Bi-Tempered Logistic Loss Based on Bregman Divergences (2019), equations 4 to 8.

    Elsewhere: the authors' code stops after 5 steps of a fixed-point iteration, which for t2 = 4 leaves Σp = 1.0015,
    and has the classes in the last axis.
    """
    _validate.fraction(t1=t1, label_smoothing=label_smoothing)
    _validate.in_range(low=1.0)(t2=t2)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    log_p = tempered_log_softmax(given.y_pred, t2)
    values = tempered_divergence(log_p, given, t1, label_smoothing)
    if given.class_weight is not None:
        values = values * class_mass(given)
    return reduce(values, given.w, reduction, mass=given.mass)


@final
class BiTemperedLoss(Loss):
    """Class form of :func:`bi_tempered_loss`."""

    function = staticmethod(bi_tempered_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=Link("tempered softmax", tempered_softmax, lambda classes, t2: SOFTMAX.outputs(classes), ("t2",)),
        calibration=Calibration(unsmoothed, ("label_smoothing",)),
        claims=("proper", "bounded"),
        use="Wrong labels near the boundary (t2) and far from it (t1), with probabilities that keep their meaning.",
        avoid="Very many classes, for it costs a dozen passes: gce_loss; a plain softmax at prediction: use predict.",
        paper="Amid et al. 2019, arXiv:1906.03361, eq. 4-8",
        cites=("amid2019robust",),
    )

    t1: float = 0.8
    t2: float = 1.2
    label_smoothing: float = 0.0
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def bootstrap_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    beta: float = 0.95,
    hard: bool = False,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy whose target is mixed with what the model itself believes.

    .. math:: \ell = -\sum_c w_c\, q_c \log p_c, \qquad q = \beta\, y + (1 - \beta)\, b, \quad
        p = \mathrm{softmax}(\text{y\_pred})

    with the belief b = p, through which gradient flows, or with ``hard`` the one-hot vector of the likeliest class.
    One value per unit, in nats; denominator as in :func:`cross_entropy_loss`, which it is for β = 1.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        beta: share of the given label, in [0, 1]; the paper takes 0.95, and 0.8 for the hard belief.
        hard: whether the belief is the likeliest class alone.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import bootstrap_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> bootstrap_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(1.1780)

    Source: Reed et al., Training Deep Neural Networks on Noisy Labels with Bootstrapping (2015), equations 6 and 7.

    Elsewhere: torch, keras, timm and optax have none. Code in circulation detaches the soft belief, which changes the
    slope.
    """
    _validate.fraction(beta=beta)
    _validate.flag(hard=hard)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    axis = class_axis(given.y_pred)
    # log 0 = −inf is what a masked class has: hold it, so that 0·inf cannot arise.
    log_p = F.log_softmax(given.y_pred, axis)
    log_p = log_p.clamp(min=torch.finfo(log_p.dtype).min)
    belief = one_hot(log_p.detach().argmax(axis), log_p).to(log_p.dtype) if hard else torch.exp(log_p)
    believed = belief * log_p
    if given.class_weight is not None:
        believed = believed * along(given.class_weight, believed, axis)
    own = over_classes(lambda _, k: log_p.gather(axis, k.unsqueeze(axis)).squeeze(axis), lambda _: log_p, given)
    values = -beta * own - (1 - beta) * believed.sum(axis)
    return reduce(values, given.w, reduction, mass=given.mass)


@final
class BootstrapLoss(Loss):
    """Class form of :func:`bootstrap_loss`.

    With ``hard=True`` ties hide the truth: ``predict(..., calibrated=True)`` cannot tell apart the truths whose
    minimiser has two likeliest classes.
    """

    function = staticmethod(bootstrap_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        calibration=Calibration(of_bootstrap, ("beta", "hard", "class_weight")),
        claims=("improper",),
        use="Wrong or missing labels that a model which is good already can see through.",
        avoid="The first epochs, when the belief is worth nothing: cross_entropy_loss, or a beta near 1.",
        paper="Reed et al. 2015, arXiv:1412.6596, eq. 6-7",
        cites=("reed2015training",),
    )

    beta: float = 0.95
    hard: bool = False
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def forward_correction_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    transition: Tensor | Sequence[Sequence[float]],
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy of the label that is observed, where it is known how labels go wrong.

    .. math:: \ell = -\sum_c w_c\, y_c \log \sum_j p_j\, T_{jc}, \qquad p = \mathrm{softmax}(\text{y\_pred})

    One value per unit, in nats; denominator as in :func:`cross_entropy_loss`, which it is for the identity. softmax
    of y_pred is the probability of the true class; ``predict(..., calibrated=True)`` that of the observed one.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        transition: T, (C, C): the row of a true class holds the probabilities of the labels observed for it. Rows sum
            to 1; zeros are legal. A label that no class can give costs a large constant.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import forward_correction_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> transition = torch.tensor([[0.8, 0.2, 0.0], [0.1, 0.9, 0.0], [0.0, 0.3, 0.7]])
    >>> forward_correction_loss(y_pred, torch.tensor([0, 1, 1]), transition=transition)
    tensor(0.6448)

    Source: Patrini et al., Making Deep Neural Networks Robust to Label Noise: a Loss Correction Approach (2017),
    theorem 2.

    Elsewhere: torch, keras, timm and optax have none; the authors' code takes the same matrix and clips p·T at 1e-7.
    """
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    table = checked_transition(given.y_pred, transition)
    log_transition = log_transition_of(table)
    axis = class_axis(given.y_pred)

    def of_index(x: Tensor, k: Tensor) -> Tensor:
        return -torch.logsumexp(F.log_softmax(x, axis) + at_index(log_transition.T, k).movedim(-1, axis), axis)

    def of_all(x: Tensor) -> Tensor:
        values = by_product(x, table)
        return some_classes_at_a_time(of_index, x) if values is None else values

    values = over_classes(of_index, of_all, given)
    return reduce(values, given.w, reduction, mass=given.mass)


@final
class ForwardCorrectionLoss(Loss):
    """Class form of :func:`forward_correction_loss`."""

    function = staticmethod(forward_correction_loss)
    float64_buffers = ("transition",)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        calibration=Calibration(observed_labels, ("transition",)),
        claims=("improper",),
        use="Wrong labels whose confusions are known, such as from a subset that was labelled twice.",
        avoid="Confusions that can only be guessed: gce_loss or symmetric_cross_entropy_loss.",
        paper="Patrini et al. 2017, arXiv:1609.03683, thm. 2",
        cites=("patrini2017making",),
    )

    transition: Tensor | Sequence[Sequence[float]]
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def generalized_jsd_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    pi: float = 0.5,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Jensen-Shannon divergence from the label: between cross-entropy (π → 0) and one minus the probability (π → 1).

    .. math:: \ell = \frac{\pi\, \mathrm{KL}(y \,\|\, m) + (1 - \pi)\, \mathrm{KL}(p \,\|\, m)}
        {-(1 - \pi) \log(1 - \pi)}, \qquad m = \pi\, y + (1 - \pi)\, p, \quad p = \mathrm{softmax}(\text{y\_pred})

    One value per unit; class weights multiply it as :math:`\sum_c w_c y_c`, and enter the denominator. y_true of
    probabilities is taken as one distribution, not as a mixture of labels. π → 1 is half of
    :func:`mae_classification_loss`.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        pi: π in (0, 1), the weight of the label.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import generalized_jsd_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> generalized_jsd_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(0.7556)

    Source: Englesson and Azizpour, Generalized Jensen-Shannon Divergence Loss for Learning with Noisy Labels (2021),
    section 3, of two distributions.

    Elsewhere: torch, keras, timm and optax have none; the authors' code clamps p at 1e-7. Their loss of more than two
    distributions, for several augmentations of one input, is another one.
    """
    _validate.in_range(low=0.0, high=1.0, open_low=True, open_high=True)(pi=pi)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    if given.class_index is not None:
        values = of_own_cost(lambda u: jsd_of_label(u, pi), given)
    else:
        values = jsd_of_distribution(given, pi)
        if given.class_weight is not None:
            values = values * class_mass(given)
    scale = -(1 - pi) * math.log1p(-pi)
    return reduce(values / scale, given.w, reduction, mass=given.mass)


@final
class GeneralizedJSDLoss(Loss):
    """Class form of :func:`generalized_jsd_loss`."""

    function = staticmethod(generalized_jsd_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        calibration=Calibration(of_jsd, ("pi",)),
        claims=("improper", "bounded"),
        use="Wrong labels, with one number to go from cross-entropy (fast) to the absolute error (robust).",
        avoid="Clean labels: cross_entropy_loss; probabilities that matter: predict with calibrated=True.",
        paper="Englesson and Azizpour 2021, arXiv:2105.04522, sec. 3",
        cites=("englesson2021generalized",),
    )

    pi: float = 0.5
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100
