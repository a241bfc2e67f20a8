"""The table of docs/migration.md, entry by entry: what it says of a loss is what torch and this library do.

An entry of the last column is a key of ``CHECKS``; one without a check fails, and so does a check whose entry is gone.
"""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

import torchobjectives as t
from tests import documents
from tests.cases.base import rand, randn
from torchobjectives import _exports

N, C = 7, 3
F64 = torch.float64
# What goes without saying, is deprecated, or says where a loss's own weights live.
UNSAID = {"self", "size_average", "reduce", "reduction", "device", "dtype"}
# What a loss that is not there yet would be called here, whatever its exact name.
WATCHED = {
    "LinearCrossEntropyLoss": "linear_?cross_?entropy",
    "KLDivLoss": "^kl_?|kullback",
    "HingeEmbeddingLoss": "hinge_?embedding",
    "MultiLabelMarginLoss": "multi_?label_?margin",
    "MarginRankingLoss": "margin_?ranking",
    "TripletMarginLoss": "triplet",
    "TripletMarginWithDistanceLoss": "triplet",
    "CTCLoss": "ctc",
}


class Row(NamedTuple):
    here: str
    arguments: list[str]
    entries: list[str]


def table(text: str) -> dict[str, Row]:
    """The rows of the table of losses by torch's names."""
    section = re.split(r"^## ", text, flags=re.MULTILINE)
    lines = next(part for part in section if part.startswith("Loss by loss")).splitlines()
    found = {}
    for line in lines:
        if line.startswith("| `"):
            theirs, here, arguments, number = (cell.strip() for cell in line.strip("|").split("|"))
            split = [[part for part in re.split("; ", cell) if part not in ("", "–")] for cell in (arguments, number)]
            found[theirs.strip("`")] = Row(here.strip("`"), *split)
    return found


ROWS = table((documents.ROOT / "docs/migration.md").read_text(encoding="utf-8"))
MISSING = [name for name, row in ROWS.items() if row.here == "not yet"]
PRESENT = [name for name in ROWS if name not in MISSING]

Check = Callable[[torch.Generator], None]
CHECKS: dict[tuple[str, str], Check] = {}


def says(theirs: str, entry: str) -> Callable[[Check], Check]:
    """What the row of ``theirs`` says, as a check on random inputs."""

    def add(check: Check) -> Check:
        CHECKS[theirs, entry] = check
        return check

    return add


def test_the_table_has_each_loss_of_torch_once() -> None:
    names = [name for name in nn.modules.loss.__all__ if not name.endswith("2d")]
    assert sorted(ROWS) == sorted([*names, "AdaptiveLogSoftmaxWithLoss"])
    text = (documents.ROOT / "docs/migration.md").read_text(encoding="utf-8")
    assert text.count("\n| `") == len(ROWS) + text.split("## Loss by loss")[0].count("\n| `")


def test_every_entry_has_a_check_and_every_check_an_entry() -> None:
    assert {(name, entry) for name in PRESENT for entry in ROWS[name].entries} == set(CHECKS)


@pytest.mark.parametrize("theirs", MISSING)
def test_what_is_not_yet_there_is_not_there(theirs: str) -> None:
    assert ROWS[theirs] == Row("not yet", [], [])
    public = [name for pair in _exports.LOSSES.values() for name in pair[:1]] + [*_exports.HOMES, *_exports.LOSSES]
    assert theirs not in public
    named = [name for name in public if re.search(WATCHED[theirs], name, re.IGNORECASE)]
    assert named == [], f"{theirs} says 'not yet', and {named} is there: fill its row"


@pytest.mark.parametrize("theirs", PRESENT)
def test_rows_name_our_loss_and_all_arguments(theirs: str) -> None:
    row = ROWS[theirs]
    assert row.here in _exports.HOMES
    if theirs in _exports.HOMES:
        assert row.here == theirs, f"{theirs} is there by now: the row must name it"
    our_fields = getattr(t, row.here).fields()
    named = set()
    for argument in row.arguments:
        if extra := re.fullmatch(r"add `(\w+)=\w+`", argument):
            assert extra[1] in our_fields
            continue
        found = re.fullmatch(r"`(\w+)`(?:: not (?:yet|there)| → `(\w+)`( with the call)?)?", argument)
        assert found, argument
        name, ours, with_the_call = found.groups()
        named.add(name)
        if ": not" in argument or with_the_call:
            assert (ours or name) not in our_fields
        else:
            assert (ours or name) in our_fields
        if with_the_call:
            assert ours in inspect.signature(getattr(t, row.here).evaluate).parameters
    assert named == set(inspect.signature(getattr(nn, theirs).__init__).parameters) - UNSAID


@pytest.mark.parametrize(("theirs", "entry"), CHECKS, ids=lambda part: part[:40])
@pytest.mark.parametrize("seed", range(3))
def test_what_the_table_says_is_so(theirs: str, entry: str, seed: int) -> None:
    CHECKS[theirs, entry](torch.Generator().manual_seed(seed))


def test_a_false_entry_would_be_seen() -> None:
    y_pred, y_true = randn(torch.Generator().manual_seed(0), 2, N, C)
    with pytest.raises(AssertionError):
        agree(lambda p: F.huber_loss(p, y_true), lambda p: t.smooth_l1_loss(p, y_true, beta=0.5), y_pred)
    with pytest.raises(AssertionError):  # equal in value, not in slope
        agree(lambda p: F.mse_loss(p, y_true), lambda p: t.mse_loss(p, y_true).detach() + 0 * p.sum(), y_pred)


def value_and_slope(loss: Callable[[Tensor], Tensor], y_pred: Tensor) -> tuple[Tensor, Tensor]:
    """A loss and the gradient of its values, each times another number."""
    leaf = y_pred.detach().clone().requires_grad_()
    value = loss(leaf)
    (slope,) = torch.autograd.grad(value, leaf, torch.linspace(1, 2, value.numel(), dtype=F64).reshape(value.shape))
    return value.detach(), slope


def agree(
    theirs: Callable[[Tensor], Tensor],
    ours: Callable[[Tensor], Tensor],
    y_pred: Tensor,
    *,
    factor: float | Tensor = 1.0,
    atol: float = 1e-13,
) -> None:
    """``ours`` is ``factor`` times ``theirs``, in value and gradient."""
    for their, our in zip(value_and_slope(theirs, y_pred), value_and_slope(ours, y_pred), strict=True):
        torch.testing.assert_close(our, their * factor, rtol=1e-10, atol=atol)


def same(
    theirs: type[nn.Module],
    ours: type[nn.Module],
    y_pred: Tensor,
    y_true: Tensor,
    their_arguments: dict[str, Any] | None = None,
    our_arguments: dict[str, Any] | None = None,
    *,
    our_true: Tensor | None = None,
    mean_factor: float | Tensor = 1.0,
    **with_the_call: Tensor,
) -> None:
    """The classes agree under every reduction; a mean with another denominator up to ``mean_factor``."""
    for reduction in ("mean", "sum", "none"):
        their = theirs(**(their_arguments or {}), reduction=reduction)
        our = ours(**(our_arguments or {}), reduction=reduction)
        agree(
            lambda p, their=their: their(p, y_true),
            lambda p, our=our: our(p, y_true if our_true is None else our_true, **with_the_call),
            y_pred,
            factor=mean_factor if reduction == "mean" else 1.0,
        )


def reals(rng: torch.Generator) -> tuple[Tensor, Tensor]:
    return randn(rng, N, C), randn(rng, N, C)


def labels(rng: torch.Generator) -> tuple[Tensor, Tensor]:
    return 2 * randn(rng, N, C), torch.randint(2, (N, C), generator=rng).double()


def classes(rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Class indices of two positions each; one is ignored."""
    y_true = torch.randint(C, (N, 2), generator=rng)
    y_true[0, 1] = -100
    return 2 * randn(rng, N, C, 2), y_true


def some_weights(rng: torch.Generator, *shape: int) -> Tensor:
    return 0.1 + rand(rng, *shape)


@says("MSELoss", "the same")
def _(rng: torch.Generator) -> None:
    same(nn.MSELoss, t.MSELoss, *reals(rng))


@says("MSELoss", "the same with the `weight` of `F.mse_loss`")
def _(rng: torch.Generator) -> None:
    weighted(F.mse_loss, t.mse_loss, rng)


@says("L1Loss", "the same")
def _(rng: torch.Generator) -> None:
    same(nn.L1Loss, t.L1Loss, *reals(rng))


@says("L1Loss", "the same with the `weight` of `F.l1_loss`")
def _(rng: torch.Generator) -> None:
    weighted(F.l1_loss, t.l1_loss, rng)


@says("SmoothL1Loss", "the same")
def _(rng: torch.Generator) -> None:
    for beta in (0.0, 0.5, 1.0, 2.0):
        same(nn.SmoothL1Loss, t.SmoothL1Loss, *reals(rng), {"beta": beta}, {"beta": beta})


@says("HuberLoss", "the same")
def _(rng: torch.Generator) -> None:
    for delta in (0.5, 1.0, 2.0):
        same(nn.HuberLoss, t.HuberLoss, *reals(rng), {"delta": delta}, {"delta": delta})


@says("HuberLoss", "with the `weight` of `F.huber_loss` torch divides by N, ours by Σw")
def _(rng: torch.Generator) -> None:
    weighted(F.huber_loss, t.huber_loss, rng, mean_factor=lambda w: w.numel() / w.sum())


def weighted(
    theirs: Callable[..., Tensor],
    ours: Callable[..., Tensor],
    rng: torch.Generator,
    mean_factor: Callable[[Tensor], Tensor | float] = lambda w: 1.0,
) -> None:
    y_pred, y_true = reals(rng)
    weight = some_weights(rng, N, C)
    for reduction in ("mean", "sum", "none"):
        given = {"weight": weight, "reduction": reduction}
        agree(
            lambda p, given=given: theirs(p, y_true, **given),
            lambda p, given=given: ours(p, y_true, **given),
            y_pred,
            factor=mean_factor(weight) if reduction == "mean" else 1.0,
        )


@says("CrossEntropyLoss", "class indices: the same, with all arguments together, too")
def _(rng: torch.Generator) -> None:
    w = some_weights(rng, C)
    same(nn.CrossEntropyLoss, t.CrossEntropyLoss, *classes(rng))
    for weight, smoothing, index in ((w, 0.0, -100), (None, 0.1, -100), (None, 0.0, 1), (w, 0.1, 1)):
        rest = {"label_smoothing": smoothing, "ignore_index": index}
        y_pred, y_true = classes(rng)
        y_true[y_true == -100] = 1
        y_true[-1] = 0  # one that counts
        same(
            nn.CrossEntropyLoss,
            t.CrossEntropyLoss,
            y_pred,
            y_true,
            {"weight": weight, **rest},
            {"class_weight": weight, **rest},
        )


@says("CrossEntropyLoss", "probabilities: the same without class weights")
def _(rng: torch.Generator) -> None:
    for given in ({}, {"label_smoothing": 0.1}):
        same(nn.CrossEntropyLoss, t.CrossEntropyLoss, *soft_classes(rng), given, given)


@says("CrossEntropyLoss", "probabilities with class weights: torch divides by N, ours by Σ_c w_c y_c over the batch")
def _(rng: torch.Generator) -> None:
    y_pred, y_true = soft_classes(rng)
    w = some_weights(rng, C)
    for rest in ({}, {"label_smoothing": 0.1}):
        theirs, ours = {"weight": w, **rest}, {"class_weight": w, **rest}
        factor = N / (y_true * w).sum()
        same(nn.CrossEntropyLoss, t.CrossEntropyLoss, y_pred, y_true, theirs, ours, mean_factor=factor)


def soft_classes(rng: torch.Generator) -> tuple[Tensor, Tensor]:
    return 2 * randn(rng, N, C), randn(rng, N, C).softmax(1)


@says(
    "CrossEntropyLoss",
    "label smoothing and a class of weight 0: in torch its units still pay for the other classes, in ours they do not "
    "count",
)
def _(rng: torch.Generator) -> None:
    y_pred, y_true = 2 * randn(rng, N, C), torch.arange(N) % C
    w = some_weights(rng, C)
    w[0] = 0
    counts = (y_true != 0).double()
    ours = t.CrossEntropyLoss(class_weight=w, label_smoothing=0.1)

    def theirs(p: Tensor) -> Tensor:
        return F.cross_entropy(p, y_true, weight=w, label_smoothing=0.1, reduction="none")

    assert (theirs(y_pred)[y_true == 0] > 0).all()
    agree(
        lambda p: theirs(p).sum() / w[y_true].sum(),
        lambda p: F.cross_entropy(p, y_true, w, label_smoothing=0.1),
        y_pred,
    )
    agree(lambda p: (counts * theirs(p)).sum() / w[y_true].sum(), lambda p: ours(p, y_true), y_pred)


@says("CrossEntropyLoss", "nothing counts: torch NaN, ours 0")
def _(rng: torch.Generator) -> None:
    nothing_counts(nn.CrossEntropyLoss(), t.CrossEntropyLoss(), rng)


@says("NLLLoss", "nothing counts: torch NaN, ours 0")
def _(rng: torch.Generator) -> None:
    nothing_counts(nn.NLLLoss(), t.NLLLoss(), rng)


def nothing_counts(theirs: nn.Module, ours: nn.Module, rng: torch.Generator) -> None:
    y_pred, y_true = randn(rng, N, C), torch.full((N,), -100)
    assert theirs(y_pred, y_true).isnan()
    value, slope = value_and_slope(lambda p: ours(p, y_true), y_pred)
    assert value == 0
    assert (slope == 0).all()


@says("NLLLoss", "the same")
def _(rng: torch.Generator) -> None:
    w = some_weights(rng, C)
    for weight, index in ((None, -100), (w, -100), (w, 1)):
        y_pred, y_true = classes(rng)
        y_true[y_true == -100] = index
        y_true[-1] = 0
        theirs, ours = {"weight": weight, "ignore_index": index}, {"class_weight": weight, "ignore_index": index}
        same(nn.NLLLoss, t.NLLLoss, y_pred.log_softmax(1), y_true, theirs, ours)


@says("NLLLoss", "probabilities as targets: torch raises, ours is their cross-entropy")
def _(rng: torch.Generator) -> None:
    y_pred, y_true = soft_classes(rng)
    with pytest.raises(RuntimeError):
        nn.NLLLoss()(y_pred.log_softmax(1), y_true)
    agree(lambda p: F.cross_entropy(p, y_true), lambda p: t.NLLLoss()(p.log_softmax(1), y_true), y_pred)


LOGITS = (nn.BCEWithLogitsLoss, t.BinaryCrossEntropyLoss)
FEWER_AXES = "a `weight` of fewer axes: torch's belongs to the last axes, ours to the first"
BY_N = "with `weight` torch divides by N, ours by Σw"


@says("BCEWithLogitsLoss", "the same without `weight`")
def _(rng: torch.Generator) -> None:
    same(*LOGITS, *labels(rng))
    for given in ({"pos_weight": torch.tensor(3.0, dtype=F64)}, {"pos_weight": some_weights(rng, C)}):
        same(*LOGITS, *labels(rng), given, given)


@says("BCEWithLogitsLoss", BY_N)
def _(rng: torch.Generator) -> None:
    w, pos_weight = some_weights(rng, N, C), {"pos_weight": some_weights(rng, C)}
    for rest in ({}, pos_weight):
        same(*LOGITS, *labels(rng), {"weight": w, **rest}, rest, mean_factor=w.numel() / w.sum(), weight=w)


@says("BCEWithLogitsLoss", FEWER_AXES)
def _(rng: torch.Generator) -> None:
    y_pred, y_true = 2 * randn(rng, C, C), torch.eye(C, dtype=F64)  # square, so that both readings are legal
    fewer_axes(*LOGITS, y_pred, y_true, {}, rng)


@says("BCEWithLogitsLoss", "`pos_weight` of 0: torch takes it, ours raises")
def _(rng: torch.Generator) -> None:
    y_pred, y_true = labels(rng)
    assert nn.BCEWithLogitsLoss(pos_weight=torch.zeros((), dtype=F64))(y_pred, y_true).isfinite()
    with pytest.raises(ValueError, match="pos_weight"):
        t.BinaryCrossEntropyLoss(pos_weight=0.0)


PROBABILITIES = {"from_logits": False}


@says("BCELoss", "the same without `weight`, at probabilities of 0 and 1, too")
def _(rng: torch.Generator) -> None:
    y_pred, y_true = labels(rng)
    p = y_pred.sigmoid()
    p[0], p[1], p[2] = 0.0, 1.0, y_true[2]
    same(nn.BCELoss, t.BinaryCrossEntropyLoss, p, y_true, {}, PROBABILITIES)


@says("BCELoss", BY_N)
def _(rng: torch.Generator) -> None:
    y_pred, y_true = labels(rng)
    w = some_weights(rng, N, C)
    factor = w.numel() / w.sum()
    given = {"weight": w}, PROBABILITIES
    same(nn.BCELoss, t.BinaryCrossEntropyLoss, y_pred.sigmoid(), y_true, *given, mean_factor=factor, weight=w)


@says("BCELoss", FEWER_AXES)
def _(rng: torch.Generator) -> None:
    y_pred, y_true = randn(rng, C, C).sigmoid(), torch.eye(C, dtype=F64)
    fewer_axes(nn.BCELoss, t.BinaryCrossEntropyLoss, y_pred, y_true, PROBABILITIES, rng)


def fewer_axes(
    theirs: type[nn.Module],
    ours: type[nn.Module],
    y_pred: Tensor,
    y_true: Tensor,
    our_arguments: dict[str, Any],
    rng: torch.Generator,
) -> None:
    w = some_weights(rng, C)
    their, our = theirs(weight=w, reduction="none"), ours(**our_arguments, reduction="none")
    plain = theirs(reduction="none")(y_pred, y_true)
    torch.testing.assert_close(their(y_pred, y_true), plain * w.unsqueeze(0))
    torch.testing.assert_close(our(y_pred, y_true, weight=w), plain * w.unsqueeze(1))


MULTILABEL = (nn.MultiLabelSoftMarginLoss, t.BinaryCrossEntropyLoss)


@says("MultiLabelSoftMarginLoss", "the same mean")
def _(rng: torch.Generator) -> None:
    y_pred, y_true = labels(rng)
    agree(lambda p: nn.MultiLabelSoftMarginLoss()(p, y_true), lambda p: t.BinaryCrossEntropyLoss()(p, y_true), y_pred)


@says("MultiLabelSoftMarginLoss", "the sum is C times torch's, which has averaged over C labels")
def _(rng: torch.Generator) -> None:
    y_pred, y_true = labels(rng)
    theirs, ours = (loss(reduction="sum") for loss in MULTILABEL)
    agree(lambda p: theirs(p, y_true), lambda p: ours(p, y_true), y_pred, factor=C)


@says("MultiLabelSoftMarginLoss", '`"none"`: torch has one value per sample, ours one per label')
def _(rng: torch.Generator) -> None:
    y_pred, y_true = labels(rng)
    theirs, ours = (loss(reduction="none")(y_pred, y_true) for loss in MULTILABEL)
    assert (theirs.shape, ours.shape) == ((N,), (N, C))
    torch.testing.assert_close(theirs, ours.mean(1))


@says("MultiLabelSoftMarginLoss", "with `weight` torch divides by N·C, ours by Σw")
def _(rng: torch.Generator) -> None:
    y_pred, y_true = labels(rng)
    w = some_weights(rng, C)
    theirs = nn.MultiLabelSoftMarginLoss(weight=w)
    each = w.expand(N, C)
    agree(
        lambda p: theirs(p, y_true),
        lambda p: t.BinaryCrossEntropyLoss()(p, y_true, weight=each),
        y_pred,
        factor=N * C / each.sum(),
    )


@says("SoftMarginLoss", "the same with targets 0 and 1 in place of −1 and 1")
def _(rng: torch.Generator) -> None:
    y_pred, y_true = labels(rng)
    same(nn.SoftMarginLoss, t.SoftMarginLoss, y_pred, 2 * y_true - 1, our_true=y_true)


@says("SoftMarginLoss", "a logit of −1000 for a positive: torch infinite with a NaN gradient, ours 1000")
def _(rng: torch.Generator) -> None:
    y_pred, one = torch.tensor([-1000.0], dtype=F64), torch.ones(1, dtype=F64)
    theirs = value_and_slope(lambda p: nn.SoftMarginLoss()(p, one), y_pred)
    assert theirs[0].isinf()
    assert theirs[1].isnan()
    ours = value_and_slope(lambda p: t.SoftMarginLoss()(p, one), y_pred)
    assert [number.item() for number in ours] == [1000, -1]


def counts(rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Log-rates, and counts of which some are 0 and 1."""
    y_true = torch.randint(9, (N, C), generator=rng).double()
    y_true[0, :2] = torch.tensor([0, 1])
    return randn(rng, N, C), y_true


@says("PoissonNLLLoss", "`log_input=True`: the same")
def _(rng: torch.Generator) -> None:
    same(nn.PoissonNLLLoss, t.PoissonNLLLoss, *counts(rng))
    y_pred, y_true = counts(rng)
    same(nn.PoissonNLLLoss, t.PoissonNLLLoss, y_pred, y_true.clamp(max=1), {"full": True}, {"full": True})


@says("PoissonNLLLoss", "`log_input=False`: the same up to torch's `eps` with the logarithm of the rate as y_pred")
def _(rng: torch.Generator) -> None:
    y_pred, y_true = counts(rng)
    rate = y_pred.exp()
    for eps in (1e-8, 1e-12):
        for reduction in ("mean", "sum", "none"):
            theirs = nn.PoissonNLLLoss(log_input=False, eps=eps, reduction=reduction)
            ours = t.PoissonNLLLoss(reduction=reduction)
            # y·log(rate + eps) is y·log(rate) + y·eps/rate, nearly.
            most = (y_true * eps / rate.square()).sum().item()
            agree(lambda p: theirs(p, y_true), lambda p: ours(p.log(), y_true), rate, atol=2 * most + 1e-13)  # noqa: B023


@says(
    "PoissonNLLLoss",
    "`full=True` and a target above 1: torch takes Stirling's formula, which is 0.041 less at 2, ours log Γ",
)
def _(rng: torch.Generator) -> None:
    y_pred, y_true = counts(rng)
    y_true += 2
    theirs, ours = (loss(full=True, reduction="none") for loss in (nn.PoissonNLLLoss, t.PoissonNLLLoss))
    missing = torch.lgamma(y_true + 1) - (y_true * y_true.log() - y_true + (2 * math.pi * y_true).log() / 2)
    agree(lambda p: theirs(p, y_true) + missing, lambda p: ours(p, y_true), y_pred)
    assert missing[y_true == 2].numpy() == pytest.approx(0.0413, abs=1e-4)
    assert (missing > 0).all()


@says("PoissonNLLLoss", "a negative target: torch takes it, ours raises")
def _(rng: torch.Generator) -> None:
    y_pred, y_true = counts(rng)
    assert nn.PoissonNLLLoss()(y_pred, -y_true).isfinite()
    with pytest.raises(ValueError, match="y_true"):
        t.PoissonNLLLoss()(y_pred, -y_true)


def spread(rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Means and log-variances in the last axis, and what came."""
    return randn(rng, N, C, 2), randn(rng, N, C)


@says(
    "GaussianNLLLoss",
    "variances of 1e-6 and more: the same with `torch.stack((mean, var.log()), -1)` as y_pred",
)
def _(rng: torch.Generator) -> None:
    for full in (False, True):
        for lowest in (0.0, 1e-6):
            y_pred, y_true = spread(rng)
            mean, var = y_pred[..., 0], y_pred[..., 1].exp() + lowest
            var[0] = 1.000001e-6
            for reduction in ("mean", "sum", "none"):
                theirs, ours = (
                    loss(full=full, reduction=reduction) for loss in (nn.GaussianNLLLoss, t.GaussianNLLLoss)
                )
                agree(
                    lambda p: theirs(*p.unbind(-1)[:1], y_true, p[..., 1]),  # noqa: B023
                    lambda p: ours(torch.stack((p[..., 0], p[..., 1].log()), -1), y_true),  # noqa: B023
                    torch.stack((mean, var), -1),
                    atol=1e-8,
                )


@says("GaussianNLLLoss", "a smaller one: torch takes 1e-6 for it, ours takes it as it is")
def _(rng: torch.Generator) -> None:
    mean, y_true = randn(rng, N), randn(rng, N)

    def ours(variance: float) -> Tensor:
        log_variance = torch.full((N,), variance, dtype=F64).log()
        return t.gaussian_nll_loss(torch.stack((mean, log_variance), -1), y_true)

    theirs = nn.GaussianNLLLoss()(mean, y_true, torch.full((N,), 1e-8, dtype=F64))
    torch.testing.assert_close(theirs, ours(1e-6))
    torch.testing.assert_close(ours(1e-8), ((y_true - mean).square() / 1e-8 + math.log(1e-8)).mean() / 2)


@says(
    "GaussianNLLLoss",
    "`var` with one value for each row: torch repeats it, ours wants one log-variance for each element",
)
def _(rng: torch.Generator) -> None:
    y_pred, y_true = spread(rng)
    mean, var = y_pred[..., 0], y_pred[..., :1, 1].exp()
    each = torch.stack((mean, var.expand(N, C).log()), -1)
    torch.testing.assert_close(t.gaussian_nll_loss(each, y_true), F.gaussian_nll_loss(mean, y_true, var))


@says("MultiMarginLoss", "the same without `weight`")
def _(rng: torch.Generator) -> None:
    for p in (1, 2):
        for margin in (1.0, 0.3):
            given = {"p": p, "margin": margin}
            y_pred, y_true = 2 * randn(rng, N, C), torch.randint(C, (N,), generator=rng)
            same(nn.MultiMarginLoss, t.MultiMarginLoss, y_pred, y_true, given, given)


@says("MultiMarginLoss", "with `weight` torch divides by N, ours by the sum of the true classes' weights")
def _(rng: torch.Generator) -> None:
    w = some_weights(rng, C)
    for p in (1, 2):
        y_pred, y_true = 2 * randn(rng, N, C), torch.randint(C, (N,), generator=rng)
        factor = N / w[y_true].sum()
        theirs, ours = {"p": p, "weight": w}, {"p": p, "class_weight": w}
        same(nn.MultiMarginLoss, t.MultiMarginLoss, y_pred, y_true, theirs, ours, mean_factor=factor)


@says("MultiMarginLoss", "pixels and probabilities: torch raises, ours takes them")
def _(rng: torch.Generator) -> None:
    for y_pred, y_true in (classes(rng), soft_classes(rng)):
        with pytest.raises((RuntimeError, ValueError, IndexError)):
            nn.MultiMarginLoss()(y_pred, y_true)
        assert t.MultiMarginLoss()(y_pred, y_true).isfinite()


@says(
    "CosineEmbeddingLoss",
    "targets 1: the same to 1e-6 for vectors of length 0.002 and more, because torch adds 1e-12 under the root",
)
def _(rng: torch.Generator) -> None:
    for length in (1.0, 0.002):
        y_pred, y_true = (length * F.normalize(vectors, dim=1) for vectors in reals(rng))
        for reduction in ("mean", "sum", "none"):
            theirs = nn.CosineEmbeddingLoss(reduction=reduction)(y_pred, y_true, torch.ones(N))
            ours = t.CosineSimilarityLoss(reduction=reduction)(y_pred, y_true)
            # A sum of N has N errors.
            torch.testing.assert_close(ours, theirs, rtol=0, atol=1e-6 * (N if reduction == "sum" else 1))
    y_pred, y_true = (F.normalize(vectors, dim=1) for vectors in reals(rng))
    theirs_of, ours = nn.CosineEmbeddingLoss(), t.CosineSimilarityLoss()
    agree(lambda p: theirs_of(p, y_true, torch.ones(N)), lambda p: ours(p, y_true), y_pred, atol=1e-6)
    # The reason: with its epsilon undone, torch's number is ours to the last digits.
    p, q = 1e-6 * y_pred, y_true
    theirs = theirs_of(p, q, torch.ones(N))
    lengths = torch.sqrt((p.square().sum(1) + 1e-12) * (q.square().sum(1) + 1e-12))
    torch.testing.assert_close(
        theirs, (1 - (p * q).sum(1) / lengths).mean(), rtol=1e-8, atol=0
    )  # 1e-12 is a float there
    assert abs(theirs - ours(p, q)) > 1e-3


@says("CosineEmbeddingLoss", "a vector of zeros: torch's slope has length 1e6, ours 0")
def _(rng: torch.Generator) -> None:
    y_pred, y_true = torch.zeros(1, C, dtype=F64), randn(rng, 1, C)
    _, theirs = value_and_slope(lambda p: nn.CosineEmbeddingLoss()(p, y_true, torch.ones(1)), y_pred)
    _, ours = value_and_slope(lambda p: t.CosineSimilarityLoss()(p, y_true), y_pred)
    assert theirs.norm().item() == pytest.approx(1e6, rel=1e-3)
    assert (ours == 0).all()


@says("CosineEmbeddingLoss", "targets −1: not yet")
def _(rng: torch.Generator) -> None:
    assert "margin" not in t.CosineSimilarityLoss.fields()
    assert list(inspect.signature(t.cosine_similarity_loss).parameters)[:2] == ["y_pred", "y_true"]


def adaptive_pair() -> tuple[nn.AdaptiveLogSoftmaxWithLoss, Any]:
    theirs = nn.AdaptiveLogSoftmaxWithLoss(16, 20, cutoffs=[5, 10], div_value=2.0).double()
    ours = t.AdaptiveLogSoftmaxLoss(in_features=16, num_classes=20, cutoffs=[5, 10], div_value=2.0).double()
    ours.adaptive.load_state_dict(theirs.state_dict())
    return theirs, ours


@says("AdaptiveLogSoftmaxWithLoss", "the same with the same weights, which lie in `.adaptive`")
def _(rng: torch.Generator) -> None:
    theirs, ours = adaptive_pair()
    y_pred, y_true = randn(rng, N, 16), torch.randint(20, (N,), generator=rng)
    agree(lambda p: theirs(p, y_true).loss, lambda p: ours(p, y_true), y_pred)
    theirs(y_pred, y_true).loss.backward()
    ours(y_pred, y_true).backward()
    for their, our in zip(theirs.parameters(), ours.adaptive.parameters(), strict=True):
        torch.testing.assert_close(our.grad, their.grad)


@says("AdaptiveLogSoftmaxWithLoss", "ours returns the loss alone")
def _(rng: torch.Generator) -> None:
    theirs, ours = adaptive_pair()
    y_pred, y_true = randn(rng, N, 16), torch.randint(20, (N,), generator=rng)
    output, _ = theirs(y_pred, y_true)
    assert output.shape == (N,)
    assert ours(y_pred, y_true).shape == ()
    torch.testing.assert_close(ours.evaluate(y_pred, y_true, reduction="none"), -output)


@says("AdaptiveLogSoftmaxWithLoss", "`log_prob(x)` is the logarithm of `predict(x)`")
def _(rng: torch.Generator) -> None:
    theirs, ours = adaptive_pair()
    x = randn(rng, N, 16)
    torch.testing.assert_close(ours.predict(x).log(), theirs.log_prob(x))


def test_what_holds_for_all_of_them() -> None:
    y = torch.ones(3)
    for name in PRESENT:
        with pytest.raises(TypeError, match="keyword arguments only"):
            getattr(t, ROWS[name].here)(None)
        fields = {"in_features": 16, "num_classes": 20, "cutoffs": [5]} if name.startswith("Adaptive") else {}
        with pytest.raises(ValueError, match="batchmean"):
            getattr(t, ROWS[name].here)(reduction="batchmean", **fields)
    nn.CrossEntropyLoss(y)  # a position in torch
    with pytest.raises(ValueError, match="batchmean"):
        nn.MSELoss(reduction="batchmean")(y, y)
    assert nn.KLDivLoss(reduction="batchmean")(y, y).isfinite()
