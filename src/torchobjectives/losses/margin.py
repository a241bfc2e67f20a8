"""Losses for one class of several that are exactly 0 beyond a margin: y_pred (N, C, …) scores, classes at dim 1."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._link import SOFTMAX, class_axis
from torchobjectives._loss import Loss
from torchobjectives._reduction import Reduction, full_precision, reduce
from torchobjectives._spec import Spec
from torchobjectives.losses._entmax import ENTMAX, SPARSEMAX, entmax_values
from torchobjectives.losses._softmax import one_hot, over_classes, prepare_classes


@full_precision
def multi_margin_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    p: int = 1,
    margin: float = 1.0,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Multiclass hinge: every class that comes within the margin of the true one is pushed down.

    .. math:: \ell = \sum_k w_k\, y_k\, \frac{1}{C} \sum_{j \ne k} \max(0,\ m - \text{y\_pred}_k + \text{y\_pred}_j)^p

    with m the margin. One value per unit, in the unit of the scores (p = 2: squared); denominator as in
    :func:`cross_entropy_loss`.

    Args:
        y_pred: scores (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        p: the power, 1 or 2.
        margin: m ≥ 0, in the unit of the scores.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import multi_margin_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> multi_margin_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(0.4444)

    Source: Weston & Watkins, Support vector machines for multi-class pattern recognition (1999), without the division
    by C and with a margin of 2.

    Elsewhere: torch gives the same number for class indices, except that its ``weight`` divides by N instead of the
    weights' mass, and takes neither probabilities nor pixels; on shape (0, C) its mean is undefined (here 0).
    """
    _validate.integer(p=p)
    if p not in (1, 2):
        raise ValueError(f"p is {p}, wanted 1 or 2.")
    _validate.non_negative(margin=margin)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    values = over_classes(lambda x, k: _own_hinges(x, k, p, margin), lambda x: _all_hinges(x, p, margin), given)
    return reduce(values, given.w, reduction, mass=given.mass)


def _own_hinges(y_pred: Tensor, index: Tensor, p: int, margin: float) -> Tensor:
    axis = class_axis(y_pred)
    own = y_pred.gather(axis, index.unsqueeze(axis))
    hinges = torch.relu(y_pred - own + margin).masked_fill(one_hot(index, y_pred), 0.0)
    return (hinges if p == 1 else hinges * hinges).mean(axis)


def _all_hinges(y_pred: Tensor, p: int, margin: float) -> Tensor:
    """The loss of every class, in memory of y_pred's size: prefix sums over the sorted classes, not all pairs."""
    axis = class_axis(y_pred)
    x = y_pred.movedim(axis, -1)
    # How far below the best score: the hinge of j against k is reach_k − below_j, where that is positive.
    below = x.detach().amax(-1, keepdim=True) - x
    reach = below + margin
    rising = below.sort(-1).values
    count = torch.searchsorted(rising.detach().contiguous(), reach.detach().contiguous())
    first = _prefix_sum(rising, count)
    if p == 1:
        values = count * reach - first - torch.relu(reach - below)
    else:
        values = (
            count * reach.square()
            - 2 * reach * first
            + _prefix_sum(rising.square(), count)
            - torch.relu(reach - below).square()
        )
    return values.movedim(-1, axis) / y_pred.shape[axis]


def _prefix_sum(values: Tensor, count: Tensor) -> Tensor:
    """The sum of the first ``count`` values along the last axis."""
    return torch.cat((torch.zeros_like(values[..., :1]), values.cumsum(-1)), -1).gather(-1, count)


@final
class MultiMarginLoss(Loss):
    """Class form of :func:`multi_margin_loss`."""

    function = staticmethod(multi_margin_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        claims=("improper", "convex"),
        use="Only the decision matters, as in a support vector machine: no push once every margin is kept.",
        avoid="Probabilities are wanted: cross_entropy_loss; very many classes: crammer_singer_loss, the worst alone.",
        paper="Weston & Watkins 1999, ESANN",
        cites=("weston1999support",),
    )

    p: int = 1
    margin: float = 1.0
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def crammer_singer_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    margin: float = 1.0,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Multiclass hinge against the highest wrong score alone.

    .. math:: \ell = \sum_k w_k\, y_k \max\left(0,\ m + \max_{j \ne k} \text{y\_pred}_j - \text{y\_pred}_k\right)

    with m the margin. One value per unit, in the unit of the scores; denominator as in :func:`cross_entropy_loss`.
    A number added to all scores changes nothing.

    Args:
        y_pred: scores (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        margin: m ≥ 0, in the unit of the scores.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import crammer_singer_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> crammer_singer_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(1.3333)

    Source: Crammer & Singer, On the Algorithmic Implementation of Multiclass Kernel-based Vector Machines (2001),
    section 3.

    Elsewhere: optax' ``multiclass_hinge_loss`` and scikit-learn's ``hinge_loss`` for several classes give the same
    number with ``margin=1``. keras' ``categorical_hinge`` counts a 0 among the wrong scores: another loss, which a
    number added to all scores changes.
    """
    _validate.non_negative(margin=margin)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    values = over_classes(lambda x, k: _own_worst(x, k, margin), lambda x: _all_worst(x, margin), given)
    return reduce(values, given.w, reduction, mass=given.mass)


def _own_worst(y_pred: Tensor, index: Tensor, margin: float) -> Tensor:
    axis = class_axis(y_pred)
    where = index.unsqueeze(axis)
    worst = y_pred.scatter(axis, where, -torch.inf).max(axis).values
    return torch.relu(worst - y_pred.gather(axis, where).squeeze(axis) + margin)


def _all_worst(y_pred: Tensor, margin: float) -> Tensor:
    axis = class_axis(y_pred)
    # The highest other score is the highest one, and for that class the second.
    best, index = y_pred.max(axis, keepdim=True)
    is_best = one_hot(index.squeeze(axis), y_pred)
    second = y_pred.masked_fill(is_best, -torch.inf).amax(axis, keepdim=True)
    return torch.relu(torch.where(is_best, second, best) - y_pred + margin)


@final
class CrammerSingerLoss(Loss):
    """Class form of :func:`crammer_singer_loss`."""

    function = staticmethod(crammer_singer_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        claims=("improper", "convex"),
        use="Only the decision matters: a large margin between the true class and its strongest rival.",
        avoid="Probabilities are wanted, or labels are ambiguous: cross_entropy_loss.",
        paper="Crammer & Singer 2001, JMLR 2, sec. 3",
        cites=("crammer2001algorithmic",),
    )

    margin: float = 1.0
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def sparsemax_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy's counterpart for sparsemax, whose probabilities may be exactly 0.

    .. math:: \ell = \sum_k w_k\, y_k \left(\tfrac12 + \langle p, \text{y\_pred}\rangle - \tfrac12 \|p\|^2
        - \text{y\_pred}_k\right), \qquad p = \arg\min_{q \in \Delta} \|q - \text{y\_pred}\|^2

    with Δ the probability simplex. One value per unit; denominator as in :func:`cross_entropy_loss`. The slope is
    p − y; the loss of a class that leads by 1 is exactly 0. ``predict`` gives p.

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
    >>> from torchobjectives import sparsemax_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> sparsemax_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(1.)

    Source: Martins & Astudillo, From Softmax to Sparsemax (2016), section 3.2; for probabilities here the expected
    value over classes, which differs from the paper's multi-label form (section 3.4) by ½(1 − ‖y‖²).

    Elsewhere: optax' ``multiclass_sparsemax_loss`` gives the same number per sample.
    """
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    return reduce(entmax_values(given, 2.0), given.w, reduction, mass=given.mass)


@final
class SparsemaxLoss(Loss):
    """Class form of :func:`sparsemax_loss`."""

    function = staticmethod(sparsemax_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=SPARSEMAX,
        claims=("proper", "convex"),
        use="Many classes of which few are possible: predictions that say exactly 0, and a margin of 1.",
        avoid="No class may get probability 0, as where log scores judge: cross_entropy_loss; in between: entmax_loss.",
        paper="Martins & Astudillo 2016, arXiv:1602.02068, sec. 3.2",
        cites=("martins2016softmax",),
    )

    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100


@full_precision
def entmax_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    alpha: float = 1.5,
    class_weight: Tensor | Sequence[float] | None = None,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Cross-entropy's counterpart for α-entmax, between softmax (α → 1) and sparsemax (α = 2).

    .. math:: \ell = \sum_k w_k\, y_k \left(\langle p - e_k, \text{y\_pred}\rangle + H_\alpha(p)\right), \qquad
        H_\alpha(p) = \frac{1 - \sum_j p_j^\alpha}{\alpha(\alpha - 1)}, \quad
        p = \arg\max_{q \in \Delta}\ \langle q, \text{y\_pred}\rangle + H_\alpha(q)

    with e_k the k-th unit vector: the Fenchel–Young loss of Tsallis' α-entropy. One value per unit; denominator as
    in :func:`cross_entropy_loss`. The slope is p − y; the loss of a class that leads by 1/(α − 1) is exactly 0.
    ``predict`` gives p. α = 1.5 and α = 2 are solved by sorting, other α by bisection, which is slower.

    Args:
        y_pred: logits (N, C, …), the classes at dim 1.
        y_true: class indices (N, …), or probabilities (N, C, …).
        alpha: α > 1; for α = 1 take :func:`cross_entropy_loss`.
        class_weight: (C,) weights ≥ 0 of the classes; they enter the denominator.
        ignore_index: class index of units that do not count.
        weight: weights ≥ 0 of the units' shape (N, …) or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import entmax_loss
    >>> y_pred = torch.tensor([[2.0, 1.0, 0.1], [0.5, 2.5, -1.0], [-1.0, 0.0, 3.0]])
    >>> entmax_loss(y_pred, torch.tensor([0, 1, 1]))
    tensor(1.0206)

    Source: Peters et al., Sparse Sequence-to-Sequence Models (2019), section 3; Blondel et al., Learning with
    Fenchel-Young Losses (2020).

    Elsewhere: the authors' ``entmax`` package gives the same number per sample; for other α than 1.5 and 2 its
    bisection leaves about 1e-6.
    """
    _validate.in_range(low=1.0, open_low=True)(alpha=alpha)
    given = prepare_classes(y_pred, y_true, weight, mask, class_weight, ignore_index)
    return reduce(entmax_values(given, alpha), given.w, reduction, mass=given.mass)


@final
class EntmaxLoss(Loss):
    """Class form of :func:`entmax_loss`."""

    function = staticmethod(entmax_loss)
    spec = Spec(
        task="multiclass",
        y_pred="logits",
        y_true="classes",
        unit="sample",
        link=ENTMAX,
        claims=("proper", "convex"),
        use="Sparse probabilities with a smooth start, as for next words: unlikely classes get exactly 0.",
        avoid="A wrong class must never get probability 0, as for log scores: cross_entropy_loss.",
        paper="Peters et al. 2019, arXiv:1905.05702, sec. 3; Blondel et al. 2020, arXiv:1901.02324",
        cites=("peters2019sparse", "blondel2020learning"),
    )

    alpha: float = 1.5
    class_weight: Tensor | Sequence[float] | None = None
    ignore_index: int = -100
