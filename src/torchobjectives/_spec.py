"""The facts of a loss, as data: the tests, the checker, the docs and the workbench read the same object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from torchobjectives import _validate
from torchobjectives._link import IDENTITY, Link

Task = Literal["regression", "binary", "multiclass", "segmentation", "custom"]
Prediction = Literal["real", "logits", "probabilities", "log_probabilities", "vectors", "features", "unknown"]
Target = Literal["real", "binary", "classes", "vectors", "masks", "unknown"]
Unit = Literal["element", "vector", "sample", "batch", "unknown"]

LAWS: dict[str, str] = {
    "permutation": "permuting units changes nothing",
    "sum": "sum = Σ none",
    "duplication": "weight 2 ≡ the unit twice",
    "removal": "weight 0 ≡ masked ≡ removed",
    "scaling": "scaling all weights leaves the mean",
    "micro_batch": "(Σ of micro-batch sums) / (Σ of counts) = the whole batch's mean",
}
GUARANTEES: dict[str, str] = {
    "gradcheck": "analytic = numeric gradient",
    "gradgradcheck": "analytic = numeric second derivative",
    "func_grad": "torch.func.grad",
    "vmap": "torch.vmap",
    "compile": "torch.compile(fullgraph=True), dynamic batch size",
}


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What a loss is about.

    Args:
        task: the kind of problem it is for.
        y_pred: what the raw prediction holds.
        y_true: what the target holds.
        unit: what one value stands for. ``"batch"``: the loss is one value per batch, not a mean.
        link: how a raw prediction becomes a prediction.
        proper: whether the expected loss is least at the true probability (or mean).
        exemptions: law or guarantee → the reason why it does not hold.
        paper: the source.
    """

    task: Task
    y_pred: Prediction
    y_true: Target
    unit: Unit = "element"
    link: Link = IDENTITY
    proper: bool = False
    exemptions: Mapping[str, str] = field(default_factory=dict)
    paper: str = ""

    def __post_init__(self) -> None:
        for law in self.exemptions:
            _validate.choice("exemption", law, (*LAWS, *GUARANTEES))


ONE_VALUE = "one value per batch: a function of the whole batch, not a mean over units"
CUSTOM = Spec(task="custom", y_pred="unknown", y_true="unknown", unit="unknown")


def one_value_per_batch(**more: str) -> dict[str, str]:
    """The exemptions of every loss that is one value per batch, and further ones."""
    return {"micro_batch": ONE_VALUE, **more}
