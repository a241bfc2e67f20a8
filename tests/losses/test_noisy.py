"""What the losses for wrong labels promise: limits, tails, the temperature, calibration, messages."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, strategies as st
from torch import Tensor

import torchobjectives
from tests.cases.base import F64, K, X, generator, rand, randn, t64
from tests.losses.expected import minimiser
from tests.properties import with_slope
from tests.references.noisy import tempered_softmax
from torchobjectives import Loss, functional as O

FLIPS = t64([[0.8, 0.2, 0, 0], [0.1, 0.9, 0, 0], [0, 0.3, 0.7, 0], [0.05, 0, 0.05, 0.9]])


@given(st.integers(0, 2**32), st.booleans())
def test_limiting_cases(seed: int, soft: bool) -> None:
    rng = generator(seed)
    x = 3 * randn(rng, 5, 4)
    y = torch.softmax(randn(rng, 5, 4), 1) if soft else torch.randint(4, (5,), generator=rng)
    plain = O.cross_entropy_loss(x, y)
    absolute = O.mae_classification_loss(x, y)
    for found, wanted in (
        (O.gce_loss(x, y, q=1e-10), plain),
        (O.gce_loss(x, y, q=1.0), absolute / 2),
        (O.symmetric_cross_entropy_loss(x, y, alpha=1.0, beta=0.0), plain),
        (O.active_passive_loss(x, y, beta=0.0), O.normalized_cross_entropy_loss(x, y)),
        (O.active_passive_loss(x, y, alpha=0.0, passive="mae"), absolute),
        (O.bootstrap_loss(x, y, beta=1.0), plain),
        (O.bootstrap_loss(x, y, beta=1.0, hard=True), plain),
        (O.forward_correction_loss(x, y, transition=torch.eye(4)), plain),
        (O.gce_loss(x + 7, y), O.gce_loss(x, y)),
        (O.bi_tempered_loss(x + 7, y), O.bi_tempered_loss(x, y)),
        (O.bi_tempered_loss(x, y, t2=1 + 1e-9), O.bi_tempered_loss(x, y, t2=1.0)),
    ):
        torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-8)
    if not soft:  # of a distribution, its entropy is taken off as well
        for found, wanted in (
            (O.bi_tempered_loss(x, y, t1=1.0, t2=1.0), plain),
            (O.bi_tempered_loss(x, y, t1=1 - 1e-9, t2=1 + 1e-9), plain),
            # It is π / p away from the limit, and p may be very small.
            (O.generalized_jsd_loss(x, y, pi=1e-14), plain),
        ):
            torch.testing.assert_close(found, wanted, rtol=1e-6, atol=1e-8)
        for loss in (O.bi_tempered_loss, O.generalized_jsd_loss):
            torch.testing.assert_close(loss(x, F.one_hot(y, 4).double()), loss(x, y), rtol=1e-9, atol=1e-12)


def test_jsd_nears_the_absolute_error() -> None:
    # The distance falls as 1 / log(1 − π): no double is near enough to 1 to make it small.
    distances = [
        float(O.generalized_jsd_loss(X, K, pi=1 - far) - O.mae_classification_loss(X, K) / 2)
        for far in (1e-4, 1e-8, 1e-16)
    ]
    assert distances[0] > distances[1] > distances[2] > 0
    assert distances[0] * math.log(1e4) == pytest.approx(distances[1] * math.log(1e8), rel=1e-3)


def test_gce_where_the_probability_is_0() -> None:
    for dtype in (torch.float32, F64):
        x = torch.tensor([[-200.0, 0.0]], dtype=dtype, requires_grad=True)
        value = O.gce_loss(x, torch.tensor([0]))
        (slope,) = torch.autograd.grad(value, x, create_graph=True)
        (second,) = torch.autograd.grad(slope.sum(), x)
        assert value.item() == pytest.approx(1.428571429, rel=1e-7)
        torch.testing.assert_close(slope.detach(), torch.zeros(1, 2, dtype=dtype), rtol=0, atol=1e-60)
        assert second.isfinite().all()


NAMES = (
    "gce_loss",
    "mae_classification_loss",
    "normalized_cross_entropy_loss",
    "active_passive_loss",
    "bi_tempered_loss",
    "bootstrap_loss",
    "forward_correction_loss",
    "generalized_jsd_loss",
)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("soft", [False, True])
def test_second_slopes_are_finite_in_the_tails(name: str, soft: bool) -> None:
    hyper = {"transition": FLIPS[:3, :3] / FLIPS[:3, :3].sum(1, keepdim=True)} if name.startswith("forward") else {}
    for dtype in (torch.float32, F64):
        for gap in (0.0, 20.0, 90.0, 200.0, 1e4):
            for k in range(3):
                x = torch.tensor([[gap, 0.0, -gap]], dtype=dtype, requires_grad=True)
                y = torch.eye(3, dtype=dtype)[[k]] if soft else torch.tensor([k])
                value = getattr(O, name)(x, y, **hyper)
                (slope,) = torch.autograd.grad(value, x, create_graph=True)
                (second,) = torch.autograd.grad(slope.pow(2).sum(), x)
                assert value.isfinite(), (gap, k)
                assert slope.isfinite().all(), (gap, k)
                assert second.isfinite().all(), (gap, k)


@pytest.mark.parametrize("name", NAMES)
def test_float32_agrees_with_float64(name: str) -> None:
    x = 6 * randn(generator(1), 50, 3)
    y = torch.randint(3, (50,), generator=generator(2))
    hyper = {"transition": [[0.8, 0.2, 0.0], [0.1, 0.9, 0.0], [0.0, 0.3, 0.7]]} if name.startswith("forward") else {}
    exact = getattr(O, name)(x.float().double(), y, reduction="none", **hyper)
    found = getattr(O, name)(x.float(), y, reduction="none", **hyper)
    torch.testing.assert_close(found.double(), exact, rtol=3e-6, atol=3e-7)


def test_one_class_costs_nothing() -> None:
    for name in NAMES:
        hyper = {"transition": [[1.0]]} if name.startswith("forward") else {}
        for y in (torch.tensor([0, 0]), torch.ones(2, 1)):
            x = torch.tensor([[3.0], [-1e4]], requires_grad=True)
            value = getattr(O, name)(x, y, **hyper)
            (slope,) = torch.autograd.grad(value, x)
            assert value.item() == pytest.approx(0.0, abs=1e-7), name
            assert not slope.any(), name


# Tempered ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("t2", [1.0, 1.01, 1.2, 2.0, 4.0])
@pytest.mark.parametrize("classes", [2, 5, 400])
def test_tempered_probabilities_sum_to_1(t2: float, classes: int) -> None:
    rng = generator(classes)
    loss = torchobjectives.BiTemperedLoss(t2=t2)
    for scale in (0.01, 1.0, 30.0, 1e4):
        normal = randn(rng, 20, classes)
        for x in (
            scale * normal,
            scale * normal**3,
            -scale * torch.exp(3 * normal),
            -scale * rand(rng, 20, classes) ** 8,
        ):
            p = loss.predict(x)
            assert (p.sum(1) - 1).abs().max() < 1e-9
            assert (p > 0).all() or t2 < 1.1


def test_tempered_probabilities_by_bisection() -> None:
    for t2 in (1.2, 3.0):
        x = 4 * randn(generator(0), 5, 6)
        found = torchobjectives.BiTemperedLoss(t2=t2).predict(x)
        wanted = torch.tensor([tempered_softmax(row.numpy(), t2) for row in x], dtype=F64)
        torch.testing.assert_close(found, wanted, rtol=1e-9, atol=1e-12)


def test_tempered_axis_is_that_of_the_classes() -> None:
    x = randn(generator(0), 2, 3, 4)
    loss = torchobjectives.BiTemperedLoss()
    torch.testing.assert_close(loss.predict(x)[:, :, 1], loss.predict(x[:, :, 1]))
    torch.testing.assert_close(loss.predict(x[0, :, 0]), loss.predict(x[:1, :, 0])[0])


# Calibration ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "loss",
    [
        torchobjectives.SymmetricCrossEntropyLoss(),
        torchobjectives.SymmetricCrossEntropyLoss(
            alpha=2.0, beta=0.3, log_zero=-1.0, class_weight=[1.0, 2.0, 0.5, 3.0]
        ),
        torchobjectives.GCELoss(q=0.4),
        torchobjectives.GCELoss(q=0.5, class_weight=[1.0, 2.0, 1.5, 3.0]),
        torchobjectives.GeneralizedJSDLoss(),
        torchobjectives.GeneralizedJSDLoss(pi=0.2, class_weight=[1.0, 2.0, 0.5, 3.0]),
        torchobjectives.BiTemperedLoss(),
        torchobjectives.BiTemperedLoss(t1=0.4, t2=2.0, label_smoothing=0.1, class_weight=[1.0, 2.0, 0.5, 3.0]),
        torchobjectives.BootstrapLoss(),
        torchobjectives.BootstrapLoss(beta=0.8, class_weight=[1.0, 2.0, 0.5, 3.0]),
        torchobjectives.BootstrapLoss(beta=0.8, hard=True),
        torchobjectives.BootstrapLoss(beta=0.9, hard=True, class_weight=[1.0, 1.2, 0.9, 1.1]),
        torchobjectives.ForwardCorrectionLoss(transition=FLIPS),
    ],
    ids=repr,
)
def test_calibration_gives_the_true_probability(loss: Loss) -> None:
    truth = t64([[0.1, 0.2, 0.3, 0.4], [0.15, 0.6, 0.1, 0.15], [0.25, 0.3, 0.25, 0.2]])
    if isinstance(loss, torchobjectives.ForwardCorrectionLoss):
        truth = truth @ FLIPS
    x = minimiser(loss, truth)
    torch.testing.assert_close(loss.predict(x, calibrated=True), truth, rtol=0, atol=1e-6)
    plain = (loss.predict(x) - truth).abs().max()
    assert (plain < 1e-6) == (loss.spec.proper and not getattr(loss, "label_smoothing", 0.0))


def test_forward_correction_recovers_the_clean_probability() -> None:
    clean = t64([[0.1, 0.2, 0.3, 0.4], [0.25, 0.25, 0.25, 0.25]])
    loss = torchobjectives.ForwardCorrectionLoss(transition=FLIPS)
    torch.testing.assert_close(loss.predict(minimiser(loss, clean @ FLIPS)), clean, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("loss", "words"),
    [
        (torchobjectives.GCELoss(q=1.0), "q=1"),
        (torchobjectives.SymmetricCrossEntropyLoss(alpha=0.0), "alpha=0"),
        (torchobjectives.BiTemperedLoss(label_smoothing=1.0), "label_smoothing=1"),
        (torchobjectives.BootstrapLoss(beta=0.0), "beta=0"),
        (torchobjectives.MAEClassificationLoss(), "no inverse is known"),
        (torchobjectives.NormalizedCrossEntropyLoss(), "no inverse is known"),
        (torchobjectives.ActivePassiveLoss(), "no inverse is known"),
    ],
    ids=repr,
)
def test_what_has_no_inverse_says_so(loss: Loss, words: str) -> None:
    with pytest.raises(ValueError, match=f"{words}.*calibrated=True"):
        loss.predict(X, calibrated=True)


# Transitions ---------------------------------------------------------------------------------------------------


def test_a_transition_of_zeros_is_exact_far_out() -> None:
    x = t64([[1e4, 0.0], [-300.0, 300.0]])
    y = torch.tensor([1, 0])
    torch.testing.assert_close(
        O.forward_correction_loss(x, y, transition=torch.eye(2)), O.cross_entropy_loss(x, y), rtol=1e-12, atol=0
    )


@pytest.mark.parametrize("size", [1.0, 15.0, 1e4])
@pytest.mark.parametrize(
    "transition", [FLIPS, torch.eye(4, dtype=F64), t64([[1, 0, 0, 0], [0.5, 0, 0.5, 0], [0, 0, 1, 0], [0.25] * 4])]
)
def test_forward_correction_of_probabilities_is_that_of_their_labels(size: float, transition: Tensor) -> None:
    rng = generator(1)
    x, y = size * randn(rng, 6, 4, 2).float(), torch.softmax(randn(rng, 6, 4, 2), 1).float()
    soft, slope = with_slope(partial(O.forward_correction_loss, transition=transition, reduction="none"), x, y)
    labels = [torch.full((6, 2), k) for k in range(4)]
    values = [O.forward_correction_loss(x.double(), k, transition=transition, reduction="none") for k in labels]
    torch.testing.assert_close(soft.double(), sum(y[:, k] * v for k, v in enumerate(values)), rtol=2e-6, atol=0)  # type: ignore[arg-type]

    def expected(z: Tensor) -> Tensor:
        every = [O.forward_correction_loss(z, k, transition=transition, reduction="none") for k in labels]
        return (torch.stack(every, 1) * y).sum()

    each = torch.func.grad(expected)(x.double())
    torch.testing.assert_close(slope.double(), each, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("loss", [partial(O.forward_correction_loss, transition=torch.eye(64)), O.seesaw_loss])
def test_probabilities_take_few_steps(loss: Any) -> None:
    x, y = randn(generator(0), 3, 64).float().requires_grad_(), torch.full((3, 64), 1 / 64)
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        loss(x, y).backward()
    assert sum(event.count for event in profile.key_averages()) < 2500


@pytest.mark.parametrize("hard", [False, True])
@pytest.mark.parametrize("y", [torch.tensor([0, 2]), torch.tensor([[0.5, 0.0, 0.5], [0.0, 0.0, 1.0]])], ids=["k", "y"])
def test_bootstrap_of_masked_classes(hard: bool, y: Tensor) -> None:
    inf = float("inf")
    x = torch.tensor([[1.0, -inf, 0.0], [0.5, -inf, 2.0]])
    value, slope = with_slope(partial(O.bootstrap_loss, hard=hard), x, y)
    left = y[:, ::2] if y.ndim > 1 else y // 2
    wanted, kept = with_slope(partial(O.bootstrap_loss, hard=hard), x[:, ::2], left)
    torch.testing.assert_close(value, wanted)
    torch.testing.assert_close(slope[:, ::2], kept)
    assert not slope[:, 1].any()


def test_an_impossible_label_costs_a_constant() -> None:
    x = torch.zeros(2, 2, requires_grad=True)
    value = O.forward_correction_loss(x, torch.tensor([1, 0]), transition=[[1.0, 0.0], [1.0, 0.0]])
    (slope,) = torch.autograd.grad(value, x)
    assert value.isfinite()
    assert value > 20
    assert not slope.any()


def test_a_transition_is_kept_exact() -> None:
    loss = torchobjectives.ForwardCorrectionLoss(transition=FLIPS).half()
    assert torch.equal(loss.transition, FLIPS)  # type: ignore[arg-type]
    x = randn(generator(0), 3, 4)
    assert loss(x.half(), torch.tensor([0, 1, 3])).dtype is torch.float16


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (lambda: O.gce_loss(X, K, q=0.0), ValueError, r"q is 0.0, wanted a number in \(0, 1\]"),
        (lambda: O.gce_loss(X, K, q=t64(0.5)), TypeError, r"q.item\(\)"),  # type: ignore[arg-type]
        (lambda: O.gce_loss(X, K.float()), TypeError, r"y_true.long\(\)"),
        (lambda: O.gce_loss(X, torch.tensor([0, 1, 3])), ValueError, "the class 3, but there are 3 classes"),
        (
            lambda: O.gce_loss(torch.zeros(2, 7, 3), torch.zeros(2, 7, dtype=torch.long)),
            ValueError,
            r"movedim\(-1, 1\)",
        ),
        (lambda: O.active_passive_loss(X, K, active="ce"), ValueError, "active is 'ce'"),  # type: ignore[arg-type]
        (lambda: O.active_passive_loss(X, K, passive="mea"), ValueError, "Did you mean 'mae'"),  # type: ignore[arg-type]
        (lambda: O.bi_tempered_loss(X, K, t1=1.1), ValueError, "t1 is 1.1"),
        (lambda: O.bi_tempered_loss(X, K, t2=0.9), ValueError, "t2 is 0.9, wanted a finite number >= 1"),
        (lambda: O.bi_tempered_loss(X, K, t2=math.inf), ValueError, "t2 is inf"),
        (lambda: O.bootstrap_loss(X, K, beta=1.5), ValueError, "beta is 1.5"),
        (lambda: O.bootstrap_loss(X, K, hard=1), TypeError, "hard is 1, wanted True or False"),  # type: ignore[arg-type]
        (lambda: O.generalized_jsd_loss(X, K, pi=1.0), ValueError, r"pi is 1.0, wanted a number in \(0, 1\)"),
        (
            lambda: O.forward_correction_loss(X, K, transition=torch.eye(4)),
            ValueError,
            r"transition has shape \(4, 4\), y_pred has 3 classes",
        ),
        (
            lambda: O.forward_correction_loss(X[:, :2], K, transition=[[0.9, 0.3], [0.1, 0.7]]),
            ValueError,
            "row 0 sums to 1.2, wanted 1.*transition.T",
        ),
        (
            lambda: O.forward_correction_loss(X[:, :2], K, transition=[[1.5, -0.5], [0.0, 1.0]]),
            ValueError,
            "transition holds values from -0.5 to 1.5",
        ),
        (
            lambda: O.forward_correction_loss(X[:, :2], K, transition=[[0.9, 0.1], [math.nan, 0.5]]),
            ValueError,
            "transition holds values",
        ),
        (lambda: O.forward_correction_loss(X, K, transition="eye"), TypeError, "transition is 'eye'"),  # type: ignore[arg-type]
    ],
)
def test_wrong_input(call: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        call()


def test_memory_of_soft_targets_is_that_of_the_logits() -> None:
    """Nothing of size N·C is kept per class for backward."""
    x = randn(generator(0), 8, 30).requires_grad_()
    y = torch.softmax(randn(generator(1), 8, 30), 1)
    kept: list[Tensor] = []

    def pack(tensor: Tensor) -> Tensor:
        kept.append(tensor)
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        O.forward_correction_loss(x, y, transition=torch.eye(30))
        O.seesaw_loss(x, y)
    large = {tensor.untyped_storage().data_ptr() for tensor in kept if tensor.numel() >= x.numel()}
    # A few of each loss, the table of transitions among them; one per class would be thirty and more.
    assert len(large) <= 10


@pytest.mark.parametrize("name", ["generalized_jsd_loss", "normalized_cross_entropy_loss", "active_passive_loss"])
def test_probabilities_with_masked_classes(name: str) -> None:
    loss = getattr(O, name)
    x = torch.tensor([[1.0, -math.inf, 0.0], [0.5, -math.inf, 2.0]], dtype=F64, requires_grad=True)
    y = torch.tensor([[0.5, 0.0, 0.5], [0.0, 0.0, 1.0]], dtype=F64)
    value = loss(x, y)
    (slope,) = torch.autograd.grad(value, x)
    # Beside a class of no probability the normalized part is 0, as it is with class indices.
    alone = {
        "generalized_jsd_loss": lambda: loss(x[:, ::2], y[:, ::2]),
        "normalized_cross_entropy_loss": lambda: torch.zeros_like(value),
        "active_passive_loss": lambda: loss(x, y, alpha=0.0),
    }
    torch.testing.assert_close(value, alone[name]())
    assert slope.isfinite().all()
