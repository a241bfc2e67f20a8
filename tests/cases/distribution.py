"""Losses of distribution: cases and reference values."""

from __future__ import annotations

import math

import torch
from torch import Generator, Tensor

from tests.cases.base import Case, Golden, Sample, Variant, case, rand, randn, t64
from tests.references import distribution as ref

SIZE = (30.0,)


def parameters(count: int, *shape: int) -> Sample:
    return lambda rng, n: (randn(rng, n, *shape, count), randn(rng, n, *shape))


def counts(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return randn(rng, n, 2), torch.randint(8, (n, 2), generator=rng)


def amounts(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    return randn(rng, n, 2), 3 * rand(rng, n, 2).clamp(min=0.1)


def amounts_with_zeros(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
    y_pred, y_true = amounts(rng, n)
    return y_pred, torch.where(y_true > 1, y_true, 0.0)


def dispersed_counts(log_dispersion: float, spread: float = 1.0) -> Sample:
    def sample(rng: Generator, n: int) -> tuple[Tensor, Tensor]:
        log_alpha = log_dispersion + spread * randn(rng, n, 2)
        return torch.stack((1 + randn(rng, n, 2), log_alpha), -1), torch.randint(12, (n, 2), generator=rng)

    return sample


def histograms(low: float, high: float, *shape: int) -> Sample:
    return lambda rng, n: (randn(rng, n, 5, *shape), low + (high - low) * rand(rng, n, *shape))


CASES: tuple[Case, ...] = (
    case(
        "gaussian_nll_loss",
        ref.gaussian_nll,
        Variant(parameters(2, 2)),
        Variant(parameters(2), {"full": True}),
        unit_axis=-1,
        extremes=SIZE,
    ),
    case(
        "beta_nll_loss",
        ref.beta_nll,
        Variant(parameters(2, 2)),
        Variant(parameters(2), {"beta": 1.0}),
        Variant(parameters(2), {"beta": 0.0}, keeps=("gradcheck", "gradgradcheck")),
        unit_axis=-1,
        extremes=SIZE,
    ),
    case("laplace_nll_loss", ref.laplace_nll, Variant(parameters(2, 2)), unit_axis=-1, extremes=SIZE),
    case(
        "student_t_nll_loss",
        ref.student_t_nll,
        Variant(parameters(2, 2)),
        *(Variant(parameters(2), {"df": df}) for df in (0.3, 1.0, 19.9, 20.1, 1e9)),
        unit_axis=-1,
        extremes=SIZE,
    ),
    case("poisson_nll_loss", ref.poisson_nll, Variant(counts), Variant(amounts, {"full": True}), extremes=SIZE),
    case(
        "negative_binomial_nll_loss",
        ref.negative_binomial_nll,
        Variant(dispersed_counts(0.0)),
        # Either side of α = 0.1, where one formula takes over from another, and both limits.
        *(Variant(dispersed_counts(a, 0.3)) for a in (-2.3, -7.0, -20.0, 4.0)),
        unit_axis=-1,
        extremes=SIZE,
    ),
    case("gamma_nll_loss", ref.gamma_nll, Variant(amounts), extremes=SIZE),
    case(
        "tweedie_loss",
        ref.tweedie,
        Variant(amounts_with_zeros),
        Variant(counts, {"power": 1.1}),
        Variant(amounts, {"power": 1.9}),
        extremes=SIZE,
    ),
    case("crps_gaussian_loss", ref.crps_gaussian, Variant(parameters(2, 2)), unit_axis=-1, extremes=SIZE),
    case(
        "evidential_regression_loss",
        ref.evidential_regression,
        Variant(parameters(4, 2)),
        Variant(parameters(4), {"coefficient": 0.0}),
        Variant(lambda rng, n: (5 * randn(rng, n, 4), randn(rng, n)), {"coefficient": 1.0}),
        unit_axis=-1,
        extremes=SIZE,
    ),
    case(
        "hl_gauss_loss",
        ref.hl_gauss,
        Variant(histograms(-2, 2), {"low": -2.0, "high": 2.0, "sigma": 0.6}),
        Variant(histograms(0, 1, 2), {"low": 0, "high": 1, "sigma": 0.05}),
        Variant(histograms(-1, 3), {"low": -1.0, "high": 3.0, "sigma": 40.0}),
        unit_axis=1,
    ),
)

# The input R with the log-variances of v = 1, ½, 2, ¼ as a second parameter.
LOG_V = t64([1, 0.5, 2, 0.25]).log()
MEAN, TARGET = t64([0.5, -1, 2, 0]), t64([0, 1, 2.5, 0])
BY_VARIANCE = torch.stack((MEAN, LOG_V), -1), TARGET
BY_STD = torch.stack((MEAN, LOG_V / 2), -1), TARGET
COUNTS = MEAN, torch.tensor([1, 0, 3, 2])
# softplus gives 1 here.
ONE = math.log(math.e - 1)
BINS = {"low": 0.0, "high": 1.0, "sigma": 0.1}


def one(*numbers: float, y: float) -> tuple[Tensor, Tensor]:
    return t64([numbers]), t64([y])


GOLDEN: tuple[Golden, ...] = (
    ("gaussian_nll_loss", BY_VARIANCE, {}, 0.8735882049),
    ("gaussian_nll_loss", BY_VARIANCE, {"full": True}, 1.792526738),
    ("gaussian_nll_loss", one(1, 0, y=3), {}, 2.0),
    ("beta_nll_loss", BY_VARIANCE, {}, 0.7350766045),
    ("beta_nll_loss", BY_VARIANCE, {"beta": 0.0}, 0.8735882049),
    ("beta_nll_loss", one(0, math.log(4), y=2), {"beta": 1.0}, 2 * math.log(4) + 2),
    ("laplace_nll_loss", BY_VARIANCE, {}, 1.53407359),
    ("laplace_nll_loss", one(0, 0, y=0), {}, math.log(2)),
    ("laplace_nll_loss", one(1, math.log(2), y=-3), {}, math.log(4) + 2),
    ("student_t_nll_loss", one(0, 0, y=0), {"df": 1.0}, math.log(math.pi)),
    ("student_t_nll_loss", one(0, math.log(2), y=2), {"df": 1.0}, math.log(4 * math.pi)),
    # Four degrees of freedom have the density 3/8 at 0, two of them 1/√8.
    ("student_t_nll_loss", one(0, 0, y=0), {}, math.log(8 / 3)),
    ("student_t_nll_loss", one(0, 0, y=0), {"df": 2.0}, math.log(8) / 2),
    ("student_t_nll_loss", one(0, 0, y=1), {"df": 1e15}, (math.log(2 * math.pi) + 1) / 2),
    ("poisson_nll_loss", COUNTS, {}, 0.9764142027),
    ("poisson_nll_loss", COUNTS, {"full": True}, 1.597640865),
    ("poisson_nll_loss", (t64([0]), t64([2])), {"full": True}, 1 + math.log(2)),
    # μ = α = 1 is the geometric distribution with p = ½: P(0) = ½, P(1) = ¼, 3! P(3) = 6/16.
    ("negative_binomial_nll_loss", one(0, 0, y=0), {}, math.log(2)),
    ("negative_binomial_nll_loss", one(0, 0, y=1), {}, math.log(4)),
    ("negative_binomial_nll_loss", one(0, 0, y=3), {}, math.log(16 / 6)),
    ("negative_binomial_nll_loss", one(1, -40, y=3), {}, math.e - 3),
    ("gamma_nll_loss", (t64([0, 0]), t64([1, 2])), {}, 1.5),
    ("gamma_nll_loss", (t64([math.log(3)]), t64([3])), {}, 1 + math.log(3)),
    ("gamma_nll_loss", (t64([-1]), t64([2])), {}, 2 * math.e - 1),
    ("tweedie_loss", COUNTS, {}, 4.745638506),
    ("tweedie_loss", (t64([0]), t64([0])), {}, 2.0),
    ("tweedie_loss", (t64([math.log(4)]), t64([3])), {}, 2 * 3 / 2 + 2 * 2),
    ("crps_gaussian_loss", BY_STD, {}, 0.6126448815),
    ("crps_gaussian_loss", one(0, 0, y=0), {}, (math.sqrt(2) - 1) / math.sqrt(math.pi)),
    ("crps_gaussian_loss", one(0, -40, y=3), {}, 3.0),
    # ν = β = 1, α = 2 and Ω = 4: Γ(2)/Γ(5/2) = 4/(3√π).
    ("evidential_regression_loss", one(0, ONE, ONE, ONE, y=0), {}, math.log(8 / 3)),
    ("evidential_regression_loss", one(0, ONE, ONE, ONE, y=2), {}, math.log(8 / 3) + 2.5 * math.log(2) + 0.08),
    (
        "evidential_regression_loss",
        one(1, ONE, ONE, ONE, y=-1),
        {"coefficient": 0.5},
        math.log(8 / 3) + 2.5 * math.log(2) + 4,
    ),
    ("hl_gauss_loss", (t64([[0, 0, 0]]), t64([0.2])), BINS, math.log(3)),
    # All of a narrow target lies in one bin; on a border half of it in either.
    ("hl_gauss_loss", (t64([[0, math.log(3)]]), t64([0.3])), BINS | {"sigma": 1e-9}, math.log(4)),
    ("hl_gauss_loss", (t64([[0, math.log(3)]]), t64([0.5])), BINS | {"sigma": 1e-9}, math.log(4) - math.log(3) / 2),
    # A target far wider than the support is uniform.
    ("hl_gauss_loss", (t64([[0, math.log(3)]]), t64([1.0])), BINS | {"sigma": 1e15}, math.log(4) - math.log(3) / 2),
)
