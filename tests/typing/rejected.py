"""What mypy --strict must reject: every line that ends in ``# E: <code>``, and no other."""

import torch
from torch import Tensor, nn

from torchobjectives import FocalLoss, HuberLoss, Loss, huber_loss, mse_loss, select

y = torch.zeros(3)

huber_loss(y, y, 2.0)  # E: call-arg
huber_loss(y, y, dleta=2.0)  # E: call-arg
huber_loss(y, y, delta="2")  # E: arg-type
mse_loss(y, y, reduction="men")  # E: arg-type
mse_loss(y)  # E: call-arg
mse_loss([1.0], y)  # E: arg-type
HuberLoss(2.0)  # E: call-arg, arg-type
HuberLoss(dleta=2.0)  # E: call-arg
HuberLoss(delta="2")  # E: arg-type
HuberLoss(reduction="men")  # E: arg-type
FocalLoss()(y)  # E: call-arg
FocalLoss()(y, y, y)  # E: call-arg
FocalLoss()(y, y, wieght=y)  # E: call-arg
select.role("biases")  # E: arg-type
select.weights() | 3  # E: operator
select.mark(nn.Linear(2, 2).weight)  # E: type-var


class Sub(HuberLoss):  # E: misc
    pass


class Needs(Loss):
    scale: float

    @staticmethod
    def function(y_pred: Tensor, y_true: Tensor, *, scale: float) -> Tensor:
        return scale * (y_pred - y_true)


Needs()  # E: call-arg
