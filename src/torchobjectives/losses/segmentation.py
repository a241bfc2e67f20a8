"""Losses on the overlap of regions: y_pred (N, C, …) logits; one value per batch."""

from __future__ import annotations

from typing import Literal, NamedTuple, final

import torch
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._link import CHANNELS, PROBABILITY, UNIT
from torchobjectives._loss import Loss
from torchobjectives._reduction import (
    Reduction,
    fill_dead,
    full_precision,
    one_dtype,
    unit_weight,
    whole_batch,
)
from torchobjectives._spec import Spec, one_value_per_batch
from torchobjectives.losses._softmax import check_index, one_hot

SumOver = Literal["batch", "sample"]
Absent = Literal["skip", "zero", "count"]


@full_precision
def dice_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    smooth: float = 0.0,
    eps: float = 1e-7,
    squared: bool = False,
    sum_over: SumOver = "batch",
    absent: Absent = "skip",
    from_logits: bool = True,
    ignore_index: int = -100,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Dice loss, one minus the overlap; y_pred are logits, for probabilities pass ``from_logits=False``.

    .. math:: L = \operatorname{mean}_c\left(1 - \frac{2 I_c + s}{\max(G_c + Q_c + s,\ \epsilon)}\right), \qquad
        I = \sum w \min(g, q),\quad G = \sum w\, g,\quad Q = \sum w\, q

    with q the probability (softmax over dim 1; sigmoid for C = 1) and g the truth. ``squared``:
    :math:`I = \sum w g q`, :math:`G = \sum w g^2`, :math:`Q = \sum w q^2`. One value per batch, in [0, 1].

    With ``smooth=0`` a class that the truth does not contain gives no slope under any policy of ``absent``: false
    positives on empty images are then not pushed down. Two ways out: ``smooth=1`` with ``absent="count"``, or a
    cross-entropy term beside this one.

    Args:
        y_pred: (N, C, …) logits (probabilities with ``from_logits=False``).
        y_true: class indices (N, …), or masks in [0, 1] of y_pred's shape. For C = 1: 0 or 1, (N, …) or (N, 1, …).
        smooth: s ≥ 0, added above and below.
        eps: the least denominator, > 0.
        squared: squares in the denominator.
        sum_over: sum over the whole ``"batch"``, or per ``"sample"`` (the mean then runs over the
            (sample, class) pairs).
        absent: a class that the truth does not contain is left out of the mean (``"skip"``), counts as 0
            (``"zero"``), or keeps its value (``"count"``).
        from_logits: False where y_pred holds probabilities.
        ignore_index: class index of pixels that do not count.
        weight: weights ≥ 0 of the pixels' shape (N, …) or a leading part of it; they enter the sums.
        mask: True = counts; shape as ``weight``.
        reduction: accepted for the contract's sake; every reduction gives the one value.

    Raises:
        ValueError: a shape, an index, a probability or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, class indices are, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import dice_loss
    >>> y_pred = torch.tensor([[[0.9, 0.6, 0.3, 0.1]]])
    >>> dice_loss(y_pred, torch.tensor([[1, 1, 0, 0]]), from_logits=False)
    tensor(0.2308)

    Source: Milletari et al., V-Net (2016), equation for D (the squared form); Sudre et al. (2017) for the linear form.

    Elsewhere: segmentation-models-pytorch is ``absent="zero"``; MONAI is ``sum_over="sample", absent="count"`` with
    1e-5 above and below; kornia sums over classes too by default, which makes it 1 − mean(p_true). With soft
    targets the usual Σgq is not least at q = g; the minimum here is.
    """
    _validate.non_negative(smooth=smooth)
    _validate.positive(eps=eps)
    _validate.flag(squared=squared, from_logits=from_logits)
    _validate.choice("sum_over", sum_over, ("batch", "sample"))
    _validate.choice("absent", absent, ("skip", "zero", "count"))
    given = prepare_regions(y_pred, y_true, weight, mask, from_logits=from_logits, ignore_index=ignore_index)
    overlap = given.total(given.common(soft=not squared), sum_over)
    own = (given.truth.square(), given.probability.square()) if squared else (given.truth, given.probability)
    sizes = given.total(own[0], sum_over) + given.total(own[1], sum_over)
    values = 1 - (2 * overlap + smooth) / (sizes + smooth).clamp(min=eps)
    return whole_batch(given.mean(values, sum_over, absent), reduction)


class Regions(NamedTuple):
    """Truth and prediction per class, (N, C, pixels), with the weight per pixel (N, 1, pixels)."""

    probability: Tensor
    truth: Tensor
    w: Tensor | None
    hard: bool  # the truth is known to be 0 or 1 everywhere

    def common(self, *, soft: bool) -> Tensor:
        """What truth and prediction share: their minimum, which is their product where the truth is 0 or 1."""
        if self.hard or not soft:
            return self.truth * self.probability
        # Where the truth is exactly 1 the prediction can only be below: take it, with its whole slope.
        below = (self.probability < self.truth) | (self.truth >= 1)
        return torch.where(below, self.probability, self.truth)

    def total(self, values: Tensor, sum_over: SumOver) -> Tensor:
        """The weighted sum over pixels per class: (C,), or (N, C) per sample."""
        values = values if self.w is None else values * self.w
        return values.sum((0, 2) if sum_over == "batch" else 2)

    def mean(self, values: Tensor, sum_over: SumOver, absent: Absent) -> Tensor:
        """The mean over classes, under the policy for those that the truth does not contain."""
        present = self.total(self.truth, sum_over) > 0
        # A pair without a live pixel is no pair: it counts under no policy.
        if self.w is None:
            there = torch.full_like(present, self.truth.numel() > 0)
        else:
            there = self.total(torch.ones_like(self.truth), sum_over) > 0
        kept = there if absent == "count" else present
        counted = present if absent == "skip" else there
        return torch.where(kept, values, values * 0).sum() / counted.sum().clamp(min=1)


def prepare_regions(
    y_pred: Tensor,
    y_true: Tensor,
    weight: Tensor | None,
    mask: Tensor | None,
    *,
    from_logits: bool,
    ignore_index: int,
) -> Regions:
    """Check and prepare (N, C, …) predictions with class indices (N, …) or masks (N, C, …)."""
    _validate.prediction(y_pred)
    _validate.real_target(y_true)
    _validate.integer(ignore_index=ignore_index)
    if y_pred.ndim < 2 or y_pred.shape[1] == 0:
        raise ValueError(
            f"y_pred has shape {_validate.shape(y_pred)}, wanted (N, C, ...); for one class y_pred.unsqueeze(1)."
        )
    pixels = y_pred[:, 0]
    classes = y_pred.shape[1]
    w = unit_weight(pixels, weight, mask)
    live = None if w is None else w.detach() > 0
    if classes == 1 and y_true.shape == y_pred.shape and not y_true.is_floating_point():
        y_true = y_true[:, 0]  # the indices 0 and 1 of one class, ignore_index included
    hard = not y_true.is_floating_point()
    if y_true.shape == y_pred.shape:
        y_pred, truth = one_dtype(y_pred, y_true)
        truth = truth if live is None else fill_dead(truth, live.unsqueeze(1), 0.0)
        UNIT.check("y_true (masks)", truth)
    else:
        index = _index(y_pred, y_true, pixels)
        ignored = check_index(index, max(classes, 2), w, ignore_index)
        if ignored is not None:
            live = ~ignored if live is None else live & ~ignored
            w = live.to(y_pred.dtype) if w is None else w * live
        index = index if live is None else fill_dead(index, live, 0)
        truth = (index.unsqueeze(1) == 1 if classes == 1 else one_hot(index, y_pred)).to(y_pred.dtype)
    if live is not None:
        y_pred = fill_dead(y_pred, live.unsqueeze(1), 0.0)
    if not from_logits:
        PROBABILITY.check("y_pred", y_pred)
    probability = CHANNELS.inverse(y_pred) if from_logits else y_pred
    probability = probability.flatten(2) if y_pred.ndim > 2 else probability.unsqueeze(2)
    return Regions(probability, *_flat(truth, w), hard)


def _flat(truth: Tensor, w: Tensor | None) -> tuple[Tensor, Tensor | None]:
    truth = truth.flatten(2) if truth.ndim > 2 else truth.unsqueeze(2)
    return truth, None if w is None else w.reshape(truth.shape[0], 1, truth.shape[2])


def _index(y_pred: Tensor, y_true: Tensor, pixels: Tensor) -> Tensor:
    """y_true as class indices of the pixels; raises where it can be neither these nor masks."""
    if y_true.shape != pixels.shape:
        hint = ""
        if y_pred.ndim > 2 and y_true.shape == y_pred.shape[:-1]:
            hint = " The class axis is dim 1. Did you mean y_pred.movedim(-1, 1)?"
        elif y_true.ndim == y_pred.ndim and y_true.shape[1] == 1 and y_true[:, 0].shape == pixels.shape:
            hint = " Did you mean y_true.squeeze(1)?"
        raise ValueError(
            f"y_pred has shape {_validate.shape(y_pred)}, y_true {_validate.shape(y_true)}: wanted class indices "
            f"{_validate.shape(pixels)} or masks {_validate.shape(y_pred)}.{hint}"
        )
    if y_true.is_floating_point():
        raise TypeError(
            f"y_true has dtype {_validate.dtype_name(y_true.dtype)} and the shape of class indices "
            f"{_validate.shape(y_true)}: indices must be integers. Did you mean y_true.long(), or y_true.unsqueeze(1) "
            "for the mask of one class?"
        )
    return y_true.long()


@final
class DiceLoss(Loss):
    """Class form of :func:`dice_loss`."""

    function = staticmethod(dice_loss)
    spec = Spec(
        task="segmentation",
        y_pred="logits",
        y_true="masks",
        unit="batch",
        link=CHANNELS,
        exemptions=one_value_per_batch(
            duplication="with sum_over='sample' the mean runs over (sample, class) pairs, whatever they weigh",
            scaling="with smooth > 0 a fixed number is added to weighted sums",
        ),
        expected={"empty-targets": "with smooth=0 a class that the truth does not contain gives no slope"},
        claims=("improper",),
        use="Small regions in large images, judged by their overlap: the background does not drown them.",
        avoid="Probabilities of pixels are wanted, or many images are empty: add or take cross_entropy_loss.",
        paper="Milletari et al. 2016, arXiv:1606.04797; Sudre et al. 2017, arXiv:1707.03237",
        cites=("milletari2016vnet", "sudre2017generalised"),
    )

    smooth: float = 0.0
    eps: float = 1e-7
    squared: bool = False
    sum_over: SumOver = "batch"
    absent: Absent = "skip"
    from_logits: bool = True
    ignore_index: int = -100
