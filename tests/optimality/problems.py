"""Problems whose minima scikit-learn knows."""

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.datasets import load_breast_cancer, load_diabetes
from torch import Tensor, nn

from torchobjectives import BinaryCrossEntropyLoss, MSELoss, Objective, Penalty


def standardized(x: NDArray[np.float64]) -> NDArray[np.float64]:
    return (x - x.mean(0)) / x.std(0)


def diabetes() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Features and target at mean 0 and standard deviation 1."""
    x, y = load_diabetes(return_X_y=True)
    return standardized(x), standardized(y)


def cancer() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    x, y = load_breast_cancer(return_X_y=True)
    return standardized(x), y.astype(float)


def batches(x: NDArray[np.float64], y: NDArray[np.float64], sizes: int = 10_000) -> list[tuple[Tensor, Tensor]]:
    """One batch, or several, the last one smaller."""
    return list(zip(torch.tensor(x).split(sizes), torch.tensor(y)[:, None].split(sizes), strict=True))


def linear(features: int, outputs: int = 1) -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(features, outputs).double()


def regression(*penalties: object) -> Objective:
    """Scikit-learn's: half the mean squared error."""
    return Objective(MSELoss(), penalties, {"loss": 0.5})


def logistic(*penalties: object) -> Objective:
    return Objective(BinaryCrossEntropyLoss(), penalties)


def put(model: nn.Linear, weight: object, bias: object = 0.0) -> None:
    with torch.no_grad():
        model.weight.copy_(torch.as_tensor(weight).reshape(model.weight.shape))
        model.bias.copy_(torch.as_tensor(bias).reshape(-1))


class Soft(Penalty):
    """L1 as someone's own penalty."""

    name = "soft"

    def __init__(self, coefficient: float) -> None:
        self.coefficient = coefficient

    def value(self, model: nn.Module) -> Tensor:
        return self.coefficient * model.get_parameter("weight").abs().sum()

    def prox(self, weight: Tensor, step: float) -> Tensor:
        return weight.sign() * (weight.abs() - self.coefficient * step).clamp(min=0)
