"""The facts of a loss, as data: the tests, the checker, the docs and the workbench read the same object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from torchobjectives import _validate
from torchobjectives._link import IDENTITY, REAL, Calibration, Domain, Link

Task = Literal["regression", "binary", "multiclass", "segmentation", "custom"]
Prediction = Literal[
    "real",
    "log_mean",
    "parameters",
    "quantiles",
    "logits",
    "probabilities",
    "log_probabilities",
    "vectors",
    "features",
    "unknown",
]
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
CLAIMS: dict[str, str] = {
    "proper": "the expected loss is least at the true probability (or distribution)",
    "improper": "the expected loss is least at another probability than the true one",
    "convex": "convex in y_pred",
    "robust": "a bounded slope, however wild a target: one outlier moves a fit only so far",
    "bounded": "a bounded value: one wrong label, or one outlier, costs only so much",
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
        calibration: how ``predict(y_pred, calibrated=True)`` undoes the bias of the loss; None where it has none,
            or none is known.
        parameters: what the last axis of y_pred holds, where ``y_pred`` is ``"parameters"``.
        pred_domain: the legal values of y_pred, for a loss of numbers that are not any.
        true_domain: the legal values of y_true, likewise.
        claims: what is promised of the loss, of ``CLAIMS``, with default hyper-parameters.
        exemptions: law or guarantee → the reason why it does not hold.
        expected: what ``check_loss`` finds of this loss, as a code, and the reason why that is known and meant.
        use: when to use it, in one sentence.
        avoid: when not to, and what to use then, in one sentence.
        paper: the source.
        cites: keys of the sources in ``docs/papers/*.bib``, each key in one of them.
    """

    task: Task
    y_pred: Prediction
    y_true: Target
    unit: Unit = "element"
    link: Link = IDENTITY
    calibration: Calibration | None = None
    parameters: tuple[str, ...] = ()
    pred_domain: Domain = REAL
    true_domain: Domain = REAL
    claims: tuple[str, ...] = ()
    exemptions: Mapping[str, str] = field(default_factory=dict)
    expected: Mapping[str, str] = field(default_factory=dict)
    use: str = ""
    avoid: str = ""
    paper: str = ""
    cites: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for law in self.exemptions:
            _validate.choice("exemption", law, (*LAWS, *GUARANTEES))
        for claim in self.claims:
            _validate.choice("claim", claim, tuple(CLAIMS))

    @property
    def proper(self) -> bool:
        """Whether the expected loss is claimed to be least at the true probability (or distribution)."""
        return "proper" in self.claims


ONE_VALUE = "one value per batch: a function of the whole batch, not a mean over units"
CUSTOM = Spec(task="custom", y_pred="unknown", y_true="unknown", unit="unknown")


def one_value_per_batch(**more: str) -> dict[str, str]:
    """The exemptions of every loss that is one value per batch, and further ones."""
    return {"micro_batch": ONE_VALUE, **more}
