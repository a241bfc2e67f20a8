"""Losses of distributions: limiting cases, propriety by quadrature, tails, wrong input, predictions."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given, strategies as st
from torch import Tensor

from tests.cases.base import F64, generator, rand, randn, t64
from tests.references import distribution as ref
from torchobjectives import (
    BetaNLLLoss,
    CRPSGaussianLoss,
    EvidentialRegressionLoss,
    GammaNLLLoss,
    GaussianNLLLoss,
    HLGaussLoss,
    LaplaceNLLLoss,
    Loss,
    NegativeBinomialNLLLoss,
    PoissonNLLLoss,
    StudentTNLLLoss,
    TweedieLoss,
    from_config,
    functional as O,
)

Function = Callable[..., Tensor]
BINS = {"low": 0.0, "high": 1.0, "sigma": 0.1}


def with_slope(loss: Function, y_pred: Tensor, *rest: Any, **more: Any) -> tuple[Tensor, Tensor]:
    leaf = y_pred.clone().requires_grad_()
    value = loss(leaf, *rest, **more)
    (slope,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), slope


# Limiting cases and other libraries ------------------------------------------------------------------------------


@given(st.integers(0, 2**32))
def test_limiting_cases(seed: int) -> None:
    rng = generator(seed)
    p, t, log_p = randn(rng, 6, 2), randn(rng, 6), randn(rng, 6)
    y = torch.randint(9, (6,), generator=rng).to(F64)
    x = randn(rng, 6, 5)
    mean = p[:, 0]
    sharp = torch.stack((mean, torch.full_like(mean, -60.0)), -1)
    unit = torch.stack((mean, torch.zeros_like(mean)), -1)
    halved = torch.stack((mean, p[:, 1] / 2), -1)
    poisson = torch.stack((log_p, torch.full_like(log_p, -45.0)), -1)
    for a, b in (
        (O.beta_nll_loss(p, t, beta=0.0), O.gaussian_nll_loss(p, t)),
        (O.gaussian_nll_loss(unit, t), O.mse_loss(mean, t) / 2),
        (O.gaussian_nll_loss(p, t, full=True), O.gaussian_nll_loss(p, t) + math.log(2 * math.pi) / 2),
        (O.student_t_nll_loss(halved, t, df=1e14), O.gaussian_nll_loss(p, t, full=True)),
        (O.laplace_nll_loss(unit, t), O.l1_loss(mean, t) + math.log(2)),
        (O.crps_gaussian_loss(sharp, t), O.l1_loss(mean, t)),
        (O.negative_binomial_nll_loss(poisson, y), O.poisson_nll_loss(log_p, y)),
        (O.poisson_nll_loss(log_p, y, full=True), O.poisson_nll_loss(log_p, y) + torch.lgamma(y + 1).mean()),
        (O.hl_gauss_loss(x, t.sigmoid(), low=0, high=1, sigma=1e9), -torch.log_softmax(x, 1).mean()),
        (
            O.hl_gauss_loss(x, t.sigmoid(), low=0, high=1, sigma=1e-9),
            O.cross_entropy_loss(x, (5 * t.sigmoid()).long()),
        ),
    ):
        torch.testing.assert_close(a, b, rtol=1e-9, atol=1e-11)
    for power, limit in ((1 + 1e-9, O.poisson_nll_loss), (2 - 1e-9, O.gamma_nll_loss)):
        _, slope = with_slope(partial(O.tweedie_loss, power=power), log_p, y + 1)
        torch.testing.assert_close(slope, with_slope(limit, log_p, y + 1)[1], rtol=1e-7, atol=1e-9)
    # β = 1: the mean learns as under half the squared error.
    _, slope = with_slope(partial(O.beta_nll_loss, beta=1.0), p, t)
    torch.testing.assert_close(slope[:, 0], with_slope(O.mse_loss, mean, t)[1] / 2)


@pytest.mark.parametrize("reduction", ["mean", "sum", "none"])
def test_torch_parity(reduction: str) -> None:
    rng = generator(0)
    p, t, y = randn(rng, 50, 2), randn(rng, 50), torch.randint(9, (50,), generator=rng).to(F64)
    for full in (False, True):
        ours = with_slope(partial(O.gaussian_nll_loss, full=full, reduction=reduction), p, t)
        theirs = with_slope(
            lambda q: F.gaussian_nll_loss(q[:, 0], t, q[:, 1].exp(), full=full, reduction=reduction),  # noqa: B023
            p,
        )
        torch.testing.assert_close(ours, theirs)
    ours = with_slope(partial(O.poisson_nll_loss, reduction=reduction), p[:, 0], y)
    torch.testing.assert_close(ours, with_slope(partial(F.poisson_nll_loss, reduction=reduction), p[:, 0], y))


def test_the_densities_of_torch() -> None:
    rng = generator(1)
    p, t, y = randn(rng, 50, 2), randn(rng, 50), torch.randint(9, (50,), generator=rng).to(F64)
    first, second, none = p[:, 0], p[:, 1], {"reduction": "none"}
    d = torch.distributions
    negative_binomial = d.NegativeBinomial((-second).exp(), logits=first + second)
    for ours, density in (
        (O.laplace_nll_loss(p, t, **none), d.Laplace(first, second.exp()).log_prob(t)),
        (O.student_t_nll_loss(p, t, df=3.5, **none), d.StudentT(3.5, first, second.exp()).log_prob(t)),
        (
            O.negative_binomial_nll_loss(p, y, **none),
            negative_binomial.log_prob(y) + torch.lgamma(y + 1),
        ),
        # A gamma distribution of shape 1 is the exponential one.
        (O.gamma_nll_loss(first, y + 1, **none), d.Exponential((-first).exp()).log_prob(y + 1)),
    ):
        torch.testing.assert_close(ours, -density, rtol=1e-10, atol=1e-11)


# Propriety: the expected loss is least at the distribution that the parameters say -------------------------------

U = torch.arange(-30000, 30001, dtype=F64) / 5000
COUNTS = torch.arange(3000, dtype=F64)


def _line(log_density: Callable[[Tensor], Tensor], mean: float, scale: float) -> tuple[Tensor, Tensor]:
    """Nodes y = mean + scale·sinh(sinh u) (the mean among them) and weights for a density on the line."""
    y = mean + scale * torch.sinh(U.sinh().clamp(-60, 60))
    step = scale * torch.cosh(U.sinh().clamp(-60, 60)) * U.cosh() / 5000
    return y, log_density(y).exp() * step


def _normal(m: float, log_v: float) -> tuple[Tensor, Tensor]:
    return _line(lambda y: -((y - m) ** 2) / math.exp(log_v) / 2 - log_v / 2 - math.log(2 * math.pi) / 2, m, 1.0)


def _counts(m: float, a: float) -> tuple[Tensor, Tensor]:
    alpha, mean = math.exp(a), math.exp(m)
    rising = torch.log1p(alpha * COUNTS).cumsum(0) - torch.log1p(alpha * COUNTS)
    log = rising + COUNTS * m - (COUNTS + 1 / alpha) * math.log1p(alpha * mean) - torch.lgamma(COUNTS + 1)
    return COUNTS, log.exp()


def _t(m: float, s: float, df: float = 4.0) -> tuple[Tensor, Tensor]:
    constant = math.lgamma((df + 1) / 2) - math.lgamma(df / 2) - math.log(df * math.pi) / 2 - s
    return _line(lambda y: constant - (df + 1) / 2 * torch.log1p(((y - m) / math.exp(s)) ** 2 / df), m, 1.0)


PROPER: list[tuple[str, Function, Callable[..., tuple[Tensor, Tensor]]]] = [
    ("normal", O.gaussian_nll_loss, _normal),
    ("crps", O.crps_gaussian_loss, lambda m, s: _normal(m, 2 * s)),
    ("laplace", O.laplace_nll_loss, lambda m, s: _line(lambda y: -(y - m).abs() / math.exp(s) - s - math.log(2), m, 1)),
    ("t", O.student_t_nll_loss, _t),
    ("t, heavy", partial(O.student_t_nll_loss, df=1.5), partial(_t, df=1.5)),
    ("negative binomial", O.negative_binomial_nll_loss, _counts),
]


def _expected(loss: Function, nodes: tuple[Tensor, Tensor], parameters: Tensor) -> Tensor:
    y, mass = nodes
    return loss(parameters.expand(len(y), -1), y, weight=mass)


@pytest.mark.parametrize(("loss", "distribution"), [pytest.param(*row[1:], id=row[0]) for row in PROPER])
def test_proper(loss: Function, distribution: Callable[..., tuple[Tensor, Tensor]]) -> None:
    for truth in ((0.3, -0.4), (1.5, 0.6)):
        nodes = distribution(*truth)
        assert nodes[1].sum().item() == pytest.approx(1, abs=1e-6)
        at = t64(truth)
        least, slope = with_slope(partial(_expected, loss, nodes), at)
        # As a variable of y_pred, the expected loss at the truth is flat and lies below its surroundings.
        assert slope.abs().max() < 1e-6
        for step in 0.3 * randn(generator(3), 20, 2):
            assert _expected(loss, nodes, at + step) > least
        if loss is O.laplace_nll_loss:
            continue  # whose curvature is all in the kink
        curvature = torch.autograd.functional.hessian(partial(_expected, loss, nodes), at)
        assert torch.linalg.eigvalsh(curvature)[0] > 1e-3


@pytest.mark.parametrize(
    "loss", [O.poisson_nll_loss, O.gamma_nll_loss, O.tweedie_loss, partial(O.tweedie_loss, power=1.2)]
)
@given(st.integers(0, 2**32))
def test_the_mean_of_any_distribution(loss: Function, seed: int) -> None:
    rng = generator(seed)
    y, mass = 5 * rand(rng, 7) + 0.01, rand(rng, 7) + 0.01
    log_mean = ((y * mass).sum() / mass.sum()).log()
    _, slope = with_slope(lambda p: loss(p.expand(7), y, weight=mass), log_mean)
    assert abs(slope) < 1e-12 * max(1, y.max())
    for step in (-0.1, 0.1):
        assert loss((log_mean + step).expand(7), y, weight=mass) > loss(log_mean.expand(7), y, weight=mass)


def test_beta_nll_learns_the_truth_though_its_value_is_not_least_there() -> None:
    nodes, at = _normal(0.3, -0.4), t64([0.3, -0.4])
    value, slope = with_slope(partial(_expected, O.beta_nll_loss, nodes), at)
    assert slope.abs().max() < 1e-9
    assert _expected(O.beta_nll_loss, nodes, at - t64([0, 0.5])) < value
    assert BetaNLLLoss.spec.claims == ()


def test_evidential_is_proper_only_without_its_cost_of_evidence() -> None:
    raw = t64([0.3, 0.2, 0.5, -0.1])
    nu, excess, beta = torch.log1p(raw[1:].exp()).tolist()
    alpha = 1 + excess
    nodes = _t(0.3, math.log(beta * (1 + nu) / (nu * alpha)) / 2, df=2 * alpha)
    _, slope = with_slope(partial(_expected, partial(O.evidential_regression_loss, coefficient=0.0), nodes), raw)
    assert slope.abs().max() < 1e-6
    _, slope = with_slope(partial(_expected, O.evidential_regression_loss, nodes), raw)
    assert slope[1:].abs().max() > 1e-3
    assert EvidentialRegressionLoss.spec.claims == ("improper",)


def test_hl_gauss_is_least_at_the_masses_of_the_target() -> None:
    y = t64([0.03, 0.5, 0.98])
    edges = torch.linspace(0, 1, 11, dtype=F64)
    mass = torch.special.ndtr((edges - y[:, None]) / 0.1).diff()
    _, slope = with_slope(partial(O.hl_gauss_loss, **BINS), (mass / mass.sum(1, keepdim=True)).log(), y)
    assert slope.abs().max() < 1e-14


def test_crps_is_the_integral_of_the_squared_distance_of_distribution_functions() -> None:
    for m, s, y in ((0.3, -0.4, 1.0), (0.0, 1.0, -3.0), (2.0, 0.0, 2.0)):
        width = 12 * math.exp(s) + abs(y - m)
        sides = []
        for low, high, above in ((m - width, y, 0.0), (y, m + width, 1.0)):
            x = torch.linspace(low, high, 200001, dtype=F64)
            sides.append(torch.trapezoid((torch.special.ndtr((x - m) / math.exp(s)) - above).square(), x))
        assert O.crps_gaussian_loss(t64([[m, s]]), t64([y])).item() == pytest.approx(sum(sides).item(), rel=1e-8)


@pytest.mark.parametrize("loss", [O.poisson_nll_loss, O.gamma_nll_loss, O.tweedie_loss])
def test_convex(loss: Function) -> None:
    p, q, t = (randn(generator(seed), 400) for seed in (1, 2, 3))
    none = partial(loss, reduction="none")
    assert (none((p + q) / 2, t.exp()) <= (none(p, t.exp()) + none(q, t.exp())) / 2 + 1e-12).all()


def test_robust() -> None:
    for loss, bound in ((O.student_t_nll_loss, 4.0), (O.crps_gaussian_loss, 1.0)):
        for wild in (1e3, 1e9, -1e30):
            assert with_slope(loss, torch.zeros(1, 2), torch.tensor([wild]))[1].abs().max() <= bound
    x, q, y = randn(generator(1), 99, 5), randn(generator(2), 99, 5), rand(generator(3), 99)
    none = partial(O.hl_gauss_loss, **BINS, reduction="none")
    assert (none((x + q) / 2, y) <= (none(x, y) + none(q, y)) / 2 + 1e-12).all()
    assert with_slope(partial(O.hl_gauss_loss, **BINS), 1e4 * x, y)[1].abs().max() <= 1


# Tails -------------------------------------------------------------------------------------------------------------


def _agree(
    loss: Function, y_pred: list[list[float]], y_true: list[float], rtol: float = 3e-6, atol: float = 1e-12
) -> None:
    """float32 gives what float64 does, value and slope."""
    p, t = torch.tensor(y_pred), torch.tensor(y_true)
    for got, wanted in zip(with_slope(loss, p, t), with_slope(loss, p.double(), t.double()), strict=True):
        torch.testing.assert_close(got.double(), wanted, rtol=rtol, atol=atol)


@pytest.mark.parametrize("scale", [-30.0, -7.0, 0.0, 7.0, 30.0])
@pytest.mark.parametrize("distance", [0.0, 1e-3, 1.0, 1e4])
def test_float32_at_extreme_scales(scale: float, distance: float) -> None:
    none = {"reduction": "none"}
    for loss in (O.gaussian_nll_loss, O.laplace_nll_loss, O.student_t_nll_loss, O.crps_gaussian_loss):
        _agree(partial(loss, **none), [[0.0, scale]], [distance])
    _agree(partial(O.beta_nll_loss, beta=0.25, **none), [[0.0, scale]], [distance])
    for other in (-30.0, 0.0, 30.0):
        for alpha in (-30.0, 3.0, 30.0):
            _agree(partial(O.evidential_regression_loss, **none), [[0.0, scale, alpha, other]], [distance], 3e-5, 1e-6)


def test_evidential_far_beyond_what_is_promised() -> None:
    for raw in (-1e3, 1e3):
        value, slope = with_slope(O.evidential_regression_loss, torch.tensor([[0.0, raw, raw, raw]]), torch.ones(1))
        assert value.isfinite()
        assert slope.isfinite().all()


def test_gaussian_nll_at_its_largest() -> None:
    value, slope = with_slope(O.gaussian_nll_loss, torch.tensor([[0.0, -30.0]]), torch.tensor([1e4]))
    assert value.item() == pytest.approx(math.exp(30) * 1e8 / 2, rel=1e-6)
    assert slope.tolist()[0] == pytest.approx([-math.exp(30) * 1e4, -math.exp(30) * 1e8 / 2], rel=1e-6)


@pytest.mark.parametrize("df", [1e-3, 0.5, 4.0, 19.999, 20.001, 1e5, 1e12, 1e15])
@pytest.mark.parametrize("z", [0.0, 1e-4, 1.0, 30.0, 1e6, 1e18])
def test_student_t_far_out(df: float, z: float) -> None:
    wanted = ref.student_t_nll((0.0, 0.0), z, df)
    for dtype, rtol in ((F64, 1e-11), (torch.float32, 3e-6)):
        p, t = torch.zeros(1, 2, dtype=dtype), torch.tensor([z], dtype=dtype)
        value, slope = with_slope(partial(O.student_t_nll_loss, df=df), p, t)
        assert slope.isfinite().all()
        pull = (df + 1) / (df + z * z)
        torch.testing.assert_close(slope.double(), t64([[-pull * z, 1 - pull * z * z]]), rtol=rtol, atol=5e-6)
        assert value.item() == pytest.approx(wanted, rel=rtol)


@pytest.mark.parametrize("log_alpha", [-30.0, -12.0, -5.0, -2.31, -2.29, 0.0, 3.0, 30.0])
@pytest.mark.parametrize("log_mean", [-30.0, -2.0, 1.0, 5.0, 30.0])
@pytest.mark.parametrize("count", [0, 1, 4, 200])
def test_negative_binomial_everywhere(log_alpha: float, log_mean: float, count: int) -> None:
    for dtype, rtol in ((F64, 1e-12), (torch.float32, 2e-6)):
        p = torch.tensor([[log_mean, log_alpha]], dtype=dtype)
        value, slope = with_slope(O.negative_binomial_nll_loss, p, torch.tensor([count]))
        wanted = ref.negative_binomial_nll(p[0].tolist(), count)
        # The largest of the terms that the value is a sum of.
        size = max(abs(wanted), count * max(abs(log_mean), math.log1p(count), 1))
        assert value.item() == pytest.approx(wanted, rel=rtol, abs=rtol * size)
        m, a = p[0].double().tolist()
        odds = math.exp(m + a)
        assert slope[0, 0].item() == pytest.approx((math.exp(m) - count) / (1 + odds), rel=rtol, abs=rtol * count)


def test_negative_binomial_near_the_poisson_limit() -> None:
    """There the slope of the log-dispersion is −½α((y − μ)² − y): not noise, which Adam would take for a signal."""
    for log_alpha in (-12.0, -20.0, -30.0):
        p, y = torch.tensor([[1.0, log_alpha]]), torch.tensor([7.0])
        _, slope = with_slope(O.negative_binomial_nll_loss, p, y)
        wanted = -math.exp(log_alpha) * ((7 - math.e) ** 2 - 7) / 2
        assert slope[0, 1].item() == pytest.approx(wanted, rel=1e-3)
    # Fractions are legal: a mean of counts.
    half = O.negative_binomial_nll_loss(t64([[1.0, -40.0]]), t64([2.5]))
    assert half.item() == pytest.approx(math.e - 2.5)


def test_poisson_full_is_exact() -> None:
    y = t64([0, 1, 2, 3, 10])
    found = O.poisson_nll_loss(torch.zeros_like(y), y, full=True, reduction="none")
    assert found.tolist() == pytest.approx([1 + math.log(math.factorial(int(k))) for k in y.tolist()])


@pytest.mark.parametrize("sigma", [1e-12, 1e-3, 0.05, 1.0, 30.0, 1e6, 1e20])
@pytest.mark.parametrize("y", [0.1, 0.3, 0.35, 0.6999999, 0.7])
def test_hl_gauss_masses(sigma: float, y: float) -> None:
    """Finite everywhere, ends of the support that no float holds included; in float32 what float64 says."""
    loss = partial(O.hl_gauss_loss, low=0.1, high=0.7, sigma=sigma, reduction="none")
    x = randn(generator(0), 1, 6)
    value, slope = with_slope(loss, x, t64([y]))
    assert value.isfinite().all()
    assert slope.isfinite().all()
    torch.testing.assert_close(slope.sum(), t64(0.0), rtol=0, atol=1e-12)
    # Halfway between the bins float32 may see y on the other side of a border.
    if sigma > 1e-3 or y in (0.35, 0.1):
        found, _ = with_slope(loss, x.float(), torch.tensor([y]))
        torch.testing.assert_close(found.double(), value, rtol=2e-5, atol=1e-6)


def test_hl_gauss_tails_keep_their_digits() -> None:
    """What is 20 σ away has the mass that erfc says, where a difference of erf is 0."""
    y_pred = torch.zeros(1, 11, dtype=F64)
    _, slope = with_slope(partial(O.hl_gauss_loss, low=0, high=1.1, sigma=0.05), y_pred.float(), torch.tensor([0.05]))
    probability = 1 / 11
    masses = (probability - slope.double())[0]
    wanted = [math.erfc((0.1 * j - 0.05) / 0.05 / math.sqrt(2)) / 2 for j in range(12)]
    total = wanted[0] - wanted[-1]
    assert masses[1].item() == pytest.approx((wanted[1] - wanted[2]) / total, rel=1e-5)
    from torchobjectives.losses._histogram import masses_of

    far = masses_of(torch.tensor([0.05]), 11, 0.0, 1.1, 0.05)[0] / 2
    for j in (3, 5):
        assert far[j].item() == pytest.approx(wanted[j] - wanted[j + 1], rel=1e-4)
    mirrored = masses_of(torch.tensor([1.05]), 11, 0.0, 1.1, 0.05)[0].flip(0) / 2
    torch.testing.assert_close(mirrored, far, rtol=1e-3, atol=1e-38)


def test_hl_gauss_where_values_cannot_be_read() -> None:
    loss = partial(O.hl_gauss_loss, **BINS)
    x = randn(generator(0), 3, 4)
    outside = torch.vmap(lambda p, t: loss(p[None], t[None]))(x, t64([-1e3, 0.5, 1e3]))
    border = torch.vmap(lambda p, t: loss(p[None], t[None]))(x, t64([0.0, 0.5, 1.0]))
    torch.testing.assert_close(outside, border)


# Wrong input -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: O.gaussian_nll_loss(torch.zeros(4, 3), torch.zeros(4)), r"wanted y_pred \(4, 2\).*mean, log-variance"),
        (lambda: O.gaussian_nll_loss(torch.zeros(2, 4), torch.zeros(4)), r"y_pred.movedim\(0, -1\)"),
        (lambda: O.crps_gaussian_loss(torch.zeros(4, 2), torch.zeros(4, 1)), r"y_true.squeeze\(1\)"),
        (lambda: O.gaussian_nll_loss(torch.zeros(4, 1, 2), torch.zeros(4)), r"y_pred.squeeze\(1\)"),
        (lambda: O.student_t_nll_loss(torch.zeros(4), torch.zeros(4)), r"\(4, 2\).*mean, log-scale"),
        (lambda: O.student_t_nll_loss(torch.zeros(4, 2), torch.zeros(4), df=0.0), "df is 0.0"),
        (lambda: O.evidential_regression_loss(torch.zeros(4, 2), torch.zeros(4)), "gamma, nu, alpha, beta"),
        (lambda: O.evidential_regression_loss(torch.zeros(4, 4), torch.zeros(4), coefficient=-1.0), "coefficient"),
        (lambda: O.beta_nll_loss(torch.zeros(4, 2), torch.zeros(4), beta=1.5), "beta is 1.5"),
        (lambda: O.poisson_nll_loss(torch.zeros(2), torch.tensor([1, -1])), "y_true holds values from -1 to 1"),
        (lambda: O.negative_binomial_nll_loss(torch.zeros(1, 2), torch.tensor([-1])), "numbers >= 0"),
        (lambda: O.gamma_nll_loss(torch.zeros(2), torch.tensor([1.0, 0.0])), "numbers > 0"),
        (lambda: O.tweedie_loss(torch.zeros(1), torch.tensor([-0.1])), "numbers >= 0"),
        (lambda: TweedieLoss(power=1.0), r"power is 1.0, wanted a number in \(1, 2\)"),
        (lambda: TweedieLoss(power=2.0), r"power is 2.0, wanted a number in \(1, 2\)"),
        (lambda: O.hl_gauss_loss(torch.zeros(2, 4), torch.tensor([0.5, 1.1]), **BINS), r"1.1.*numbers in \[0, 1\]"),
        (lambda: O.hl_gauss_loss(torch.zeros(2, 4), torch.tensor([-1e-6, 0.5]), **BINS), r"numbers in \[0, 1\]"),
        (lambda: O.hl_gauss_loss(torch.zeros(2, 4), torch.zeros(2, 1), **BINS), r"y_true.squeeze\(1\)"),
        (lambda: O.hl_gauss_loss(torch.zeros(2, 3, 4), torch.zeros(2, 3), **BINS), r"y_pred.movedim\(-1, 1\)"),
        (lambda: O.hl_gauss_loss(torch.zeros(1, 4), torch.tensor([1.1]), **BINS), "Clamp.*mask, or widen low and high"),
        (lambda: O.hl_gauss_loss(torch.zeros(2), torch.zeros(2), **BINS), "bins at dim 1"),
        (lambda: HLGaussLoss(low=1.0, high=1.0, sigma=0.1), "low < high"),
        (lambda: HLGaussLoss(low=0.0, high=1.0, sigma=0.0), "sigma is 0.0"),
        (lambda: HLGaussLoss(low=0.0, high=math.inf, sigma=0.1), "high is inf"),
        (lambda: HLGaussLoss(low=math.nan, high=1.0, sigma=0.1), "low is nan"),
    ],
)
def test_wrong_input(call: Callable[[], object], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        call()


def test_wrong_types() -> None:
    with pytest.raises(TypeError, match="needs low, high, sigma"):
        HLGaussLoss()  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="full is 1"):
        GaussianNLLLoss(full=1)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="floating-point prediction"):
        O.poisson_nll_loss(torch.tensor([1]), torch.tensor([1.0]))


# Predictions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("loss", "raw", "wanted"),
    [
        (GaussianNLLLoss(), (1, math.log(9)), (1, 3)),
        (BetaNLLLoss(), (1, math.log(9)), (1, 3)),
        (LaplaceNLLLoss(), (-2, math.log(3)), (-2, math.sqrt(18))),
        (StudentTNLLLoss(), (1, math.log(3)), (1, 3 * math.sqrt(2))),
        (StudentTNLLLoss(df=2.0), (1, 0), (1, math.inf)),
        (StudentTNLLLoss(df=1e9), (1, math.log(3)), (1, 3)),
        (NegativeBinomialNLLLoss(), (math.log(4), math.log(0.5)), (4, math.sqrt(12))),
        (NegativeBinomialNLLLoss(), (math.log(4), -40), (4, 2)),
        (CRPSGaussianLoss(), (1, math.log(3)), (1, 3)),
        (EvidentialRegressionLoss(), (5, *[math.log(math.e - 1)] * 3), (5, math.sqrt(2))),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Loss) else None,
)
def test_mean_and_standard_deviation(loss: Loss, raw: tuple[float, ...], wanted: tuple[float, float]) -> None:
    assert loss.num_outputs() == len(raw) == len(type(loss).spec.parameters)
    found = loss.predict(t64([[raw, raw]]))
    assert found.shape == (1, 2, 2)
    assert found[0, 1].tolist() == pytest.approx(wanted)
    with pytest.raises(ValueError, match=r"wanted \(..., [24]\)"):
        loss.predict(torch.zeros(3, 3))


def test_evidential_predictions_at_extremes() -> None:
    for dtype in (torch.float16, torch.bfloat16, torch.float32):
        for numbers in ((-30, 3, 3), (3, -10, 3), (3, 3, -30), (30, 30, 30)):
            found = EvidentialRegressionLoss().predict(torch.tensor([[0, *numbers]], dtype=dtype))
            exact = EvidentialRegressionLoss().predict(t64([[0, *numbers]]))
            assert found.dtype is dtype
            # Outside, float16 has neither the number nor all of its digits.
            if 1e-4 < exact[0, 1] < 6e4:
                torch.testing.assert_close(found.double(), exact, rtol=0.3 if dtype is torch.bfloat16 else 0.02, atol=0)


def test_means_of_log_means() -> None:
    for loss in (PoissonNLLLoss(), GammaNLLLoss(), TweedieLoss()):
        assert loss.num_outputs() == 1
        assert loss.predict(t64([[0.0, math.log(3)]])).tolist() == [pytest.approx([1, 3])]


def test_histograms() -> None:
    loss = HLGaussLoss(low=-1.0, high=3.0, sigma=0.1)
    assert loss.num_outputs() == 30
    assert HLGaussLoss(low=0.0, high=1.0, sigma=5.0).num_outputs() == 2
    certain = torch.full((2, 4), -50.0).scatter(1, torch.tensor([[1], [3]]), 50.0)
    torch.testing.assert_close(loss.predict(certain), torch.tensor([0.5, 2.5]))
    torch.testing.assert_close(loss.predict(torch.zeros(2, 30)), torch.ones(2))
    assert loss.predict(torch.zeros(2, 30, 5, 6)).shape == (2, 5, 6)
    assert loss.predict(torch.zeros(2, 30).half()).dtype is torch.float16
    # Trained on one value, it predicts that value.
    y = t64([1.234])
    x = torch.zeros(1, 30, dtype=F64)
    for _ in range(300):
        x = x - 3 * with_slope(loss, x, y)[1]
    assert loss.predict(x).item() == pytest.approx(1.234, abs=0.02)
    again = from_config(loss.to_config())
    assert repr(again) == repr(loss) == "HLGaussLoss(low=-1.0, high=3.0, sigma=0.1)"
