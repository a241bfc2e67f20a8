"""Time and peak memory of every loss relative to its textbook composition, and to a peer's where one is installed.

Run: ``./dev python benchmarks/catalogue.py [--compiled] [--rounds 9] [name …]``; where ``./dev parity`` has been run,
``.venv-parity/bin/python benchmarks/catalogue.py`` has the peers, too. Forward and backward on one thread,
contenders in turn within each round, medians. Every row first checks that both give the same value. *Memory* is the
most that lives at one time beyond the inputs, in tensors of the size of y_pred. *Compiled* compares both under
``torch.compile`` and takes minutes more.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

import textbook
import torchobjectives.functional as O
from peers import peer

Loss = Callable[[Tensor, Tensor], Tensor]
Sample = Callable[[], tuple[Tensor, Tensor]]

SIZE, ROWS, CLASSES = 100_000, 1000, 100
COUNTS = textbook.COUNTS
# Slower than 1.3 times the textbook, and why that is so.
_CHECKED = "class indices are checked; compiled, where none can be read, rows are filled that an index may ignore"
_COUNTED = "class_counts are checked; compiled, rows are filled that an index may ignore"
_TRUTHS = "targets are checked to be 0 to 1 in every call"
REASONS: dict[str, str] = {
    "log_cosh_loss": "log1p(sinh²): log(cosh) loses a small d and overflows at 89",
    "rmse_loss": "one number more is looked at: the root has no slope at 0",
    "charbonnier_loss": "hypot: the square neither overflows nor vanishes",
    "barron_loss": "log1p and expm1 for every alpha: the root less 1 loses a small d",
    "cauchy_loss": "scale is checked, and divided by before the square, which may overflow",
    "geman_mcclure_loss": "log1p and expm1, the form of every alpha: the quotient is ∞/∞ where the square overflows",
    "welsch_loss": "ELU as expm1: 1 − exp loses a small d",
    "tukey_loss": "log1p and ELU: 1 − (1 − r)³ loses a small d",
    "smape_loss": "0/0 is 0: the sum of the sizes is held above 0",
    "balanced_l1_loss": "a series for the area where d is small, where the textbook subtracts near numbers",
    "ccc_loss": "the squared distance and both scatters: 1 − ccc loses a near agreement",
    "pearson_loss": "half the squared distance of standardised values: 1 − r loses a near agreement",
    "msle_loss": "log1p of the relative distance where near: a difference of logarithms has lost its digits",
    "silog_loss": "log1p of the relative distance where near: a difference of logarithms has lost its digits",
    "cosine_similarity_loss": "half the squared distance of unit vectors: keeps the digits of a small angle",
    "gaussian_nll_loss": "the error is scaled before it is squared, which may overflow",
    "beta_nll_loss": "the error is scaled before it is squared, which may overflow",
    "negative_binomial_nll_loss": "Stirling's series beside lgamma: the textbook is off by 0.6 at α = 1e-6",
    "hl_gauss_loss": "erfc on the side where it is small: a difference of two erf is 0 in the tail",
    "focal_loss": "odds instead of 1 − p, and soft labels: exact where p rounds to 1",
    "asymmetric_loss": "both sides of p and soft labels: exact where p or 1 − p rounds to 1",
    "hinge_loss": _TRUTHS + ", and turned to ±1",
    "soft_margin_loss": "softplus: log(1 + exp) overflows at 89; " + _TRUTHS,
    "soft_fbeta_loss": "1 − p apart from p, which has rounded; " + _TRUTHS,
    "mcc_loss": "counts in float64 even where compiled: their products cancel",
    "cross_entropy_loss": _CHECKED,
    "nll_loss": _CHECKED,
    "softmax_focal_loss": "odds instead of 1 − p: exact where p rounds to 1",
    "poly1_loss": _CHECKED,
    "crammer_singer_loss": _CHECKED,
    "gce_loss": _CHECKED,
    "normalized_cross_entropy_loss": _CHECKED,
    "bootstrap_loss": _CHECKED,
    "ohem_loss": "a sort, in which the dead rows come last; " + _CHECKED,
    "forward_correction_loss": "log1p of what is missing where the observed class is sure, and transitions of 0",
    "ldam_loss": "exact where p rounds to 1: the odds against the true class, not its log-probability",
    "balanced_softmax_loss": _COUNTED,
    "logit_adjusted_loss": _COUNTED,
}


def reals() -> tuple[Tensor, Tensor]:
    return torch.randn(SIZE), torch.randn(SIZE)


def positive() -> tuple[Tensor, Tensor]:
    return torch.rand(SIZE) + 0.1, torch.rand(SIZE) + 0.1


def vectors() -> tuple[Tensor, Tensor]:
    return torch.randn(SIZE // 50, 50), torch.randn(SIZE // 50, 50)


def log_rates() -> tuple[Tensor, Tensor]:
    return torch.randn(SIZE), torch.poisson(torch.full((SIZE,), 2.0)) + 1


def parameters(count: int) -> Sample:
    return lambda: (torch.randn(SIZE, count), torch.randn(SIZE))


def counted_parameters() -> tuple[Tensor, Tensor]:
    return torch.randn(SIZE, 2), torch.poisson(torch.full((SIZE,), 2.0))


def binary() -> tuple[Tensor, Tensor]:
    return 2 * torch.randn(SIZE), torch.randint(0, 2, (SIZE,)).float()


def few_binary() -> tuple[Tensor, Tensor]:
    return torch.randn(2000), torch.randint(0, 2, (2000,)).float()


def probabilities() -> tuple[Tensor, Tensor]:
    return torch.rand(SIZE) * 0.98 + 0.01, torch.randint(0, 2, (SIZE,)).float()


def labels() -> tuple[Tensor, Tensor]:
    return 2 * torch.randn(ROWS, CLASSES), torch.randint(0, 2, (ROWS, CLASSES)).float()


def classes() -> tuple[Tensor, Tensor]:
    return 2 * torch.randn(ROWS, CLASSES), torch.randint(0, CLASSES, (ROWS,))


def log_probabilities() -> tuple[Tensor, Tensor]:
    y_pred, y_true = classes()
    return F.log_softmax(y_pred, 1), y_true


def binned() -> tuple[Tensor, Tensor]:
    return torch.randn(ROWS, CLASSES), 2 * torch.rand(ROWS) - 1


def pixels() -> tuple[Tensor, Tensor]:
    return torch.randn(8, 4, SIZE // 32), torch.randint(0, 4, (8, SIZE // 32))


def transition() -> Tensor:
    return torch.full((CLASSES, CLASSES), 0.2 / (CLASSES - 1)).fill_diagonal_(0.8)


# name → inputs, hyper-parameters, and torch's own call where that is the textbook
TABLE: dict[str, tuple[Sample, dict[str, Any], Loss | None]] = {
    "mse_loss": (reals, {}, F.mse_loss),
    "l1_loss": (reals, {}, F.l1_loss),
    "smooth_l1_loss": (reals, {}, F.smooth_l1_loss),
    "huber_loss": (reals, {}, F.huber_loss),
    **dict.fromkeys(
        (
            *("log_cosh_loss", "rmse_loss", "charbonnier_loss", "barron_loss", "cauchy_loss", "geman_mcclure_loss"),
            *("welsch_loss", "tukey_loss", "epsilon_insensitive_loss", "mape_loss", "smape_loss", "wing_loss"),
            *("balanced_l1_loss", "ccc_loss", "pearson_loss", "ghmr_loss", "quantile_loss", "expectile_loss"),
        ),
        (reals, {}, None),
    ),
    "msle_loss": (positive, {}, None),
    "silog_loss": (positive, {}, None),
    "cosine_similarity_loss": (vectors, {}, None),
    **dict.fromkeys(
        ("gaussian_nll_loss", "beta_nll_loss", "laplace_nll_loss", "student_t_nll_loss", "crps_gaussian_loss"),
        (parameters(2), {}, None),
    ),
    "negative_binomial_nll_loss": (counted_parameters, {}, None),
    "evidential_regression_loss": (parameters(4), {}, None),
    **dict.fromkeys(("poisson_nll_loss", "gamma_nll_loss", "tweedie_loss"), (log_rates, {}, None)),
    "hl_gauss_loss": (binned, {"low": -5.0, "high": 5.0, "sigma": 0.5}, None),
    "binary_cross_entropy_loss": (binary, {}, F.binary_cross_entropy_with_logits),
    **dict.fromkeys(
        ("focal_loss", "ghmc_loss", "asymmetric_loss", "hinge_loss", "soft_margin_loss", "soft_fbeta_loss", "mcc_loss"),
        (binary, {}, None),
    ),
    "zlpr_loss": (labels, {}, None),
    "pairwise_auc_loss": (few_binary, {}, None),
    "nnpu_loss": (binary, {"prior": 0.4}, None),
    "cross_entropy_loss": (classes, {}, F.cross_entropy),
    "nll_loss": (log_probabilities, {}, F.nll_loss),
    "multi_margin_loss": (classes, {}, F.multi_margin_loss),
    **dict.fromkeys(
        (
            *("softmax_focal_loss", "poly1_loss", "crammer_singer_loss", "sparsemax_loss", "entmax_loss", "brier_loss"),
            *("confidence_penalty_loss", "z_loss", "logit_norm_loss", "ohem_loss", "gce_loss", "bi_tempered_loss"),
            *("mae_classification_loss", "normalized_cross_entropy_loss", "active_passive_loss", "bootstrap_loss"),
            *("symmetric_cross_entropy_loss", "generalized_jsd_loss"),
        ),
        (classes, {}, None),
    ),
    "forward_correction_loss": (classes, {"transition": transition()}, None),
    **dict.fromkeys(
        ("ldam_loss", "balanced_softmax_loss", "logit_adjusted_loss", "seesaw_loss"),
        (classes, {"class_counts": COUNTS[:CLASSES]}, None),
    ),
    "dice_loss": (pixels, {}, None),
}


def gradient(loss: Loss, y_pred: Tensor, y_true: Tensor) -> tuple[Tensor, Tensor]:
    leaf = y_pred.detach().requires_grad_()
    value = loss(leaf, y_true)
    (slope,) = torch.autograd.grad(value, leaf)
    return value.detach(), slope


def seconds(loss: Loss, y_pred: Tensor, y_true: Tensor) -> float:
    # Processor time: the clock on the wall also counts what else the machine does.
    start = time.process_time()
    for _ in range(5):
        gradient(loss, y_pred, y_true)
    return (time.process_time() - start) / 5


def ratio(ours: Loss, theirs: Loss, inputs: tuple[Tensor, Tensor], rounds: int) -> tuple[float, float]:
    """The median time of the textbook, and the ratio of ours to it."""
    pairs = [(seconds(ours, *inputs), seconds(theirs, *inputs)) for _ in range(rounds)]
    one, other = (statistics.median(column) for column in zip(*pairs, strict=True))
    return other, one / other


def peak(loss: Loss, y_pred: Tensor, y_true: Tensor) -> float:
    """The most that lives at one time beyond the inputs, in tensors of y_pred's size."""
    gradient(loss, y_pred, y_true)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True) as profile:
        gradient(loss, y_pred, y_true)
    raw = profile.profiler
    assert raw is not None
    events = [e for e in raw.kineto_results.events() if e.name() == "[memory]"]
    most = lives = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        lives += event.nbytes()
        most = max(most, lives)
    return most / (y_pred.numel() * y_pred.element_size())


def row(name: str, rounds: int, *, compiled: bool) -> str:
    sample, hyper, theirs = TABLE[name]
    ours: Loss = partial(getattr(O, name), **hyper)
    theirs = theirs or getattr(textbook, name.removesuffix("_loss"))
    torch.manual_seed(0)
    inputs = sample()
    torch.testing.assert_close(ours(*inputs), theirs(*inputs), rtol=1e-3, atol=1e-5)
    base, times = ratio(ours, theirs, inputs, rounds)
    cells = [f"{base * 1e6:.0f}", f"{times:.2f}", f"{peak(ours, *inputs):.1f}", f"{peak(theirs, *inputs):.1f}"]
    if compiled:
        torch._dynamo.reset()
        pair = torch.compile(ours), torch.compile(theirs)
        for loss in pair:
            gradient(loss, *inputs)
        compiled_times = ratio(*pair, inputs, rounds)[1]
        cells.append(f"{compiled_times:.2f}")
        times = max(times, compiled_times)
    rival = peer(name)
    if rival:
        library, theirs = rival
        torch.testing.assert_close(ours(*inputs), theirs(*inputs), rtol=1e-3, atol=1e-5)
        cells.append(f"{ratio(ours, theirs, inputs, rounds)[1]:.2f} ({library})")
    else:
        cells.append("")
    reason = REASONS.get(name, "") if times > 1.3 else ""
    return f"| {name} | {tuple(inputs[0].shape)} | " + " | ".join([*cells, reason]) + " |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help="losses; all by default")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--compiled", action="store_true")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    more = ["compiled, ratio"] if arguments.compiled else []
    heads = ["loss", "y_pred", "textbook, µs", "ratio", "memory", "textbook's memory", *more, "to the peer", "reason"]
    print("| " + " | ".join(heads) + " |\n" + "|---" * len(heads) + "|")
    for name in arguments.names or TABLE:
        print(row(name, arguments.rounds, compiled=arguments.compiled))
        sys.stdout.flush()


if __name__ == "__main__":
    main()
