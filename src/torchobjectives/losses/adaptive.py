"""Cross-entropy over very many classes: the adaptive softmax, a loss that owns the output layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor, nn

from torchobjectives import _validate
from torchobjectives._link import SOFTMAX
from torchobjectives._loss import Loss
from torchobjectives._reduction import (
    REDUCTIONS,
    Reduction,
    fill_dead,
    full_precision,
    live_slots,
    reduce,
    unit_weight,
    without_autocast,
)
from torchobjectives._spec import Spec
from torchobjectives.losses._softmax import check_index


@full_precision
def _adaptive_log_softmax(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    head: nn.AdaptiveLogSoftmaxWithLoss,
    weight: Tensor | None,
    mask: Tensor | None,
    reduction: Reduction,
) -> Tensor:
    _check_features(y_pred, head.in_features)
    if y_true.is_floating_point() or y_true.is_complex() or y_true.dtype is torch.bool:
        raise TypeError(
            f"y_true has dtype {_validate.dtype_name(y_true.dtype)}, wanted class indices. Did you mean y_true.long()?"
        )
    if y_true.shape != y_pred.shape[:1]:
        raise ValueError(
            f"y_pred has shape {_validate.shape(y_pred)}, y_true {_validate.shape(y_true)}: "
            f"wanted one class index per row, ({y_pred.shape[0]},)."
            + _validate.squeeze_hint(y_true, y_pred[:, 0]).replace("y_pred", "y_true")
        )
    w = unit_weight(y_pred[:, 0], weight, mask)
    check_index(y_true, head.n_classes, w, None)
    live = live_slots(w)
    if live is not None:
        y_pred, y_true = fill_dead(y_pred, live.unsqueeze(1), 0.0), fill_dead(y_true, live, 0)
    # The head's parameters in the dtype of the features: half ones are computed in float32 like all else.
    parameters = {name: value.to(y_pred.dtype) for name, value in head.named_parameters()}
    output, _ = torch.func.functional_call(head, parameters, (y_pred, y_true.long()))
    return reduce(-output, w, reduction)


def _check_features(y_pred: Tensor, in_features: int) -> None:
    _validate.tensor("y_pred", y_pred)
    _validate.prediction(y_pred)
    if y_pred.ndim != 2 or y_pred.shape[1] != in_features:
        raise ValueError(
            f"y_pred has shape {_validate.shape(y_pred)}, wanted features (N, {in_features}): "
            "the input of the output layer, which this loss owns."
        )


@final
class AdaptiveLogSoftmaxLoss(Loss):
    r"""Cross-entropy over very many classes through an adaptive softmax; owns the output layer.

    Frequent classes get a full-size layer, rare ones share clusters with smaller ones, and only the clusters
    that occur in a batch are evaluated. One value per sample, in nats. y_pred are *features*: the input of
    the output layer, not logits. There is no function form.

    Args:
        in_features: the width D of the features.
        num_classes: the number of classes C; classes must be numbered from the most frequent to the rarest.
        cutoffs: where clusters begin: increasing numbers between 1 and C − 1.
        div_value: by how much each further cluster is narrower.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape, an index or a hyper-parameter is out of range.
        TypeError: y_pred is not floating point, y_true is no integer, or mask is not bool.

    When called: y_pred (N, D), y_true class indices (N,), weight and mask (N,).

    >>> import torch
    >>> from torchobjectives import AdaptiveLogSoftmaxLoss
    >>> _ = torch.manual_seed(0)
    >>> loss = AdaptiveLogSoftmaxLoss(in_features=16, num_classes=20, cutoffs=[5, 10])
    >>> loss(torch.zeros(2, 16), torch.tensor([0, 19])).shape
    torch.Size([])
    >>> loss.predict(torch.zeros(2, 16)).sum(1).round(decimals=4).tolist()
    [1.0, 1.0]

    Source: Grave et al., Efficient softmax approximation for GPUs (2017).

    Elsewhere: built on torch's ``nn.AdaptiveLogSoftmaxWithLoss`` (``loss.adaptive``), which gives the same number,
    takes no weights, and raises under bfloat16 autocast on the CPU.
    """

    spec = Spec(
        task="multiclass",
        y_pred="features",
        y_true="classes",
        unit="sample",
        link=SOFTMAX,
        claims=("proper", "convex"),
        exemptions={
            "compile": "which clusters are evaluated depends on the data",
            "vmap": "which clusters are evaluated depends on the data",
        },
        use="Tens of thousands of classes with a long tail, as words: the output layer dominates time and memory.",
        avoid="Few classes, or all about as frequent: a linear layer and cross_entropy_loss.",
        paper="Grave et al. 2017, arXiv:1609.04309",
        cites=("grave2017efficient",),
    )

    in_features: int
    num_classes: int
    cutoffs: Sequence[int]
    div_value: float = 4.0

    def _check(self) -> None:
        _validate.whole(low=1, in_features=self.in_features)
        _validate.whole(low=2, num_classes=self.num_classes)
        _validate.positive(div_value=self.div_value)
        _validate.choice("reduction", self.reduction, REDUCTIONS)
        if isinstance(self.cutoffs, Tensor):
            cutoffs = tuple(self.cutoffs.flatten().tolist())
            del self.cutoffs  # a buffer, which no tuple may replace
            self.cutoffs = cutoffs
        if not isinstance(self.cutoffs, Sequence) or isinstance(self.cutoffs, str):
            such = self.cutoffs if isinstance(self.cutoffs, int) else "2000, 10000"
            raise TypeError(f"cutoffs is {self.cutoffs!r}, wanted a list of whole numbers such as [{such}].")
        cuts = list(self.cutoffs)
        if not cuts or any(isinstance(c, bool) or not isinstance(c, int) for c in cuts) or cuts != sorted(set(cuts)):
            raise ValueError(f"cutoffs is {self.cutoffs!r}, wanted increasing whole numbers.")
        if cuts[0] < 1 or cuts[-1] >= self.num_classes:
            raise ValueError(f"cutoffs is {self.cutoffs!r}, wanted numbers from 1 to {self.num_classes - 1}.")
        narrowest = int(self.in_features // self.div_value ** len(cuts))
        if narrowest < 1:
            raise ValueError(
                f"in_features is {self.in_features}: with div_value={self.div_value:g} the last of {len(cuts)} "
                "clusters would have width 0. Use fewer cutoffs or a smaller div_value."
            )
        self.adaptive = nn.AdaptiveLogSoftmaxWithLoss(self.in_features, self.num_classes, cuts, self.div_value)

    @property
    def name(self) -> str:
        """The name under which the loss is known."""
        return "adaptive_log_softmax_loss"

    def evaluate(
        self,
        y_pred: Tensor,
        y_true: Tensor,
        *,
        weight: Tensor | None = None,
        mask: Tensor | None = None,
        reduction: Reduction = "mean",
    ) -> Tensor:
        """Evaluate under any reduction."""
        return _adaptive_log_softmax(y_pred, y_true, head=self.adaptive, weight=weight, mask=mask, reduction=reduction)

    def predict(self, y_pred: Tensor, *, calibrated: bool = False) -> Tensor:
        """The probabilities (N, C) of features (N, D); every cluster is evaluated.

        Args:
            y_pred: features (N, D).
            calibrated: accepted; the loss is proper, so nothing needs undoing.
        """
        _check_features(y_pred, self.in_features)
        with without_autocast(y_pred.device.type):
            log_p: Tensor = self.adaptive.log_prob(y_pred.to(self.adaptive.head.weight.dtype))
        return log_p.exp().to(y_pred.dtype)

    def num_outputs(self, num_classes: int | None = None) -> int:
        """The width of the features, whatever the number of classes."""
        return self.in_features
