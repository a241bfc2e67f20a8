"""What every training loop expects of a loss: positional call, a scalar, a ``reduction`` that can be set."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchobjectives import CrossEntropyLoss, DiceLoss, FocalLoss, GHMRLoss, HuberLoss, Loss, as_loss

LOSSES: list[Loss] = [HuberLoss(), FocalLoss(), GHMRLoss().eval(), as_loss(F.huber_loss, delta=0.5)]


@pytest.mark.parametrize("loss", LOSSES, ids=repr)
def test_reduction_can_be_set_later(loss: Loss) -> None:
    y_pred, y_true = torch.randn(3, 2), torch.randint(0, 2, (3, 2))
    mean = loss(y_pred, y_true)
    assert mean.shape == ()
    try:
        loss.reduction = "sum"
        torch.testing.assert_close(loss(y_pred, y_true), 6 * mean)
        loss.reduction = "none"
        torch.testing.assert_close(loss(y_pred, y_true).mean(), mean)
        loss.reduction = "avg"  # type: ignore[assignment]
        with pytest.raises(ValueError, match=r"reduction is 'avg', wanted one of 'mean', 'sum', 'none'"):
            loss(y_pred, y_true)
    finally:
        loss.reduction = "mean"


def test_a_wrong_reduction_is_refused_by_losses_of_every_shape() -> None:
    for loss in (CrossEntropyLoss(), DiceLoss()):
        loss.reduction = "batchmean"  # type: ignore[assignment]
        with pytest.raises(ValueError, match="reduction is 'batchmean'"):
            loss(torch.zeros(2, 3, 4), torch.zeros(2, 4, dtype=torch.long))


@pytest.mark.parametrize(
    ("ours", "of_torch"), [(HuberLoss(), nn.HuberLoss()), (CrossEntropyLoss(), nn.CrossEntropyLoss())]
)
def test_a_plain_loop_learns_the_same(ours: Loss, of_torch: Any) -> None:
    def learned(loss: Any) -> Tensor:
        torch.manual_seed(0)
        model, x = nn.Linear(3, 2), torch.randn(12, 3)
        y_true = x[:, 0].long().clamp(0, 1) if "Cross" in type(loss).__name__ else x[:, :2]
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(5):
            optimizer.zero_grad()
            loss(model(x), y_true).backward()
            optimizer.step()
        return model.weight.detach()

    torch.testing.assert_close(learned(ours), learned(of_torch))
