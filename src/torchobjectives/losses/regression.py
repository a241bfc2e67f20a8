r"""Losses for numbers: one value per element unless the docstring says otherwise.

Throughout, :math:`d` = y_pred − y_true.
"""

from __future__ import annotations

from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._loss import Loss
from torchobjectives._reduction import (
    Reduction,
    full_precision,
    kernel_loss,
    prepare,
    reduce,
    whole_batch,
)
from torchobjectives._spec import Spec, one_value_per_batch
from torchobjectives.losses._harmonizing import HarmonizingLoss, harmonized

KINK = "a kink at d = 0: the derivative jumps there"


@full_precision
def mse_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Squared error.

    .. math:: \ell = d^2

    One value per element. Unit: that of y_true, squared.

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ ((N, 1) against (N,) included), or a weight is negative.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import mse_loss
    >>> mse_loss(torch.tensor([0.5, -1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 2.5, 0.0]))
    tensor(1.1250)

    Source: Gauss, Theoria motus (1809), least squares.

    Elsewhere: torch gives the same number, but broadcasts (N, 1) against (N,) to (N, N) with only a warning.
    optax's ``l2_loss`` is half of this.
    """
    return kernel_loss(F.mse_loss, y_pred, y_true, weight, mask, reduction)


@final
class MSELoss(Loss):
    """Class form of :func:`mse_loss`."""

    function = staticmethod(mse_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        claims=("proper", "convex"),
        use="The usual loss of regression: its minimiser is the mean.",
        avoid="Wild targets, which pull with their whole distance: huber_loss, or l1_loss for the median.",
        paper="Gauss 1809",
        cites=("gauss1809theoria",),
    )


@full_precision
def l1_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Absolute error.

    .. math:: \ell = |d|

    One value per element. Unit: that of y_true. Least at the median; the slope at d = 0 is taken as 0.

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, or a weight is negative.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import l1_loss
    >>> l1_loss(torch.tensor([0.5, -1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 2.5, 0.0]))
    tensor(0.7500)

    Source: Laplace, Mémoire sur la probabilité des causes (1774).

    Elsewhere: torch gives the same number (and broadcasts).
    """
    return kernel_loss(F.l1_loss, y_pred, y_true, weight, mask, reduction)


@final
class L1Loss(Loss):
    """Class form of :func:`l1_loss`."""

    function = staticmethod(l1_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        claims=("convex", "robust"),
        use="Regression with wild targets, or where the median is wanted.",
        avoid="A fit by steps of fixed size, which the slope of ±1 near 0 keeps from settling: huber_loss.",
        paper="Laplace 1774",
        cites=("laplace1774memoire",),
    )


@full_precision
def smooth_l1_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    beta: float = 1.0,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Absolute error with a rounded tip; equal to Huber's loss divided by β.

    .. math:: \ell = \begin{cases} d^2 / 2\beta & |d| < \beta \\ |d| - \beta/2 & \text{otherwise}\end{cases}

    One value per element. Unit: that of y_true; so is β's.

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        beta: where the parabola meets the line; 0 gives :func:`l1_loss`.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, a weight is negative, or ``beta`` < 0.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import smooth_l1_loss
    >>> smooth_l1_loss(torch.tensor([0.5, -1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 2.5, 0.0]), beta=0.5)
    tensor(0.5625)

    Source: Girshick, Fast R-CNN (2015), equation 3.

    Elsewhere: torch gives the same number. Detectors often use β = 1/9; mmdet refuses β = 0.
    """
    _validate.non_negative(beta=beta)
    return kernel_loss(F.smooth_l1_loss, y_pred, y_true, weight, mask, reduction, beta=beta)


@final
class SmoothL1Loss(Loss):
    """Class form of :func:`smooth_l1_loss`."""

    function = staticmethod(smooth_l1_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        claims=("convex", "robust"),
        use="Box regression and other detector heads, whose settings are given in beta.",
        avoid="Tuning beta: it also changes the curvature at 0, which huber_loss keeps at 1.",
        paper="Girshick 2015, arXiv:1504.08083, eq. 3",
        cites=("girshick2015fast",),
    )

    beta: float = 1.0


@full_precision
def huber_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    delta: float = 1.0,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Squared error up to δ, linear beyond: outliers pull with a bounded force.

    .. math:: \ell = \begin{cases} d^2/2 & |d| \le \delta \\ \delta\,(|d| - \delta/2) & \text{otherwise}\end{cases}

    One value per element. Unit: that of y_true, squared; δ has y_true's unit.

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        delta: where the parabola meets the line, > 0.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, a weight is negative, or ``delta`` ≤ 0.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import huber_loss
    >>> huber_loss(torch.tensor([0.5, -1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 2.5, 0.0]))
    tensor(0.4375)

    Source: Huber, Robust Estimation of a Location Parameter (1964), equation 1.1.

    Elsewhere: torch gives the same number, except that its ``weight`` divides by N instead of Σw.
    """
    _validate.positive(delta=delta)
    return kernel_loss(F.huber_loss, y_pred, y_true, weight, mask, reduction, delta=delta)


@final
class HuberLoss(Loss):
    """Class form of :func:`huber_loss`."""

    function = staticmethod(huber_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        claims=("convex", "robust"),
        use="Regression with some wild targets: quadratic near 0, linear beyond delta.",
        avoid="Targets whose scale is unknown: delta has their unit; standardise first.",
        paper="Huber 1964, doi:10.1214/aoms/1177703732, eq. 1.1",
        cites=("huber1964robust",),
    )

    delta: float = 1.0


@full_precision
def epsilon_insensitive_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    epsilon: float = 0.1,
    squared: bool = False,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Absolute error beyond a tolerance ε; errors within it cost nothing.

    .. math:: \ell = \max(|d| - \epsilon, 0), \quad \text{squared: } \max(|d| - \epsilon, 0)^2

    One value per element. Unit: that of y_true, or its square; ε has y_true's unit. The slope at |d| = ε is taken as 0.

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        epsilon: the tolerance, ≥ 0; 0 gives :func:`l1_loss`, or :func:`mse_loss`.
        squared: whether the excess is squared: smooth, but wild targets then pull without bound.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, a weight is negative, or ``epsilon`` < 0.
        TypeError: y_pred is not floating point, or mask or ``squared`` is not bool.

    >>> import torch
    >>> from torchobjectives import epsilon_insensitive_loss
    >>> epsilon_insensitive_loss(torch.tensor([0.5, -1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 2.5, 0.0]), epsilon=0.25)
    tensor(0.5625)

    Source: Vapnik, The Nature of Statistical Learning Theory (1995), the loss of support vector regression.

    Elsewhere: scikit-learn's SGDRegressor and LinearSVR have both forms by the names ``epsilon_insensitive`` and
    ``squared_epsilon_insensitive``, summed rather than averaged; LinearSVR's default is 0. torch has none.
    """
    _validate.non_negative(epsilon=epsilon)
    _validate.flag(squared=squared)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask)
    excess = torch.relu((y_pred - y_true).abs() - epsilon)
    return reduce(excess.square() if squared else excess, w, reduction)


@final
class EpsilonInsensitiveLoss(Loss):
    """Class form of :func:`epsilon_insensitive_loss`."""

    function = staticmethod(epsilon_insensitive_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        claims=("convex", "robust"),
        use="Targets known only to a tolerance: errors within epsilon are no errors.",
        avoid="A fit whose last digits count: within epsilon nothing improves; l1_loss or huber_loss.",
        paper="Vapnik 1995, doi:10.1007/978-1-4757-2440-0",
        cites=("vapnik1995nature",),
    )

    epsilon: float = 0.1
    squared: bool = False


@full_precision
def rmse_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Root of the mean squared error: one value per batch, in the unit of y_true.

    .. math:: L = \sqrt{\textstyle\sum w d^2 / \sum w}

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        weight: weights ≥ 0 of y_true's shape or a leading part of it; they enter the mean square.
        mask: True = counts; shape as ``weight``.
        reduction: accepted for the contract's sake; every reduction gives the one value.

    Raises:
        ValueError: shapes differ, or a weight is negative.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import rmse_loss
    >>> rmse_loss(torch.tensor([3.0, 0.0]), torch.tensor([0.0, 4.0]))
    tensor(3.5355)

    Source: textbook.

    Elsewhere: ``torch.sqrt(F.mse_loss(...))`` has a NaN gradient at a perfect prediction; here it is 0.
    Averaging the RMSE of micro-batches is not the RMSE of the batch.
    """
    mean_square = kernel_loss(F.mse_loss, y_pred, y_true, weight, mask, "mean")
    above = mean_square > 0
    root = torch.sqrt(torch.where(above, mean_square, 1.0))
    # Below the root's domain is only 0 (or NaN, which stays); there the square itself carries the graph.
    return whole_batch(torch.where(above, root, mean_square), reduction)


@final
class RMSELoss(Loss):
    """Class form of :func:`rmse_loss`."""

    function = staticmethod(rmse_loss)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        unit="batch",
        claims=("convex",),
        exemptions=one_value_per_batch(),
        use="A squared error reported in the unit of y_true, on whole batches.",
        avoid="Small batches, whose least loss lies between median and mean, accumulated gradients and several "
        "processes, where its parts do not add up: mse_loss.",
        paper="textbook",
    )


@full_precision
def cosine_similarity_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    dim: int = -1,
    eps: float = 1e-8,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""One minus the cosine of the angle between two vectors.

    .. math:: \ell = 1 - \frac{\langle p, t\rangle}{\max(\lVert p\rVert, \epsilon)\,\max(\lVert t\rVert, \epsilon)}

    One value per vector, in [0, 2]: the units are all axes but ``dim``. A zero vector costs 1 and has no slope.

    Args:
        y_pred: vectors along ``dim``, (…, D).
        y_true: the same shape.
        dim: the axis of the vector's components.
        eps: the least norm, > 0; in float32 not below 4e-12.
        weight: weights ≥ 0 of the units' shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, there is no axis ``dim``, a weight is negative, or ``eps`` ≤ 0.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import cosine_similarity_loss
    >>> cosine_similarity_loss(torch.tensor([[1.0, 0.0], [3.0, 4.0]]), torch.tensor([[0.0, 1.0], [3.0, 4.0]]))
    tensor(0.5000)

    Source: textbook.

    Elsewhere: torch's ``cosine_embedding_loss`` with target 1 gives the same number up to its epsilon of 1e-12 under
    the root (and a slope of 1e6 at a zero vector); keras returns −cos;
    optax's default epsilon of 0 gives NaN for a zero vector.
    """
    _validate.positive(eps=eps)
    _validate.integer(dim=dim)
    if not -y_pred.ndim <= dim < y_pred.ndim:
        raise ValueError(f"dim is {dim}, y_pred has shape {_validate.shape(y_pred)}: there is no such axis.")
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask, unit_axis=dim)
    _validate.survives(y_pred, eps=eps)
    # From about there on the second slopes of a norm fit in the dtype: 4e-12 in float32.
    eps = max(eps, torch.finfo(y_pred.dtype).tiny ** 0.3)
    (u, lack_pred), (v, lack_true) = _unit(y_pred, dim, eps), _unit(y_true, dim, eps)
    # 1 − ⟨u, v⟩ of unit vectors as ½‖u − v‖²: near 0 no digit is lost.
    return reduce(((u - v).square().sum(dim, keepdim=True) / 2 + (lack_pred + lack_true)).squeeze(dim), w, reduction)


def _unit(vectors: Tensor, dim: int, eps: float) -> tuple[Tensor, Tensor]:
    """Vectors over max(their norm, eps), and what they lack to unit vectors: ½(1 − ‖u‖²)."""
    squares = vectors.square().sum(dim, keepdim=True)
    least = min(eps**2, torch.finfo(squares.dtype).max)
    # Chosen before the root: up to eps nothing hangs on the norm, and no slope of it can overflow.
    above = squares > least
    # A zero vector has no direction to improve: slope 0 there instead of 1/eps.
    flat = (squares > 0).to(squares.dtype) / eps
    factor = torch.where(above, 1 / torch.where(above, squares, 1.0).sqrt(), flat)
    # 0 times the squares, so that NaN and what overflows stay seen.
    return vectors * factor, torch.where(above, 0 * squares, (1 - squares * flat.square()) / 2)


@final
class CosineSimilarityLoss(Loss):
    """Class form of :func:`cosine_similarity_loss`."""

    function = staticmethod(cosine_similarity_loss)
    spec = Spec(
        task="regression",
        y_pred="vectors",
        y_true="vectors",
        unit="vector",
        use="Embeddings and directions, whose length does not matter.",
        avoid="Vectors whose length matters: mse_loss.",
        paper="textbook",
    )

    dim: int = -1
    eps: float = 1e-8


@full_precision
def ghmr_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    mu: float = 0.02,
    bins: int = 10,
    momentum: float = 0.75,
    bin_counts: Tensor | None = None,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Gradient-harmonized regression: elements whose gradient norm is common weigh less.

    .. math:: \ell = \left(\sqrt{d^2 + \mu^2} - \mu\right)\frac{N}{c\,n}, \qquad g = \frac{|d|}{\sqrt{d^2+\mu^2}}

    The g of all N live elements of the batch are counted in ``bins`` equal bins of [0, 1]; c is the count of
    the element's own bin (an empty bin counts as 1; so does one of which running counts keep less than 10⁻⁶), n the
    number of bins with a count above 0. The counts carry no gradient, and weights do not enter them. One value per
    element, in y_true's unit.

    Args:
        y_pred: any real numbers, any shape.
        y_true: the same shape.
        mu: the width of the rounded tip, > 0, in y_true's unit.
        bins: the number of bins.
        momentum: the share of ``bin_counts`` in the counts used, in [0, 1].
        bin_counts: running counts ≥ 0, (bins,). None, or all zero: the batch's own counts are used; otherwise
            momentum · bin_counts + (1 − momentum) · batch. Never changed; the class keeps them.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, a weight is negative, or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import ghmr_loss
    >>> ghmr_loss(torch.tensor([1.0, 1.0, 0.0]), torch.tensor([0.0, 0.0, 0.01]), mu=1.0)
    tensor(0.2071)

    Source: Li, Liu and Wang, Gradient Harmonized Single-stage Detector (2019), equations 9 to 11.

    Elsewhere: mmdet divides by the same density, with momentum 0 by default and a host synchronisation per bin.
    """
    _validate.positive(mu=mu)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask)
    distance = y_pred - y_true
    # √(d²+μ²) − μ is the difference of two near numbers; as a quotient it keeps every digit.
    values = distance.square() / (_rounded(distance, mu) + mu)
    gradient_norm = _ghmr_gradient_norm(y_pred.detach(), y_true, mu=mu)
    factor = harmonized(gradient_norm, w, bins=bins, momentum=momentum, bin_counts=bin_counts)
    return reduce(values * factor, w, reduction)


def _ghmr_gradient_norm(y_pred: Tensor, y_true: Tensor, *, mu: float) -> Tensor:
    distance = y_pred - y_true
    return distance.abs() / _rounded(distance, mu)


def _rounded(distance: Tensor, mu: float) -> Tensor:
    """√(d² + μ²), in which the square of a small μ does not vanish: the slope at d = 0 would be NaN."""
    _validate.survives(distance, mu=mu)
    return torch.hypot(distance, torch.full_like(distance, mu))


@final
class GHMRLoss(HarmonizingLoss):
    """Class form of :func:`ghmr_loss`; holds the running bin counts.

    In training each call mixes the batch's counts into ``bin_counts``; in ``eval()`` they are used as they
    stand and not changed.
    """

    function = staticmethod(ghmr_loss)
    gradient_norm = staticmethod(_ghmr_gradient_norm)
    spec = Spec(
        task="regression",
        y_pred="real",
        y_true="real",
        exemptions=HarmonizingLoss.exemptions,
        use="Box regression in which a mass of easy, or of hopeless, examples drowns the others.",
        avoid="Small batches, whose counts are noise: huber_loss.",
        paper="Li, Liu and Wang 2019, arXiv:1811.05181, eq. 9-11",
        cites=("li2019gradient",),
    )

    mu: float = 0.02
    bins: int = 10
    momentum: float = 0.75
