"""Losses for several classes of very unequal size: y_pred (N, C, …) logits, the counts of the classes beside them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final, final

import torch
import torch.nn.functional as F
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._link import SOFTMAX, Calibration, Link, class_axis
from torchobjectives._loss import Loss
from torchobjectives._reduction import Reduction, full_precision, reduce, widened
from torchobjectives._spec import Spec
from torchobjectives.losses._softmax import (
    Classes,
    all_log_odds_against,
    along,
    at_index,
    log_odds_against,
    normalized,
    one_hot,
    over_classes,
    own_log_probability,
    per_class,
    prepare_classes,
    reduced_cross_entropy,
    some_classes_at_a_time,
)

# A probability below it counts as it where seesaw divides by one: the paper's code does so.
LEAST_PROBABILITY: Final = 0.01
_COUNTS: Final = "the factors of a unit follow from the class counts of its batch, unless class_counts is given"
_DETACHED: Final = (
    "the compensation factor is a constant by definition: no gradient flows through it (q = 0: none is there)"
)


def class_balanced_weights(class_counts: Tensor | Sequence[float], beta: float = 0.9999) -> Tensor:
    r"""Class weights by the effective number of samples, for the ``class_weight`` of any loss over classes.

    .. math:: w_c \propto \frac{1 - \beta}{1 - \beta^{n_c}}, \qquad \sum_c w_c = C

    β = 0 gives equal weights, β → 1 weights inverse to the counts.

    Args:
        class_counts: (C,) counts ≥ 0 of the classes; a class without samples counts as one with a single sample.
        beta: β in [0, 1).

    Returns:
        (C,) weights, float64 unless ``class_counts`` is a floating-point tensor.

    Raises:
        ValueError: ``class_counts`` is negative or no list of numbers, or ``beta`` is out of range.
        TypeError: ``class_counts`` holds no numbers.

    >>> import torch
    >>> from torchobjectives import class_balanced_weights
    >>> class_balanced_weights(torch.tensor([100.0, 10.0, 1.0]), beta=0.99)
    tensor([0.0422, 0.2800, 2.6777])

    Source: Cui et al., Class-Balanced Loss Based on Effective Number of Samples (2019), proposition 1 and section 4.

    Elsewhere: published code multiplies each sample's loss by its weight and divides by N; a mean here divides by
    the weights' sum. scikit-learn's ``compute_class_weight("balanced")`` is the limit β → 1, up to scale.
    """
    _validate.in_range(low=0.0, high=1.0, open_high=True)(beta=beta)
    given = class_counts if isinstance(class_counts, Tensor) else _validate.numbers("class_counts", class_counts)
    # float64 whatever comes: 1 − β^n of float16 counts would have no digits left.
    counts = given if given.is_complex() else given.double()
    if counts.ndim != 1 or not len(counts):
        raise ValueError(f"class_counts has shape {_validate.shape(counts)}, wanted one count per class: (C,).")
    _validate.non_negative.tensors(class_counts=counts)
    counts = torch.where(counts > 0, counts, 1.0)
    weights = -1 / torch.expm1(counts * math.log(beta)) if beta else torch.ones_like(counts)
    weights = weights * (len(counts) / weights.sum())
    return weights.to(given.dtype) if given.is_floating_point() else weights


@full_precision
def ldam_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    class_counts: Tensor | Sequence[float],
    max_margin: float = 0.5,
    scale: float = 30.0,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy with a margin for the true class that is wider, the rarer the class (LDAM).

    .. math:: \ell = -\sum_c w_c\, y_c \log \frac{e^{s(x_c - m_c)}}{e^{s(x_c - m_c)} + \sum_{j \ne c} e^{s x_j}},
        \qquad m_c = m_{\max} \left(\frac{\min_j n_j}{n_c}\right)^{1/4}

    with x = y_pred, s = ``scale``. One value per unit, in nats; denominator as in :func:`cross_entropy_loss`, which
    it is for ``max_margin`` 0 and ``scale`` 1. The scale is made for logits in [−1, 1], such as cosines.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        class_counts: (C,) counts n ≥ 0 of the classes; a class without samples counts as one with a single sample.
        max_margin: the margin of the rarest class, ≥ 0.
        scale: s > 0, the inverse temperature.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import ldam_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> ldam_loss(y_pred, torch.tensor([0, 1, 1]), class_counts=[100, 10, 1])
    tensor(32.8117)

    Source: Cao et al., Learning Imbalanced Datasets with Label-Distribution-Aware Margin Loss (2019), section 3.2.

    Elsewhere: torch, torchvision, timm and optax have none. The authors' code gives the same number; with class
    weights, too.
    """
    _validate.non_negative(max_margin=max_margin)
    _validate.positive(scale=scale)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    lead = scale * _margins(given.y_pred, class_counts, max_margin)
    values = over_classes(
        lambda x, k: -F.logsigmoid(-log_odds_against(scale * x, k) - at_index(lead, k)),
        lambda x: -F.logsigmoid(-all_log_odds_against(scale * x) - along(lead, x, class_axis(x))),
        given,
    )
    return reduce(values, given.w, reduction, mass=given.mass)


def _margins(y_pred: Tensor, class_counts: Tensor | Sequence[float], max_margin: float) -> Tensor:
    counts = per_class(y_pred, class_counts=class_counts)
    counts = torch.where(counts > 0, counts, 1.0)
    return max_margin * (counts.amin() / counts) ** 0.25


def _scaled_softmax(y_pred: Tensor, scale: float) -> Tensor:
    return SOFTMAX.inverse(scale * y_pred)


def _without_margin(
    prediction: Tensor, class_counts: Tensor | Sequence[float], max_margin: float, scale: float
) -> Tensor:
    """η_c ∝ p_c (1 − p_c + p_c e^(−s m_c)), the inverse of the minimiser of Σ_c η_c ℓ(c)."""
    axis = class_axis(prediction)
    # 1 − p of the likeliest class from the others, so that nothing cancels.
    is_top = one_hot(prediction.argmax(axis), prediction)
    others = torch.where(is_top, 0.0, prediction).sum(axis, keepdim=True)
    against = torch.where(is_top, others, 1 - prediction)
    ahead = torch.exp(-scale * _margins(prediction, class_counts, max_margin))
    return normalized(prediction * (against + prediction * along(ahead, prediction, axis)))


@final
class LDAMLoss(Loss):
    """Class form of :func:`ldam_loss`."""

    function = staticmethod(ldam_loss)
    float64_buffers = ("class_counts",)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=Link(
            "softmax of scale · y_pred", _scaled_softmax, lambda classes, scale: SOFTMAX.outputs(classes), ("scale",)
        ),
        calibration=Calibration(_without_margin, ("class_counts", "max_margin", "scale")),
        claims=("improper", "convex"),
        use="Long-tailed classes whose rare ones are overfitted, on logits of bounded size such as cosines.",
        avoid="Logits of any size, which the scale of 30 saturates: lower it, or take logit_adjusted_loss.",
        paper="Cao et al. 2019, arXiv:1906.07413, sec. 3.2",
        cites=("cao2019learning",),
    )

    class_counts: Tensor | Sequence[float]
    max_margin: float = 0.5
    scale: float = 30.0
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def balanced_softmax_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    class_counts: Tensor | Sequence[float],
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy of a softmax that is weighed with the class counts, so that y_pred is free of them.

    .. math:: \ell = -\sum_c w_c\, y_c \log \frac{n_c\, e^{x_c}}{\sum_j n_j\, e^{x_j}}, \qquad x = \text{y\_pred}

    One value per unit, in nats; denominator as in :func:`cross_entropy_loss`, which it is for equal counts. softmax
    of y_pred is the probability were all classes equally common; under the counts it is ``predict(...,
    calibrated=True)``. A class without samples takes no part in the sum, except in a unit whose target it is:
    there it counts as one sample.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        class_counts: (C,) counts n ≥ 0 of the classes, not all 0; only their ratios matter.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import balanced_softmax_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> balanced_softmax_loss(y_pred, torch.tensor([0, 1, 1]), class_counts=[100, 10, 1])
    tensor(0.9316)

    Source: Ren et al., Balanced Meta-Softmax for Long-Tailed Visual Recognition (2020), section 3.1.

    Elsewhere: torch has none; ``F.cross_entropy(y_pred + class_counts.log(), y_true)`` gives the same number where
    no count is 0.
    """
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    return _under_prior(given, per_class(given.y_pred, class_counts=class_counts), 1.0, reduction)


def _under_prior(given: Classes, counts: Tensor, tau: float, reduction: Reduction) -> Tensor:
    """The cross-entropy of x + τ log n, where log 0 takes a class out of the sum unless it is the target."""
    if _validate.readable(counts):
        if float(counts.detach().amin()) > 0:
            x = given.y_pred + along(tau * torch.log(counts), given.y_pred, class_axis(given.y_pred))
            return reduced_cross_entropy(x, given, reduction)
        if not bool((counts > 0).any()):
            raise ValueError("class_counts is 0 for every class, wanted the samples of each class.")
    seen = counts > 0
    # 0⁰ = 1: without a prior every class takes part.
    seen = seen | ~seen.any() if tau else torch.ones_like(seen)
    prior = tau * torch.log(torch.where(counts > 0, counts, 1.0))
    offset, common = torch.where(seen, prior, -torch.inf), counts.argmax()

    def of_index(x: Tensor, k: Tensor) -> Tensor:
        axis = class_axis(x)
        adjusted = x + along(offset, x, axis)
        is_seen = at_index(seen, k)
        anchor = torch.where(is_seen, k, common)
        cost = -own_log_probability(adjusted, anchor)
        lead = adjusted.gather(axis, anchor.unsqueeze(axis)) - x.gather(axis, k.unsqueeze(axis))
        return torch.where(is_seen, cost, -F.logsigmoid(-cost - lead.squeeze(axis)))

    def of_all(x: Tensor) -> Tensor:
        axis = class_axis(x)
        adjusted = x + along(offset, x, axis)
        unseen = -F.logsigmoid(x - torch.logsumexp(adjusted, axis, keepdim=True))
        return torch.where(along(seen, x, axis), -F.log_softmax(adjusted, axis), unseen)

    return reduce(over_classes(of_index, of_all, given), given.w, reduction, mass=given.mass)


def _with_prior(prediction: Tensor, class_counts: Tensor | Sequence[float], tau: float = 1.0) -> Tensor:
    """The probability under the counts: η_c ∝ p_c n_c^τ."""
    counts = per_class(prediction, class_counts=class_counts)
    return normalized(prediction * along(counts**tau, prediction, class_axis(prediction)))


@final
class BalancedSoftmaxLoss(Loss):
    """Class form of :func:`balanced_softmax_loss`."""

    function = staticmethod(balanced_softmax_loss)
    float64_buffers = ("class_counts",)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        calibration=Calibration(_with_prior, ("class_counts",)),
        claims=("improper", "convex"),
        use="Long-tailed training data, where every class shall count the same at prediction.",
        avoid="Future data as long-tailed as the training data: cross_entropy_loss, or predict with calibrated=True.",
        paper="Ren et al. 2020, arXiv:2007.10740, sec. 3.1",
        cites=("ren2020balanced",),
    )

    class_counts: Tensor | Sequence[float]
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def logit_adjusted_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    class_counts: Tensor | Sequence[float],
    tau: float = 1.0,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy of logits to which the log-prior of the classes is added, so that y_pred is free of it.

    .. math:: \ell = -\sum_c w_c\, y_c \log \frac{\pi_c^\tau\, e^{x_c}}{\sum_j \pi_j^\tau\, e^{x_j}},
        \qquad \pi_c = \frac{n_c}{\sum_j n_j}, \quad x = \text{y\_pred}

    One value per unit, in nats; denominator as in :func:`cross_entropy_loss`, which it is for τ = 0; τ = 1 is
    :func:`balanced_softmax_loss`. A class without samples takes no part in the sum, except in a unit whose target
    it is: there it counts as one sample.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        class_counts: (C,) counts n ≥ 0 of the classes, not all 0; only their ratios matter.
        tau: τ ≥ 0, how much of the prior is taken out.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import logit_adjusted_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> logit_adjusted_loss(y_pred, torch.tensor([0, 1, 1]), class_counts=[100, 10, 1])
    tensor(0.9316)

    Source: Menon et al., Long-Tail Learning via Logit Adjustment (2021), equation 10.

    Elsewhere: torch has none; ``F.cross_entropy(y_pred + tau * prior.log(), y_true)`` gives the same number where no
    count is 0.
    """
    _validate.non_negative(tau=tau)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    return _under_prior(given, per_class(given.y_pred, class_counts=class_counts), tau, reduction)


@final
class LogitAdjustedLoss(Loss):
    """Class form of :func:`logit_adjusted_loss`."""

    function = staticmethod(logit_adjusted_loss)
    float64_buffers = ("class_counts",)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        calibration=Calibration(_with_prior, ("class_counts", "tau")),
        claims=("improper", "convex"),
        use="Long-tailed training data, with tau to say how far rare classes shall be favoured at prediction.",
        avoid="Future data as long-tailed as the training data: cross_entropy_loss, or predict with calibrated=True.",
        paper="Menon et al. 2021, arXiv:2007.07314, eq. 10",
        cites=("menon2021long",),
    )

    class_counts: Tensor | Sequence[float]
    tau: float = 1.0
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def seesaw_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    class_counts: Tensor | Sequence[float] | None = None,
    p: float = 0.8,
    q: float = 2.0,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy in which rare classes press frequent labels down less, unless they are mistaken for them.

    .. math:: \ell = -\sum_c w_c\, y_c \log \frac{e^{x_c}}{e^{x_c} + \sum_{j \ne c} M_{cj} C_{cj} e^{x_j}}, \qquad
        M_{cj} = \min\left(1, \frac{n_j}{n_c}\right)^p, \quad
        C_{cj} = \max\left(1, \frac{\sigma_j}{\max(\sigma_c, 0.01)}\right)^q

    M mitigates, C compensates; x = y_pred, σ = softmax(x) without gradient. One value per unit, in nats; denominator
    as in :func:`cross_entropy_loss`, which it is for p = q = 0.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        class_counts: (C,) counts n ≥ 0 of the classes; a class without samples counts as one with a single sample.
            None: the counts of the live units of this batch.
        p: exponent ≥ 0 of the mitigation factor M.
        q: exponent ≥ 0 of the compensation factor C.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import seesaw_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> seesaw_loss(y_pred, torch.tensor([0, 1, 1]), class_counts=[100, 10, 1])
    tensor(2.4501)

    Source: Wang et al., Seesaw Loss for Long-Tailed Instance Segmentation (2021), section 3.2.

    Elsewhere: mmdetection's takes C + 2 logits (two for objectness), counts in a Python loop, and per process.
    """
    _validate.non_negative(p=p, q=q)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    counts = _live_counts(given) if class_counts is None else per_class(given.y_pred, class_counts=class_counts)
    log_count = torch.log(torch.where(counts > 0, counts, 1.0)).to(given.y_pred.dtype)

    def of_index(x: Tensor, k: Tensor, log_p: Tensor) -> Tensor:
        axis = class_axis(x)
        own = log_p.gather(axis, k.unsqueeze(axis)).clamp(min=math.log(LEAST_PROBABILITY))
        mitigation = p * (along(log_count, x, axis) - at_index(log_count, k).unsqueeze(axis)).clamp(max=0)
        # Both factors are 1 at the true class itself.
        return -own_log_probability(x + mitigation + q * (log_p - own).clamp(min=0), k)

    log_p = F.log_softmax(given.y_pred.detach(), class_axis(given.y_pred))
    values = over_classes(
        lambda x, k: of_index(x, k, log_p), lambda x: some_classes_at_a_time(of_index, x, log_p), given
    )
    return reduce(values, given.w, reduction, mass=given.mass)


def _live_counts(given: Classes) -> Tensor:
    """How many live units each class has (float64); of probabilities, their sums."""
    axis = class_axis(given.y_pred)
    live = None if given.w is None else (given.w.detach() > 0).double()
    if given.class_index is not None:
        index = given.class_index.flatten()
        ones = torch.ones_like(index, dtype=torch.float64) if live is None else live.flatten()
        zeros = torch.zeros(given.y_pred.shape[axis], dtype=torch.float64, device=index.device)
        return zeros.index_add(0, index, ones)
    assert given.probabilities is not None
    counted = given.probabilities.detach().double()
    counted = counted if live is None else counted * live.unsqueeze(axis)
    return counted.movedim(axis, -1).flatten(0, -2).sum(0) if counted.ndim > 1 else counted


@final
class SeesawLoss(Loss):
    """Class form of :func:`seesaw_loss`, for class counts that are given, or counted in training.

    With ``num_classes`` each training call adds its batch to ``class_counts``, which starts from 0, before it uses
    them; in ``eval()`` they are used as they stand, while they are all 0 the batch's own, and not changed.
    """

    function = staticmethod(seesaw_loss)
    float64_buffers = ("class_counts",)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        claims=("improper",),
        exemptions={
            "duplication": _COUNTS,
            "micro_batch": _COUNTS,
            "gradcheck": _DETACHED,
            "gradgradcheck": _DETACHED,
        },
        use="Many long-tailed classes whose counts become known only in training, such as objects in images.",
        avoid="Probabilities that are to be trusted: logit_adjusted_loss, whose bias has an inverse.",
        paper="Wang et al. 2021, arXiv:2008.10032, sec. 3.2",
        cites=("wang2021seesaw",),
    )

    num_classes: int | None = None
    class_counts: Tensor | Sequence[float] | None = None
    p: float = 0.8
    q: float = 2.0
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100

    def _check(self) -> None:
        if (self.num_classes is None) == (self.class_counts is None):
            raise ValueError(
                "SeesawLoss takes either class_counts, where they are known, or num_classes, to count in training."
            )
        if self.num_classes is not None:
            _validate.whole(low=1, num_classes=self.num_classes)
            self.class_counts = torch.zeros(self.num_classes, dtype=torch.float64)
        super()._check()

    def _nothing(self) -> tuple[Tensor, Tensor]:
        counts = self.get_buffer("class_counts")
        y_true = torch.empty(0, dtype=torch.long, device=counts.device)
        return torch.empty(0, counts.numel(), device=counts.device), y_true

    def values(self) -> dict[str, Any]:
        """The fields of this instance; counts of its own are state, not a field."""
        return super().values() | ({} if self.num_classes is None else {"class_counts": None})

    def evaluate(
        self,
        y_pred: Tensor,
        y_true: Tensor,
        *,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        reduction: Reduction = "mean",
    ) -> Tensor:
        """Evaluate under any reduction; in training with ``num_classes``, count the batch first."""
        given = self.hyper_parameters()
        population: dict[str, Any] = {"weight": weight, "mask": mask}
        counted = given.pop("num_classes") is not None
        if counted:
            stored = self.get_buffer("class_counts")
            with torch.no_grad():
                batch = self._batch_counts(y_pred, y_true, **population).to(stored)
                counts = stored + batch if self.training else torch.where(stored.sum() > 0, stored, batch)
            given["class_counts"] = counts
        value = self.function(y_pred, y_true, **given, **population, reduction=reduction)
        if counted and self.training:
            # Last: what the function refuses is not counted.
            with torch.no_grad():
                stored.copy_(counts)
        return value

    def _batch_counts(self, y_pred: Tensor, y_true: Tensor, **population: Any) -> Tensor:
        _validate.tensor("y_pred", y_pred)
        _validate.tensor("y_true", y_true)
        given = prepare_classes(
            widened(y_pred),
            widened(y_true),
            class_weight=self.class_weight,
            ignore_index=self.ignore_index,
            **population,
        )
        counts = _live_counts(given)
        if len(counts) != self.num_classes:
            raise ValueError(f"num_classes is {self.num_classes}, y_pred has {len(counts)} classes (dim 1).")
        return counts
