"""A loss of your own: the log-cosh of a relative error, first as a function, then as a class."""

import math

import torch
from torch import Tensor, nn

from torchobjectives import L2, Loss, Objective, as_loss, register


def relative_error(y_pred: Tensor, y_true: Tensor, floor: float = 1.0) -> Tensor:
    """One value per element; weights, masks and the mean are the library's affair."""
    ratio = (y_pred - y_true) / y_true.abs().clamp(min=floor)
    return ratio + nn.functional.softplus(-2 * ratio) - math.log(2)


class RelativeErrorLoss(Loss):
    floor: float = 1.0

    @staticmethod
    def function(y_pred: Tensor, y_true: Tensor, *, floor: float) -> Tensor:
        return relative_error(y_pred, y_true, floor)


# Prices from 10 to 10 000; one label in ten is missing.
torch.manual_seed(0)
x = torch.rand(500, 1)
y_true = 10 ** (1 + 3 * x)
y_true[::10] = torch.nan
mask = ~y_true.isnan()

loss = as_loss(relative_error, floor=10.0)
y_pred = torch.full_like(y_true, 1000.0)
print(f"as a function: {loss} = {loss(y_pred, y_true, mask=mask):.4f}")
print(f"as a class: {RelativeErrorLoss(floor=10.0)(y_pred, y_true, mask=mask):.4f}")

model = nn.Sequential(nn.Linear(1, 32), nn.Tanh(), nn.Linear(32, 1))
objective = Objective(loss, penalties=[L2(1e-5)])
optimizer = torch.optim.Adam(model.parameters(), lr=0.02)
for _ in range(500):
    optimizer.zero_grad()
    objective(10 ** (2.5 + model(x)), y_true, model=model, mask=mask).backward()
    optimizer.step()
print(", ".join(f"{name} {term:.5f}" for name, term in objective.terms.items()))

register("relative_error", loss)
print(loss.to_config())
