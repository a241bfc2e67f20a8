"""What the losses for long-tailed classes promise: limits, tails, counts of 0, calibration, counting, messages."""

from __future__ import annotations

import copy
import itertools
import math
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import torch
from hypothesis import given, strategies as st
from torch import Tensor, nn

import torchobjectives
from tests.cases.base import F64, K, W, X, generator, randn, t64
from tests.losses.expected import minimiser
from torchobjectives import Loss, SeesawLoss, class_balanced_weights, from_config, functional as O, totals

COUNTS = t64([50, 20, 6, 1])


@given(st.integers(0, 2**32), st.booleans())
def test_limiting_cases(seed: int, soft: bool) -> None:
    rng = generator(seed)
    x = 3 * randn(rng, 5, 4)
    y = torch.softmax(randn(rng, 5, 4), 1) if soft else torch.randint(4, (5,), generator=rng)
    counts = 1 + torch.randint(1000, (4,), generator=rng)
    order = torch.randperm(4, generator=rng)
    moved = y[:, order] if soft else torch.argsort(order)[y]
    plain = O.cross_entropy_loss(x, y)
    for found, wanted in (
        (O.ldam_loss(x, y, class_counts=counts, max_margin=0.0, scale=1.0), plain),
        (O.ldam_loss(x, y, class_counts=[3, 3, 3, 3], max_margin=0.0, scale=2.0), O.cross_entropy_loss(2 * x, y)),
        (O.balanced_softmax_loss(x, y, class_counts=[9, 9, 9, 9]), plain),
        (O.logit_adjusted_loss(x, y, class_counts=counts, tau=0.0), plain),
        (
            O.logit_adjusted_loss(x, y, class_counts=counts, tau=1.0),
            O.balanced_softmax_loss(x, y, class_counts=counts),
        ),
        (
            O.balanced_softmax_loss(x, y, class_counts=counts),
            O.cross_entropy_loss(x + torch.log(counts.double()), y),
        ),
        (
            O.balanced_softmax_loss(x, y, class_counts=counts),
            O.balanced_softmax_loss(x, y, class_counts=counts.double() / counts.sum()),
        ),
        (O.seesaw_loss(x, y, class_counts=counts, p=0.0, q=0.0), plain),
        (O.seesaw_loss(x, y, class_counts=[2, 2, 2, 2], q=0.0), plain),
        *(
            (loss(x[:, order], moved, class_counts=counts[order]), loss(x, y, class_counts=counts))
            for loss in (O.ldam_loss, O.balanced_softmax_loss, O.logit_adjusted_loss, O.seesaw_loss)
        ),
        *(
            (loss(x + 7, y, class_counts=counts), loss(x, y, class_counts=counts))
            for loss in (O.ldam_loss, O.balanced_softmax_loss, O.logit_adjusted_loss, O.seesaw_loss)
        ),
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-10)


@pytest.mark.parametrize("soft", [False, True])
def test_ldam_in_the_tail(soft: bool) -> None:
    # From the log-probability alone, which is 0 in float32 here, both would come out as 0.
    x = torch.tensor([[25.0, 0.0, 0.0]], requires_grad=True)
    y = torch.tensor([[1.0, 0.0, 0.0]]) if soft else torch.tensor([0])
    value = O.ldam_loss(x, y, class_counts=[1, 1, 1], max_margin=4.0, scale=1.0)
    (slope,) = torch.autograd.grad(value, x)
    tail = 2 * math.exp(-21)
    assert value.item() == pytest.approx(math.log1p(tail), rel=1e-5)
    assert slope[0, 0].item() == pytest.approx(-tail, rel=1e-5)


@pytest.mark.parametrize("name", ["ldam_loss", "balanced_softmax_loss", "logit_adjusted_loss", "seesaw_loss"])
@pytest.mark.parametrize("soft", [False, True])
@pytest.mark.parametrize("counts", [[5, 3, 1], [5, 0, 1], [0, 0, 2]])
def test_second_slopes_are_finite_in_the_tails(name: str, soft: bool, counts: list[int]) -> None:
    for dtype in (torch.float32, F64):
        for gap in (0.0, 20.0, 200.0, 1e4):
            for k in range(3):
                x = torch.tensor([[gap, 0.0, -gap]], dtype=dtype, requires_grad=True)
                y = torch.eye(3, dtype=dtype)[[k]] if soft else torch.tensor([k])
                value = getattr(O, name)(x, y, class_counts=counts)
                (slope,) = torch.autograd.grad(value, x, create_graph=True)
                (second,) = torch.autograd.grad(slope.pow(2).sum(), x)
                assert value.isfinite(), (gap, k)
                assert slope.isfinite().all(), (gap, k)
                assert second.isfinite().all(), (gap, k)


@pytest.mark.parametrize("name", ["ldam_loss", "balanced_softmax_loss", "logit_adjusted_loss", "seesaw_loss"])
def test_float32_agrees_with_float64(name: str) -> None:
    x = 4 * randn(generator(1), 50, 3)
    y = torch.randint(3, (50,), generator=generator(2))
    for counts in ([1000, 10, 1], [1000, 10, 0]):
        exact = getattr(O, name)(x.float().double(), y, class_counts=counts, reduction="none")
        found = getattr(O, name)(x.float(), y, class_counts=counts, reduction="none")
        torch.testing.assert_close(found.double(), exact, rtol=1e-5, atol=3e-6)


@pytest.mark.parametrize("soft", [False, True])
def test_a_class_without_samples_is_not_pressed_down(soft: bool) -> None:
    x = X.clone().requires_grad_()
    y = torch.eye(3, dtype=F64)[K] if soft else K
    value = O.balanced_softmax_loss(x, y, class_counts=[7, 2, 0])
    (slope,) = torch.autograd.grad(value, x)
    wanted = O.balanced_softmax_loss(X[:, :2], y[:, :2] if soft else y, class_counts=[7, 2])
    torch.testing.assert_close(value.detach(), wanted)
    assert not slope[:, 2].any()
    target = torch.tensor([[0.0, 0.0, 1.0]], dtype=F64) if soft else torch.tensor([2])
    found = O.balanced_softmax_loss(X[:1], target, class_counts=[7, 2, 0])
    torch.testing.assert_close(found, O.balanced_softmax_loss(X[:1], target, class_counts=[7, 2, 1]))


# Calibration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "loss",
    [
        torchobjectives.LDAMLoss(class_counts=COUNTS, scale=3.0),
        torchobjectives.LDAMLoss(class_counts=COUNTS, max_margin=2.0, scale=1.0, class_weight=[1.0, 2.0, 0.5, 3.0]),
        torchobjectives.BalancedSoftmaxLoss(class_counts=COUNTS),
        torchobjectives.BalancedSoftmaxLoss(class_counts=COUNTS, class_weight=[1.0, 2.0, 0.5, 3.0]),
        torchobjectives.LogitAdjustedLoss(class_counts=COUNTS, tau=0.4),
    ],
    ids=repr,
)
def test_calibration_gives_the_true_probability(loss: Loss) -> None:
    truth = t64([[0.1, 0.2, 0.3, 0.4], [0.15, 0.6, 0.1, 0.15], [0.9, 0.05, 0.03, 0.02]])
    x = minimiser(loss, truth)
    torch.testing.assert_close(loss.predict(x, calibrated=True), truth, rtol=0, atol=1e-6)
    assert (loss.predict(x) - truth).abs().max() > 1e-3


def test_balanced_prediction_is_free_of_the_prior() -> None:
    likelihood = t64([[0.2, 0.5, 0.7, 0.1]])
    joint = likelihood * COUNTS
    loss = torchobjectives.BalancedSoftmaxLoss(class_counts=COUNTS)
    x = minimiser(loss, joint / joint.sum())
    torch.testing.assert_close(loss.predict(x), likelihood / likelihood.sum(), rtol=0, atol=1e-6)


def test_ldam_predicts_at_its_own_temperature() -> None:
    loss = torchobjectives.LDAMLoss(class_counts=[3, 2, 1], scale=4.0)
    assert torch.equal(loss.predict(X), torch.softmax(4 * X, 1))
    assert loss.num_outputs(7) == 7


def test_seesaw_has_no_inverse() -> None:
    with pytest.raises(ValueError, match="no inverse is known"):
        SeesawLoss(num_classes=3).predict(X, calibrated=True)


# Counting ------------------------------------------------------------------------------------------------------


def test_seesaw_counts_before_its_own_loss_and_adds_up() -> None:
    loss = SeesawLoss(num_classes=3)
    counts = loss.get_buffer("class_counts")
    assert not counts.any()
    assert counts.dtype is F64
    torch.testing.assert_close(loss(X, K), O.seesaw_loss(X, K))
    assert counts.tolist() == [1, 2, 0]
    second = torch.tensor([1, 1, 2])
    torch.testing.assert_close(loss(X, second), O.seesaw_loss(X, second, class_counts=[1, 4, 1]))
    assert counts.tolist() == [1, 4, 1]
    loss.eval()
    torch.testing.assert_close(loss(X, K), O.seesaw_loss(X, K, class_counts=[1, 4, 1]))
    assert counts.tolist() == [1, 4, 1]
    assert loss.get_buffer("class_counts") is counts


def test_seesaw_counts_live_units_once() -> None:
    loss = SeesawLoss(num_classes=3, ignore_index=2)
    weight, mask = t64([5, 0.1, 3]), torch.tensor([True, True, False])
    loss(X, K, weight=weight, mask=mask)
    assert loss.class_counts.tolist() == [1, 1, 0]  # type: ignore[union-attr]
    loss(X, torch.tensor([2, 2, 0]), weight=t64([1, 1, 0]))
    assert loss.class_counts.tolist() == [1, 1, 0]  # type: ignore[union-attr]
    loss(X, t64([[0.5, 0.5, 0], [0.2, 0.2, 0.6], [1, 0, 0]]), mask=mask)
    torch.testing.assert_close(loss.class_counts, t64([1.7, 1.7, 0.6]))
    loss(X[0], torch.tensor(1))
    torch.testing.assert_close(loss.class_counts, t64([1.7, 2.7, 0.6]))


def test_seesaw_without_counts_uses_the_batch_in_eval() -> None:
    loss = SeesawLoss(num_classes=3).eval()
    torch.testing.assert_close(loss(X, K), O.seesaw_loss(X, K))
    assert not loss.get_buffer("class_counts").any()


def test_seesaw_does_not_count_what_it_refuses() -> None:
    loss = SeesawLoss(num_classes=3)
    for wrong, error in (
        (lambda: loss(X, torch.tensor([0, 1, 3])), ValueError),
        (lambda: loss(X, K, weight=t64([1.0, -1.0, 1.0])), ValueError),
        (lambda: loss(X[:, :2], K), ValueError),
        (lambda: loss(X, K.double()), TypeError),
        (lambda: loss(X.long(), K), TypeError),
    ):
        with pytest.raises(error):
            wrong()
    loss.reduction = "men"  # type: ignore[assignment]
    with pytest.raises(ValueError, match="reduction"):
        loss(X, K)
    assert not loss.get_buffer("class_counts").any()


def test_seesaw_keeps_its_counts() -> None:
    loss = SeesawLoss(num_classes=3)
    loss(X, K)
    loss.get_buffer("class_counts").add_(1e6 + 1 / 3)
    kept = loss.get_buffer("class_counts").clone()
    for other in (copy.deepcopy(loss), pickle.loads(pickle.dumps(loss)), nn.ModuleList([loss]).half()[0]):
        assert torch.equal(other.get_buffer("class_counts"), kept)
    fresh = from_config(loss.to_config())
    assert not fresh.get_buffer("class_counts").any()
    fresh.load_state_dict(loss.state_dict())
    assert torch.equal(fresh.get_buffer("class_counts"), kept)
    assert (
        repr(fresh)
        == repr(loss)
        == "SeesawLoss(num_classes=3, class_counts=None, p=0.8, q=2.0, class_weight=None, ignore_index=-100)"
    )


def test_seesaw_counts_under_compile_and_accumulated_backward() -> None:
    torch._dynamo.reset()
    plain, compiled = SeesawLoss(num_classes=3), SeesawLoss(num_classes=3)
    run = torch.compile(compiled, fullgraph=True, backend="aot_eager")
    for y in (K, torch.tensor([2, 2, 1])):
        torch.testing.assert_close(run(X, y), plain(X, y))
        assert torch.equal(compiled.get_buffer("class_counts"), plain.get_buffer("class_counts"))
    leaf = X.clone().requires_grad_()
    (plain(leaf, K) + plain(leaf, torch.softmax(X, 1))).backward()  # the second writes counts the first one used
    assert leaf.grad is not None


def test_given_counts_are_not_changed() -> None:
    counts = torch.tensor([4.0, 2.0, 1.0])
    loss = SeesawLoss(class_counts=counts)
    torch.testing.assert_close(loss(X, K), O.seesaw_loss(X, K, class_counts=counts))
    assert loss.class_counts.tolist() == counts.tolist() == [4, 2, 1]  # type: ignore[union-attr]
    assert from_config(loss.to_config()).class_counts.tolist() == [4, 2, 1]  # type: ignore[union-attr]


def test_large_counts_survive_half() -> None:
    for make in (
        torchobjectives.LDAMLoss,
        torchobjectives.BalancedSoftmaxLoss,
        torchobjectives.LogitAdjustedLoss,
        SeesawLoss,
    ):
        loss = make(class_counts=[1_000_003, 70_000, 2]).half()
        assert loss.class_counts.tolist() == [1_000_003, 70_000, 2]
        value = loss(X.half(), K)
        assert value.isfinite()
        torch.testing.assert_close(value, make(class_counts=[1_000_003, 70_000, 2])(X.half(), K))


def test_totals_of_seesaw_with_given_counts() -> None:
    loss = SeesawLoss(class_counts=[4, 2, 1], class_weight=W)
    total, mass = totals(loss, X, K)
    torch.testing.assert_close(total / mass, loss(X, K))


# Weights -------------------------------------------------------------------------------------------------------


def test_class_balanced_weights() -> None:
    weights = class_balanced_weights([100, 10, 1], beta=0.99)
    torch.testing.assert_close(weights, t64([0.04223747, 0.28004361, 2.67771892]), rtol=1e-7, atol=0)
    loss = O.cross_entropy_loss(X, K, class_weight=weights, reduction="sum") / 3
    assert loss.item() == pytest.approx(0.3063640254, rel=2e-9)
    torch.testing.assert_close(class_balanced_weights(torch.tensor([100, 10, 1]), 0.99), weights)
    assert class_balanced_weights(torch.tensor([100.0, 10.0])).dtype is torch.float32
    assert torch.equal(class_balanced_weights([100, 10, 1], beta=0.0), torch.ones(3, dtype=F64))


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=6), st.floats(0, 1, exclude_max=True))
def test_class_balanced_weights_sum_to_the_classes(counts: list[int], beta: float) -> None:
    weights = class_balanced_weights(counts, beta)
    assert weights.isfinite().all()
    assert weights.sum().item() == pytest.approx(len(counts), rel=1e-12)
    order = sorted(range(len(counts)), key=lambda c: max(counts[c], 1))
    assert all(weights[a] >= weights[b] for a, b in itertools.pairwise(order))


def test_class_balanced_weights_near_inverse_counts() -> None:
    weights = class_balanced_weights([40, 8, 2], beta=1 - 1e-12)
    torch.testing.assert_close(weights * t64([40, 8, 2]), (weights * t64([40, 8, 2]))[0].expand(3), rtol=1e-9, atol=0)


# Messages ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        *(
            (
                lambda loss=loss: loss(X, K, class_counts=[3, 2]),
                ValueError,
                r"class_counts has shape \(2,\), y_pred has 3 classes",
            )
            for loss in (O.ldam_loss, O.balanced_softmax_loss, O.logit_adjusted_loss, O.seesaw_loss)
        ),
        (lambda: O.ldam_loss(X, K, class_counts=[3, -2, 1]), ValueError, "class_counts holds values from -2 to 3"),
        (lambda: O.ldam_loss(X, K, class_counts=[3, math.nan, 1]), ValueError, "class_counts holds values"),
        (lambda: O.ldam_loss(X, K, class_counts="many"), TypeError, "class_counts is 'many'"),  # type: ignore[arg-type]
        (
            lambda: O.balanced_softmax_loss(X, K, class_counts=[0, 0, 0]),
            ValueError,
            "class_counts is 0 for every class",
        ),
        (lambda: O.logit_adjusted_loss(X, K, class_counts=[3, 2, 1], tau=-1.0), ValueError, "tau is -1.0"),
        (lambda: O.ldam_loss(X, K, class_counts=[3, 2, 1], scale=0.0), ValueError, "scale is 0.0"),
        (lambda: O.ldam_loss(X, K, class_counts=[3, 2, 1], max_margin=-0.1), ValueError, "max_margin is -0.1"),
        (lambda: O.seesaw_loss(X, K, q=math.inf), ValueError, "q is inf"),
        (lambda: O.ldam_loss(X, K.double(), class_counts=[3, 2, 1]), TypeError, r"y_true.long\(\)"),
        (lambda: torchobjectives.LDAMLoss(), TypeError, "needs class_counts"),  # type: ignore[call-arg]
        (lambda: torchobjectives.LDAMLoss(class_counts=[3, -1]), ValueError, "class_counts holds values"),
        (lambda: SeesawLoss(), ValueError, "either class_counts.*or num_classes"),
        (lambda: SeesawLoss(num_classes=2, class_counts=[1, 2]), ValueError, "either class_counts.*or num_classes"),
        (lambda: SeesawLoss(num_classes=0), ValueError, "num_classes is 0"),
        (lambda: SeesawLoss(num_classes=2.5), TypeError, "num_classes has type float"),  # type: ignore[arg-type]
        (lambda: SeesawLoss(num_classes=4)(X, K), ValueError, "num_classes is 4, y_pred has 3 classes"),
        (lambda: class_balanced_weights([[1, 2]]), ValueError, r"class_counts has shape \(1, 2\)"),  # type: ignore[list-item]
        (lambda: class_balanced_weights([1, -2]), ValueError, "class_counts holds values from -2 to 1"),
        (lambda: class_balanced_weights([1, 2], beta=1.0), ValueError, r"beta is 1.0, wanted a number in \[0, 1\)"),
        (lambda: class_balanced_weights("many"), TypeError, "class_counts is 'many'"),  # type: ignore[arg-type]
    ],
)
def test_wrong_input(call: Callable[[], Any], error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_counts_of_the_wrong_length_are_seen_under_vmap() -> None:
    x = torch.randn(2, 3, 4)

    def loss(p: Tensor, t: Tensor) -> Tensor:
        return O.ldam_loss(p, t, class_counts=[3, 2, 1])

    with pytest.raises(ValueError, match=r"class_counts has shape \(3,\), y_pred has 4 classes"):
        torch.vmap(loss)(x, torch.zeros(2, 3, dtype=torch.long))


def test_weights_of_half_counts_are_computed_in_float64() -> None:
    counts = torch.tensor([60000.0, 10.0, 1.0], dtype=torch.float16)
    wanted = torchobjectives.class_balanced_weights(counts.double())
    found = torchobjectives.class_balanced_weights(counts)
    assert found.dtype is torch.float16
    assert torch.equal(found, wanted.half())
