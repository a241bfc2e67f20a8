"""Losses for one class of several: y_pred (N, C, …) logits, the class axis at dim 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._link import LOG_PROBABILITY, SOFTMAX, Calibration, class_axis, unweighted
from torchobjectives._loss import Loss
from torchobjectives._reduction import Reduction, full_precision, reduce, reduce_kernel
from torchobjectives._spec import Spec
from torchobjectives.losses._softmax import (
    Classes,
    all_log_odds_against,
    class_mass,
    log_odds_against,
    normalized,
    of_own_cost,
    one_hot,
    over_classes,
    prepare_classes,
    reduced_cross_entropy,
)


@full_precision
def cross_entropy_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    label_smoothing: float = 0.0,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy of logits with a class index or with class probabilities.

    .. math:: \ell = -\sum_c w_c\, q_c \log p_c, \qquad p = \mathrm{softmax}(\text{y\_pred}),\quad
        q = (1-\varepsilon)\, y + \varepsilon / C

    One value per unit (sample, pixel, token), in nats. The mean divides by :math:`\sum w\, \sum_c w_c y_c` with
    the unsmoothed y: for class indices, by the sum of the weights of the classes that occur. Where a logit is −∞,
    class indices go without smoothing; probabilities give NaN, as torch's, even where y is 0.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
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
    >>> from torchobjectives import cross_entropy_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> cross_entropy_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(1.2120)

    Source: textbook (the categorical log-likelihood); smoothing: Szegedy et al. (2016), section 7.

    Elsewhere: torch gives the same number for class indices, NaN where nothing counts (here 0), and with smoothing
    still charges a unit whose class has weight 0 (here it does not count). For probabilities with class weights
    torch divides by N, here by the weights' mass. fairseq spreads ε over C − 1 classes.
    """
    _validate.fraction(label_smoothing=label_smoothing)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    return reduced_cross_entropy(given.y_pred, given, reduction, label_smoothing=label_smoothing)


def _unsmoothed(prediction: Tensor, label_smoothing: float, class_weight: Tensor | None) -> Tensor:
    """What was true: the weights multiply the smoothed target, so they are undone first."""
    if label_smoothing == 1:
        raise ValueError("label_smoothing is 1: every target was the same, no probability can be recovered.")
    smoothed = prediction if class_weight is None else unweighted(prediction, class_weight)
    share = label_smoothing / prediction.shape[class_axis(prediction)]
    # Less than the share of smoothing is the minimiser of no truth: the nearest is 0.
    return normalized((smoothed - share).clamp(min=0)) if label_smoothing else smoothed


@final
class CrossEntropyLoss(Loss):
    """Class form of :func:`cross_entropy_loss`."""

    function = staticmethod(cross_entropy_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        calibration=Calibration(_unsmoothed, ("label_smoothing", "class_weight")),
        claims=("proper", "convex"),
        use="One class of several, wherever probabilities are wanted: the first choice.",
        avoid="Partly wrong labels: gce_loss or symmetric_cross_entropy_loss; a long tail: logit_adjusted_loss.",
        paper="textbook; Szegedy et al. 2016, arXiv:1512.00567, sec. 7",
        cites=("good1952rational", "szegedy2016rethinking"),
    )

    label_smoothing: float = 0.0
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def nll_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Negative log-likelihood: cross-entropy for y_pred that are log-probabilities already.

    .. math:: \ell = -\sum_c w_c\, y_c\, \text{y\_pred}_c

    One value per unit, in nats; denominator as in :func:`cross_entropy_loss`. y_pred is taken as it is: no
    softmax is applied, and whether it is normalised is not checked.

    Args:
        y_pred: log-probabilities (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a weight is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import nll_loss
    >>> nll_loss(torch.tensor([[0.5, 0.5], [0.9, 0.1]]).log(), torch.tensor([0, 0]))
    tensor(0.3993)

    Source: textbook.

    Elsewhere: torch gives the same number for class indices (it takes no probabilities), and NaN where nothing
    counts (here 0).
    """
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    if given.class_index is not None and given.plain:
        return reduce_kernel(F.nll_loss, given.y_pred, given.class_index, None, reduction)
    return reduce(over_classes(_nll, _negated, given), given.w, reduction, mass=given.mass)


def _nll(y_pred: Tensor, index: Tensor) -> Tensor:
    return F.nll_loss(y_pred, index, reduction="none")


def _negated(y_pred: Tensor) -> Tensor:
    # log 0 = −inf is a legal prediction for a class of probability 0: hold it, so that 0·inf cannot arise.
    return -y_pred.clamp(min=torch.finfo(y_pred.dtype).min)


@final
class NLLLoss(Loss):
    """Class form of :func:`nll_loss`."""

    function = staticmethod(nll_loss)
    spec = Spec(
        task="multiclass",
        y_pred="log_probabilities",
        y_true="classes",
        unit="sample",
        link=LOG_PROBABILITY,
        claims=("proper", "convex"),
        use="The network ends in log-probabilities already, as after a log-softmax or a mixture.",
        avoid="y_pred are logits: cross_entropy_loss; unnormalised numbers would go unnoticed.",
        paper="textbook",
        cites=("good1952rational",),
    )

    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def softmax_focal_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    gamma: float = 2.0,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Focal loss over a softmax: cross-entropy in which easy units are turned down.

    .. math:: \ell = -\sum_c w_c\, y_c\, (1 - p_c)^\gamma \log p_c

    One value per unit, in nats; denominator as in :func:`cross_entropy_loss`. A per-class alpha is
    ``class_weight``. γ = 0 is cross-entropy.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        gamma: γ ≥ 0.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import softmax_focal_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> softmax_focal_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(0.9461)

    Source: Lin et al., Focal Loss for Dense Object Detection (2017), equation 4, with softmax probabilities.

    Elsewhere: kornia and MONAI (``use_softmax=True``) divide by C as well: multiply theirs by C. The multiclass
    focal loss of segmentation-models-pytorch is C sigmoid losses, another loss.
    """
    _validate.non_negative(gamma=gamma)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    if gamma >= 1 or gamma == 0:

        def cost(u: Tensor) -> Tensor:
            against = -torch.expm1(-u)
            if gamma >= 2:
                return against**gamma * u
            # Below 2 the second derivative of a power is infinite at 0, and 0 · inf would be NaN.
            above = against > 0
            return torch.where(above, torch.where(above, against, 1.0) ** gamma, against * 0) * u

        values = of_own_cost(cost if gamma else lambda u: u, given)
    else:

        def tail_cost(against: Tensor) -> Tensor:
            # A power below 1 is infinitely steep at 1 − p = 0: there only the log-odds are exact.
            return -torch.exp(gamma * F.logsigmoid(against)) * F.logsigmoid(-against)

        values = over_classes(
            lambda x, k: tail_cost(log_odds_against(x, k)),
            lambda x: tail_cost(all_log_odds_against(x)),
            given,
        )
    return reduce(values, given.w, reduction, mass=given.mass)


def _unfocused(prediction: Tensor, gamma: float) -> Tensor:
    rest = 1 - prediction
    held = torch.where(rest > 0, rest, 1.0)
    # −p log p / (1 − p), which is 1 at p = 1.
    steep = torch.where(rest > 0, -torch.xlogy(prediction, prediction) / held, 1.0)
    return _undone(prediction, rest**gamma * (1 + gamma * steep))


def _undone(prediction: Tensor, ratio: Tensor) -> Tensor:
    """The truth whose minimiser is p for ℓ(c) = f(p_c): η_c ∝ −1/f′(p_c), with ``ratio`` = −p f′(p)."""
    return normalized(prediction / ratio.clamp(min=torch.finfo(ratio.dtype).tiny))


@final
class SoftmaxFocalLoss(Loss):
    """Class form of :func:`softmax_focal_loss`."""

    function = staticmethod(softmax_focal_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        calibration=Calibration(_unfocused, ("gamma",)),
        claims=("improper",),
        use="Classes of very unequal difficulty, as in dense detection: easy units stop mattering.",
        avoid="Honest probabilities straight from the softmax, or partly wrong labels: cross_entropy_loss, gce_loss.",
        paper="Lin et al. 2017, arXiv:1708.02002, eq. 4; Charoenphakdee et al. 2021, arXiv:2011.09172",
        cites=("lin2017focal", "charoenphakdee2021focal"),
    )

    gamma: float = 2.0
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def poly1_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    epsilon: float = 1.0,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy plus a multiple of 1 − p: its polynomial expansion with the first coefficient moved.

    .. math:: \ell = \sum_c w_c\, y_c \left[-\log p_c + \varepsilon\, (1 - p_c)\right]

    with p = softmax(y_pred). One value per unit; denominator as in :func:`cross_entropy_loss`. ε = 0 is
    cross-entropy.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        epsilon: ε ≥ −1; below 0 confident units count less, above 0 more.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import poly1_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> poly1_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(1.6908)

    Source: Leng et al., PolyLoss (2022), section 4 (Poly-1).

    Elsewhere: optax' ``poly_loss_cross_entropy`` gives the same number per sample; its ``epsilon`` is 2 unless given.
    """
    _validate.in_range(low=-1.0)(epsilon=epsilon)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    values = of_own_cost(lambda u: u - epsilon * torch.expm1(-u), given)
    return reduce(values, given.w, reduction, mass=given.mass)


def _undone_poly1(prediction: Tensor, epsilon: float) -> Tensor:
    return _undone(prediction, 1 + epsilon * prediction)


@final
class Poly1Loss(Loss):
    """Class form of :func:`poly1_loss`."""

    function = staticmethod(poly1_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        calibration=Calibration(_undone_poly1, ("epsilon",)),
        claims=("improper",),
        use="A one-number refinement of cross-entropy, tuned per data set for accuracy.",
        avoid="No budget for tuning epsilon: cross_entropy_loss.",
        paper="Leng et al. 2022, arXiv:2204.12511, sec. 4",
        cites=("leng2022polyloss",),
    )

    epsilon: float = 1.0
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def brier_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Brier score: the squared distance between predicted and true probabilities.

    .. math:: \ell = \Big(\sum_c w_c\, y_c\Big) \sum_c (p_c - y_c)^2

    with p = softmax(y_pred). One value per unit, in [0, 2]; denominator as in :func:`cross_entropy_loss`. For
    probabilities y this is ‖p − y‖², not the expected score of a drawn class, which is larger by 1 − ‖y‖².

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a weight is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import brier_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> brier_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(0.6683)

    Source: Brier, Verification of Forecasts Expressed in Terms of Probability (1950), equation 2.

    Elsewhere: scikit-learn's ``brier_score_loss`` takes probabilities and gives the same number with
    ``scale_by_half=False``. MSE between probabilities and one-hot labels divides by C as well.
    """
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    distances = _squared_distance(given)
    if given.class_weight is not None:
        distances = distances * class_mass(given)
    return reduce(distances, given.w, reduction, mass=given.mass)


def _squared_distance(given: Classes) -> Tensor:
    """‖p − y‖², with 1 − p of the true class as the sum of the others: exact where p rounds to 1."""
    axis = class_axis(given.y_pred)
    p = torch.softmax(given.y_pred, axis)
    if given.class_index is not None:
        others = p.scatter(axis, given.class_index.unsqueeze(axis), 0.0)
        rest = others.sum(axis)
        return (others * others).sum(axis) + rest * rest
    y = given.probabilities
    assert y is not None
    highest, index = y.max(axis)
    own = one_hot(index, p)
    others = (p - y).masked_fill(own, 0.0)
    return others.square().sum(axis) + (1 - highest - p.masked_fill(own, 0.0).sum(axis)).square()


@final
class BrierLoss(Loss):
    """Class form of :func:`brier_loss`."""

    function = staticmethod(brier_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        claims=("proper", "bounded"),
        use="Honest probabilities with bounded regret: one confident error costs 2, not infinity.",
        avoid="Training from scratch on many classes: its slope vanishes on confident errors; cross_entropy_loss.",
        paper="Brier 1950, doi:10.1175/1520-0493(1950)078<0001:VOFEIT>2.0.CO;2, eq. 2",
        cites=("brier1950verification",),
    )

    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def ohem_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    fraction: float = 0.7,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy of the hardest units of a batch only (online hard example mining).

    .. math:: \ell = \begin{cases}
        -\sum_c w_c\, y_c \log p_c & \text{among the } \lceil \varphi n \rceil \text{ hardest} \\
        0 & \text{otherwise}\end{cases}

    with p = softmax(y_pred), φ = ``fraction`` and n the units that count. One value per unit, in nats; 0 for those
    not chosen, which do not enter the denominator. The choice is by −Σ y log p; all weights multiply after it.
    φ is meant as the decimal or the quotient it was written as: 0.3 of 10 units are 3.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        fraction: φ in (0, 1]; 1 is cross-entropy.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import ohem_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> ohem_loss(y_pred, torch.tensor([0, 1, 1]), fraction=0.5)
    tensor(1.7415)

    Source: Shrivastava et al., Training Region-based Object Detectors with Online Hard Example Mining (2016),
    section 4, which takes a fixed number of regions and removes overlapping ones.

    Elsewhere: mmsegmentation's ``OHEMPixelSampler`` keeps the units below a probability, or a least number of them.
    """
    _validate.in_range(low=0.0, high=1.0, open_low=True)(fraction=fraction)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    cost = of_own_cost(lambda u: u, given._replace(class_weight=None))
    values = cost if given.class_weight is None else of_own_cost(lambda u: u, given)
    kept = _hardest(cost.detach(), given.w, fraction)
    w = kept if given.w is None else given.w * kept
    return reduce(values, w, reduction, mass=None if given.mass is None else given.mass * kept)


def _hardest(cost: Tensor, w: Tensor | None, fraction: float) -> Tensor:
    """1 for the units among the hardest ⌈fraction · live⌉, 0 elsewhere; no shape depends on a value."""
    flat = cost.flatten()
    live = torch.ones_like(flat, dtype=torch.bool) if w is None else w.detach().flatten() > 0
    order = torch.where(live, flat, -torch.inf).argsort(descending=True)
    rank = torch.arange(flat.numel(), device=flat.device, dtype=torch.float64)
    # rank < fraction · live as a quotient: division rounds as decimals do, so that 3 / 10 is 0.3 to the bit.
    chosen = (rank / live.sum() < fraction).to(flat.dtype)
    return torch.zeros_like(flat).scatter(0, order, chosen).reshape(cost.shape)


@final
class OHEMLoss(Loss):
    """Class form of :func:`ohem_loss`."""

    function = staticmethod(ohem_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        claims=("improper",),
        exemptions={
            "duplication": "a unit twice takes two places among the hardest, one of weight 2 takes one",
            "micro_batch": "the hardest are chosen among the whole batch",
        },
        use="Most units have long been learnt, as the inside of regions in segmentation: only the hard ones count.",
        avoid="Partly wrong labels, which are always the hardest: gce_loss; a smooth choice: softmax_focal_loss.",
        paper="Shrivastava et al. 2016, arXiv:1604.03540, sec. 4",
        cites=("shrivastava2016training",),
    )

    fraction: float = 0.7
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100
