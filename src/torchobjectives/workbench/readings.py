"""How a regression's prediction is read where a row has several numbers: quantiles, or a mean and its spread."""

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from torchobjectives import Loss
from torchobjectives._link import Link


@dataclass(frozen=True)
class Reading:
    """The columns of a prediction (N, k), none where it is (N,), and which of them stands for the prediction."""

    columns: tuple[str, ...] = ()
    point: int = 0

    def shape(self, rows: int) -> tuple[int, ...]:
        """The shape of the prediction of so many rows."""
        return (rows, len(self.columns)) if self.columns else (rows,)

    def value(self, said: Tensor) -> Tensor:
        """The one number per row that the metrics judge."""
        return said[:, self.point] if self.columns else said


def reading_of(loss: Loss | None, link: Link) -> Reading:
    """How the prediction of a loss is read; of quantiles, the one nearest to the median stands for all."""
    quantiles: Any = None if loss is None else getattr(loss, "quantiles", None)
    if isinstance(quantiles, tuple):
        nearest = min(range(len(quantiles)), key=lambda k: abs(quantiles[k] - 0.5))
        return Reading(tuple(f"quantile_{level:g}" for level in quantiles), nearest)
    return Reading(link.gives)
