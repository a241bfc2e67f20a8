"""The 23 losses of torch.nn, each with an example; those of several inputs take them packed into y_pred.

``TORCH[name] = (make, example, arguments)``. ``JUDGEMENTS`` says of each finding what it is. ``./dev python -m
tests.check.torch_losses`` writes docs/check/torch.md.
"""

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from tests.check.sound import Row, bits, classes, drawn, positive


class Packed(nn.Module):
    """A loss of torch's that takes more than (y_pred, y_true)."""

    def __init__(self, loss: nn.Module, call: Callable[[Any, Tensor, Tensor], Any]) -> None:
        super().__init__()
        self.loss = loss
        self.call = call

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Any:
        return self.call(self.loss, y_pred, y_true)


def gaussian(loss: Any, y_pred: Tensor, y_true: Tensor) -> Any:
    return loss(y_pred[:, 0], y_true, y_pred[:, 1].exp())


def ctc(loss: Any, y_pred: Tensor, y_true: Tensor) -> Any:
    """y_pred (N, T, C), y_true (N, S)."""
    samples, steps, length = len(y_pred), y_pred.shape[1], y_true.shape[1]
    lengths = torch.full((samples,), steps), torch.full((samples,), length)
    return loss(y_pred.transpose(0, 1).log_softmax(2), y_true, *lengths)


def two_halves(loss: Any, y_pred: Tensor, y_true: Tensor) -> Any:
    first, second = y_pred.chunk(2, dim=1)
    return loss(first.squeeze(1), second.squeeze(1), y_true)


def triplets(loss: Any, y_pred: Tensor, y_true: Tensor) -> Any:
    """Anchor and positive are predicted, the negative is given."""
    anchor, same = y_pred.chunk(2, dim=1)
    return loss(anchor, same, y_true)


def adaptive(loss: Any, y_pred: Tensor, y_true: Tensor) -> Any:
    return loss(y_pred, y_true).loss


def head() -> nn.Module:
    torch.manual_seed(0)
    return nn.AdaptiveLogSoftmaxWithLoss(6, 10, cutoffs=[4])


REGRESSION = lambda: (drawn(16), drawn(16, seed=5))  # noqa: E731
LOGITS = lambda: (drawn(16, 4), classes(4, 16))  # noqa: E731

TORCH: dict[str, Row] = {
    "AdaptiveLogSoftmaxWithLoss": (
        lambda: Packed(head(), adaptive),
        lambda: (drawn(16, 6), classes(10, 16)),
        {"y_true_kind": "class_indices"},
    ),
    "BCELoss": (nn.BCELoss, lambda: (drawn(16).sigmoid(), bits(16)), {}),
    "BCEWithLogitsLoss": (nn.BCEWithLogitsLoss, lambda: (drawn(16), bits(16)), {}),
    "CosineEmbeddingLoss": (
        lambda: Packed(nn.CosineEmbeddingLoss(), two_halves),
        lambda: (drawn(12, 8), 2 * bits(12) - 1),
        {},
    ),
    "CrossEntropyLoss": (nn.CrossEntropyLoss, LOGITS, {}),
    "CTCLoss": (
        lambda: Packed(nn.CTCLoss(), ctc),
        lambda: (drawn(4, 12, 5), 1 + classes(4, 4, 3)),
        {},
    ),
    "GaussianNLLLoss": (
        lambda: Packed(nn.GaussianNLLLoss(), gaussian),
        lambda: (drawn(16, 2), drawn(16, seed=5)),
        {},
    ),
    "HingeEmbeddingLoss": (nn.HingeEmbeddingLoss, lambda: (positive(16), 2 * bits(16) - 1), {}),
    "HuberLoss": (nn.HuberLoss, REGRESSION, {}),
    "KLDivLoss": (
        lambda: nn.KLDivLoss(reduction="batchmean"),
        lambda: (drawn(16, 4).log_softmax(1), drawn(16, 4, seed=5).softmax(1)),
        {},
    ),
    "L1Loss": (nn.L1Loss, REGRESSION, {}),
    "MarginRankingLoss": (
        lambda: Packed(nn.MarginRankingLoss(margin=0.5), two_halves),
        lambda: (drawn(12, 2), 2 * bits(12) - 1),
        {},
    ),
    "MSELoss": (nn.MSELoss, REGRESSION, {}),
    "MultiLabelMarginLoss": (
        nn.MultiLabelMarginLoss,
        lambda: (drawn(6, 4), torch.tensor([[1, 2, -1, 0], [3, -1, 0, 0], [0, 1, 2, -1]]).repeat(2, 1)),
        {},
    ),
    "MultiLabelSoftMarginLoss": (nn.MultiLabelSoftMarginLoss, lambda: (drawn(16, 4), bits(16, 4)), {}),
    "MultiMarginLoss": (nn.MultiMarginLoss, LOGITS, {}),
    "NLLLoss": (nn.NLLLoss, lambda: (drawn(16, 4).log_softmax(1), classes(4, 16)), {}),
    "NLLLoss2d": (
        nn.NLLLoss2d,
        lambda: (drawn(2, 4, 5, 5).log_softmax(1), classes(4, 2, 5, 5)),
        {"y_pred_kind": "log_probabilities", "y_true_kind": "class_indices"},
    ),
    "PoissonNLLLoss": (
        nn.PoissonNLLLoss,
        lambda: (drawn(16), classes(5, 16).float()),
        {"y_true_kind": "counts"},
    ),
    "SmoothL1Loss": (nn.SmoothL1Loss, REGRESSION, {}),
    "SoftMarginLoss": (
        nn.SoftMarginLoss,
        lambda: (drawn(16), 2 * bits(16) - 1),
        {"y_pred_kind": "scores", "y_true_kind": "binary"},
    ),
    "TripletMarginLoss": (
        lambda: Packed(nn.TripletMarginLoss(), triplets),
        lambda: (drawn(12, 8), drawn(12, 4, seed=5)),
        {},
    ),
    "TripletMarginWithDistanceLoss": (
        lambda: Packed(nn.TripletMarginWithDistanceLoss(), triplets),
        lambda: (drawn(12, 8), drawn(12, 4, seed=5)),
        {},
    ),
}


class Judgement(NamedTuple):
    """What a finding on a loss of torch's is."""

    serious: bool
    words: str


JUDGEMENTS: dict[tuple[str, str], Judgement] = {
    ("AdaptiveLogSoftmaxWithLoss", "no-vmap"): Judgement(False, "True: it gathers the rows of each cluster."),
    ("AdaptiveLogSoftmaxWithLoss", "no-compile"): Judgement(False, "True: the sizes of its clusters depend on y_true."),
    ("CTCLoss", "no-double-backward"): Judgement(False, "True: torch has no second derivative of CTC."),
    ("CTCLoss", "no-compile"): Judgement(False, "True of targets whose lengths are tensors."),
    ("GaussianNLLLoss", "no-vmap"): Judgement(False, "True: it reads whether a variance is below 0."),
    ("GaussianNLLLoss", "no-compile"): Judgement(False, "True, for the same reason."),
    ("HingeEmbeddingLoss", "unbounded-below"): Judgement(
        False, "True of y_pred below 0: it is for distances, which have a least value, and does not check that."
    ),
    ("SoftMarginLoss", "nan-at-extremes"): Judgement(
        True,
        "True: log(1 + exp(300)) overflows in float32, though its value is 300. "
        "`soft_margin_loss` of this library, and `F.softplus(-y_true * y_pred)`, are exact.",
    ),
}
PAGE = Path(__file__).resolve().parents[2] / "docs" / "check" / "torch.md"


HEAD = """# The losses of torch.nn

What [`check_loss`](index.md) finds of the 23 losses of `torch.nn` with their defaults, each on one example, with torch
{version} on the CPU, and what we make of it. Those of several inputs take them packed into y_pred. Written by
`./dev python -m tests.check.torch_losses`, and compared by the tests.

| loss | finding | judgement |
|---|---|---|
"""


def page() -> str:
    """What check_loss finds of torch's losses, as the page says it."""
    from torchobjectives import check_loss

    rows = []
    for name, (make, example, arguments) in TORCH.items():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of NLLLoss2d, that it is deprecated
            loss = make()
        findings = check_loss(loss, *example(), on_fail="return", **arguments).findings
        if not findings:
            rows.append(f"| `{name}` | none | |")
        for finding in findings:
            words = JUDGEMENTS[name, finding.code].words
            rows.append(f"| `{name}` | {finding.level}: `{finding.code}` | {words} |")
    version = torch.__version__.partition("+")[0]
    return HEAD.format(version=version) + "\n".join(rows) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
