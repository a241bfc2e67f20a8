r"""Losses for the parameters of a distribution, or for its mean on a logarithmic scale.

Where y_pred is (…, k), its last axis holds k parameters of one target each: a unit is one element of y_true.
"""

from __future__ import annotations

import math
from typing import final

import torch
import torch.nn.functional as F
from torch import Tensor

from torchobjectives import _validate
from torchobjectives._link import (
    EVIDENTIAL,
    HISTOGRAM,
    LAPLACE,
    LOG,
    NEGATIVE_BINOMIAL,
    NON_NEGATIVE,
    NORMAL,
    NORMAL_BY_VARIANCE,
    POSITIVE,
    STUDENT_T,
    check_support,
    class_axis,
    log_softplus,
    softplus,
)
from torchobjectives._loss import Loss
from torchobjectives._reduction import (
    Reduction,
    full_precision,
    prepare,
    prepare_parameters,
    reduce,
)
from torchobjectives._spec import Spec
from torchobjectives.losses._gamma import SMALL, log1p_deficit, log_gamma_half_step, log_gamma_half_steps, log_rising
from torchobjectives.losses._histogram import masses_of, prepare_histogram

LOG_2PI = math.log(2 * math.pi)
STOPPED = "the factor v^β is a constant to the gradient, by definition"

_MEAN_LOG_VARIANCE = ("mean", "log-variance")
_MEAN_LOG_SCALE = ("mean", "log-scale")


@full_precision
def gaussian_nll_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    full: bool = False,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Negative log-likelihood of a normal distribution whose mean and log-variance are both predicted.

    .. math:: \ell = \tfrac{1}{2}\left(s + e^{-s}(y - \mu)^2\right) \ \left[+ \tfrac{1}{2}\log 2\pi\right]

    with the log-variance s. One value per element of y_true, in nats; it falls below 0 where the density is above 1.

    Args:
        y_pred: mean and log-variance, (…, 2).
        y_true: real numbers, (…).
        full: add the constant ½ log 2π.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: y_pred is not (…, 2) over y_true's shape, or a weight is negative.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import gaussian_nll_loss
    >>> y_pred = torch.tensor([[0.0, 0.0], [1.0, 2.0]])
    >>> gaussian_nll_loss(y_pred, torch.tensor([1.0, 1.0]))
    tensor(0.7500)

    Source: Nix and Weigend, Estimating the Mean and Variance of the Target Probability Distribution (1994).

    Elsewhere: torch's ``gaussian_nll_loss(mean, y_true, var)`` gives the same number for var = e^s ≥ 1e-6; below, it
    takes 1e-6 for the variance in the value and passes the slope on, and it waits for the device to look for a negative
    one.
    """
    _validate.flag(full=full)
    (mean, log_variance), y_true, w = prepare_parameters(y_pred, y_true, weight, mask, names=_MEAN_LOG_VARIANCE)
    values = _gaussian_nll(mean, log_variance, y_true)
    return reduce(values + LOG_2PI / 2 if full else values, w, reduction)


def _gaussian_nll(mean: Tensor, log_variance: Tensor, y_true: Tensor) -> Tensor:
    return (log_variance + ((y_true - mean) * torch.exp(-log_variance / 2)).square()) / 2


@final
class GaussianNLLLoss(Loss):
    """Class form of :func:`gaussian_nll_loss`."""

    function = staticmethod(gaussian_nll_loss)
    spec = Spec(
        task="regression",
        y_pred="parameters",
        y_true="real",
        link=NORMAL_BY_VARIANCE,
        parameters=_MEAN_LOG_VARIANCE,
        claims=("proper",),
        use="Regression whose noise differs from place to place: the network says how far off it may be.",
        avoid="Means that stay bad where the variance grew early: beta_nll_loss; wild targets: student_t_nll_loss.",
        paper="Nix and Weigend 1994, doi:10.1109/ICNN.1994.374138",
        cites=("nix1994estimating",),
    )

    full: bool = False


@full_precision
def beta_nll_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    beta: float = 0.5,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Gaussian negative log-likelihood, each unit weighed by its variance to the power β, as a constant.

    .. math:: \ell = \lfloor e^{\beta s}\rfloor\,\tfrac{1}{2}\left(s + e^{-s}(y - \mu)^2\right), \qquad s = \log\sigma^2

    with no gradient through the bracket: β = 0 is :func:`gaussian_nll_loss`, at β = 1 the mean learns as under the
    squared error. The expected gradient is 0 at the true mean and variance, which is what training finds; the value
    alone is not least there. One value per element of y_true; its unit is that of y_true to the power 2β.

    Args:
        y_pred: mean and log-variance, (…, 2).
        y_true: real numbers, (…).
        beta: the power, in [0, 1].
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: y_pred is not (…, 2) over y_true's shape, a weight is negative, or ``beta`` is not in [0, 1].
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import beta_nll_loss
    >>> y_pred = torch.tensor([[0.0, 0.0], [1.0, 2.0]])
    >>> beta_nll_loss(y_pred, torch.tensor([1.0, 1.0]))
    tensor(1.6091)

    Source: Seitzer et al., On the Pitfalls of Heteroscedastic Uncertainty Estimation with Probabilistic Neural
    Networks (2022), section 4; the constant ½ log 2π is left out.

    Elsewhere: none of the usual libraries has it; the authors' code takes the variance itself instead of its logarithm.
    """
    _validate.fraction(beta=beta)
    (mean, log_variance), y_true, w = prepare_parameters(y_pred, y_true, weight, mask, names=_MEAN_LOG_VARIANCE)
    factor = torch.exp(beta * log_variance.detach())
    return reduce(factor * _gaussian_nll(mean, log_variance, y_true), w, reduction)


@final
class BetaNLLLoss(Loss):
    """Class form of :func:`beta_nll_loss`."""

    function = staticmethod(beta_nll_loss)
    spec = Spec(
        task="regression",
        y_pred="parameters",
        y_true="real",
        link=NORMAL_BY_VARIANCE,
        parameters=_MEAN_LOG_VARIANCE,
        exemptions={"gradcheck": STOPPED, "gradgradcheck": STOPPED},
        use="Mean and variance together, where plain likelihood gives up on units that are hard to fit.",
        avoid="Comparing models: its value is no score; measure with gaussian_nll_loss or crps_gaussian_loss.",
        paper="Seitzer et al. 2022, arXiv:2203.09168, section 4",
        cites=("seitzer2022pitfalls",),
    )

    beta: float = 0.5


@full_precision
def laplace_nll_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Negative log-likelihood of a Laplace distribution: the absolute error with a predicted scale.

    .. math:: \ell = \log 2 + s + e^{-s}|y - \mu|, \qquad s = \log b

    One value per element of y_true, in nats. The mean learns the median; ``predict`` gives the standard deviation √2·b.

    Args:
        y_pred: mean and log-scale, (…, 2).
        y_true: real numbers, (…).
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: y_pred is not (…, 2) over y_true's shape, or a weight is negative.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import laplace_nll_loss
    >>> y_pred = torch.tensor([[0.0, 0.0], [1.0, 2.0]])
    >>> laplace_nll_loss(y_pred, torch.tensor([1.0, 1.0]))
    tensor(2.1931)

    Source: Laplace, Mémoire sur la probabilité des causes (1774), his first law of errors.

    Elsewhere: ``-torch.distributions.Laplace(mean, b).log_prob(y_true)`` is the same number.
    """
    (mean, log_scale), y_true, w = prepare_parameters(y_pred, y_true, weight, mask, names=_MEAN_LOG_SCALE)
    values = math.log(2) + log_scale + (y_true - mean).abs() * torch.exp(-log_scale)
    return reduce(values, w, reduction)


@final
class LaplaceNLLLoss(Loss):
    """Class form of :func:`laplace_nll_loss`."""

    function = staticmethod(laplace_nll_loss)
    spec = Spec(
        task="regression",
        y_pred="parameters",
        y_true="real",
        link=LAPLACE,
        parameters=_MEAN_LOG_SCALE,
        claims=("proper",),
        use="Predicted noise with heavier tails than the normal's, around the median.",
        avoid="Targets so wild that they should hardly move the scale: student_t_nll_loss.",
        paper="Laplace 1774",
        cites=("laplace1774memoire",),
    )


@full_precision
def student_t_nll_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    df: float = 4.0,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Negative log-likelihood of Student's t distribution: noise with a predicted scale and heavy tails.

    .. math::
        \ell = s + \log\frac{\Gamma(\nu/2)\sqrt{\nu\pi}}{\Gamma((\nu+1)/2)}
        + \frac{\nu+1}{2}\log\left(1 + \frac{z^2}{\nu}\right), \qquad z = e^{-s}(y - \mu)

    with the log-scale s. One value per element of y_true, in nats, with all constants. ``predict`` gives the location
    and the standard deviation, which is infinite for df ≤ 2 (for df ≤ 1 the location is no mean: there is none).

    Args:
        y_pred: location and log-scale, (…, 2).
        y_true: real numbers, (…).
        df: the degrees of freedom ν > 0; 1 is Cauchy's distribution, very many are the normal one.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: y_pred is not (…, 2) over y_true's shape, a weight is negative, or ``df`` ≤ 0.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import student_t_nll_loss
    >>> y_pred = torch.tensor([[0.0, 0.0], [1.0, 2.0]])
    >>> student_t_nll_loss(y_pred, torch.tensor([1.0, 1.0]))
    tensor(2.2598)

    Source: Lange, Little and Taylor, Robust Statistical Modeling Using the t Distribution (1989).

    Elsewhere: ``-torch.distributions.StudentT(df, mean, scale).log_prob(y_true)`` is the same number, but
    its constant is a difference of large numbers: in float32 it is off by 0.08 at df = 1e6. neuralforecast learns df.
    """
    _validate.positive(df=df)
    (mean, log_scale), y_true, w = prepare_parameters(y_pred, y_true, weight, mask, names=_MEAN_LOG_SCALE)
    t = (y_true - mean) * (torch.exp(-log_scale) / math.sqrt(df))
    # Beyond 1e10, where t² would soon overflow, log(1 + t²) is log 1e20 + 2 log(|t|/1e10) to the last digit.
    log = torch.log1p(t.clamp(-1e10, 1e10).square()) + 2 * torch.log((t.abs() / 1e10).clamp(min=1.0))
    constant = math.log(df * math.pi) / 2 - log_gamma_half_step(df / 2)
    return reduce(constant + log_scale + (df + 1) / 2 * log, w, reduction)


@final
class StudentTNLLLoss(Loss):
    """Class form of :func:`student_t_nll_loss`."""

    function = staticmethod(student_t_nll_loss)
    spec = Spec(
        task="regression",
        y_pred="parameters",
        y_true="real",
        link=STUDENT_T,
        parameters=_MEAN_LOG_SCALE,
        claims=("proper", "robust"),
        use="Predicted noise beside wild targets: one of them moves location and scale only so far.",
        avoid="Noise known to be normal: gaussian_nll_loss learns more from the same data.",
        paper="Lange, Little and Taylor 1989, doi:10.1080/01621459.1989.10478852",
        cites=("lange1989robust",),
    )

    df: float = 4.0


@full_precision
def poisson_nll_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    full: bool = False,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Negative log-likelihood of a Poisson distribution whose log-rate is predicted.

    .. math:: \ell = e^{p} - y\,p \ \left[+ \log\Gamma(y + 1)\right]

    One value per element, in nats. The slope is e^p − y: the mean is learnt even where the counts are not Poisson.

    Args:
        y_pred: log-rates, any shape.
        y_true: counts ≥ 0 (fractions are legal), the same shape.
        full: add the term of y alone.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, a weight or a count is negative.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import poisson_nll_loss
    >>> y_pred, y_true = torch.tensor([0.0, 1.0, -1.0]), torch.tensor([1, 3, 0])
    >>> poisson_nll_loss(y_pred, y_true), poisson_nll_loss(y_pred, y_true, full=True)
    (tensor(0.3621), tensor(0.9593))

    Source: Nelder and Wedderburn, Generalized Linear Models (1972).

    Elsewhere: torch's ``poisson_nll_loss`` gives the same number; with ``full=True`` it takes Stirling's formula, and
    only for counts above 1 (at y = 2 and a log-rate of 0, 1.6518 for 1.6931). scikit-learn's ``HalfPoissonLoss`` is
    this; keras' ``poisson`` takes rates and adds an epsilon.
    """
    _validate.flag(full=full)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask, true=NON_NEGATIVE)
    values = torch.exp(y_pred) - y_true * y_pred
    return reduce(values + torch.lgamma(y_true + 1) if full else values, w, reduction)


@final
class PoissonNLLLoss(Loss):
    """Class form of :func:`poisson_nll_loss`."""

    function = staticmethod(poisson_nll_loss)
    spec = Spec(
        task="regression",
        y_pred="log_mean",
        y_true="real",
        link=LOG,
        true_domain=NON_NEGATIVE,
        claims=("proper", "convex"),
        use="Counts, and any mean that must be positive: relative changes are what the network adds up.",
        avoid="Counts that scatter more than their mean, where the spread matters: negative_binomial_nll_loss.",
        paper="Nelder and Wedderburn 1972, doi:10.2307/2344614",
        cites=("nelder1972generalized",),
    )

    full: bool = False


@full_precision
def negative_binomial_nll_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Negative log-likelihood of a negative binomial: counts with more scatter than Poisson has.

    .. math:: \ell = (y + r)\log(1 + \alpha\mu) - y\log(\alpha\mu) - \log\frac{\Gamma(y + r)}{\Gamma(r)}

    with the mean μ and the dispersion α = 1/r, each e to the power of its parameter: the variance is μ + αμ². Exact
    down to the Poisson limit α → 0, which is :func:`poisson_nll_loss`. One value per element of y_true, in nats; the
    term log Γ(y + 1) of y alone is left out.

    Args:
        y_pred: log-mean and log-dispersion, (…, 2).
        y_true: counts ≥ 0, (…).
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: y_pred is not (…, 2) over y_true's shape, a weight or a count is negative.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import negative_binomial_nll_loss
    >>> y_pred = torch.tensor([[0.0, 0.0], [0.0, -30.0]])
    >>> negative_binomial_nll_loss(y_pred, torch.tensor([1, 1]), reduction="none")
    tensor([1.3863, 1.0000])

    Source: Salinas et al., DeepAR (2020), section 3.1, which has the same mean and dispersion from a softplus;
    Lawless, Negative Binomial and Mixed Poisson Regression (1987).

    Elsewhere: ``-torch.distributions.NegativeBinomial(1/α, logits=log αμ).log_prob(y_true)`` is this plus
    log Γ(y + 1), but a difference of large numbers: in float32 it is off by 0.6 at α = 1e-6. neuralforecast takes a
    softplus of both and adds 1e-8.
    """
    names = ("log-mean", "log-dispersion")
    (log_mean, log_alpha), y_true, w = prepare_parameters(y_pred, y_true, weight, mask, names=names, true=NON_NEGATIVE)
    log_odds = log_mean + log_alpha
    both = softplus(log_odds)
    # r log(1 + αμ); where αμ is small, as μ(1 − αμ/2 + …), which is the Poisson distribution's μ in the limit.
    rare = log_odds < math.log(SMALL)
    deficit = log1p_deficit(torch.exp(log_odds.clamp(max=math.log(SMALL))))
    zero = torch.where(rare, torch.exp(log_mean) * (1 - deficit), torch.exp(torch.where(rare, 0.0, -log_alpha)) * both)
    # −y log αμ is split: −y log μ stands here, −y log α in log_rising.
    values = zero + y_true * (both - log_mean)
    return reduce(values - log_rising(y_true, log_alpha), w, reduction)


@final
class NegativeBinomialNLLLoss(Loss):
    """Class form of :func:`negative_binomial_nll_loss`."""

    function = staticmethod(negative_binomial_nll_loss)
    spec = Spec(
        task="regression",
        y_pred="parameters",
        y_true="real",
        link=NEGATIVE_BINOMIAL,
        parameters=("log-mean", "log-dispersion"),
        true_domain=NON_NEGATIVE,
        claims=("proper",),
        use="Counts whose scatter exceeds their mean, such as demand, with an interval to give.",
        avoid="Only the mean is wanted: poisson_nll_loss is convex and has one output.",
        paper="Salinas et al. 2020, arXiv:1704.04110, section 3.1",
        cites=("salinas2020deepar", "lawless1987negative"),
    )


@full_precision
def gamma_nll_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Negative log-likelihood of a gamma distribution whose log-mean is predicted: relative errors.

    .. math:: \ell = p + y\,e^{-p}

    which is log μ + y/μ, the part of it that depends on the mean μ = e^p, per unit of the shape. One value per element;
    scaling y_true only adds a constant. Least, with the value 1 + log y, at μ = y.

    Args:
        y_pred: log-means, any shape.
        y_true: numbers > 0, the same shape.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, a weight is negative, or a target is not above 0.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import gamma_nll_loss
    >>> gamma_nll_loss(torch.tensor([0.0, 1.0]), torch.tensor([1.0, 2.0]))
    tensor(1.3679)

    Source: McCullagh and Nelder, Generalized Linear Models (1989), chapter 8.

    Elsewhere: scikit-learn's ``HalfGammaLoss`` is the same number, its ``mean_gamma_deviance`` twice the distance
    from the least value.
    """
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask, true=POSITIVE)
    return reduce(y_pred + y_true * torch.exp(-y_pred), w, reduction)


@final
class GammaNLLLoss(Loss):
    """Class form of :func:`gamma_nll_loss`."""

    function = staticmethod(gamma_nll_loss)
    spec = Spec(
        task="regression",
        y_pred="log_mean",
        y_true="real",
        link=LOG,
        true_domain=POSITIVE,
        claims=("proper", "convex"),
        use="Positive numbers whose spread grows with their mean: costs, durations, intensities.",
        avoid="Targets that can be 0: tweedie_loss; spread that does not grow with the mean: mse_loss.",
        paper="McCullagh and Nelder 1989, doi:10.1007/978-1-4899-3242-6, chapter 8",
        cites=("mccullagh1989generalized",),
    )


@full_precision
def tweedie_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    power: float = 1.5,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Tweedie deviance with a predicted log-mean: sums of a random number of positive amounts, exact zeros among them.

    .. math:: \ell = -\frac{y\,\mu^{1-\rho}}{1-\rho} + \frac{\mu^{2-\rho}}{2-\rho}, \qquad \mu = e^{p}

    without the term of y alone; the variance goes with μ^ρ. Towards ρ = 1 and 2 the slopes become those of
    :func:`poisson_nll_loss` and :func:`gamma_nll_loss`. One value per element. Unit: that of y_true to the power 2 − ρ.

    Args:
        y_pred: log-means, any shape.
        y_true: numbers ≥ 0, the same shape.
        power: the power ρ, inside (1, 2).
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: shapes differ, a weight or a target is negative, or ``power`` is not inside (1, 2).
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import tweedie_loss
    >>> tweedie_loss(torch.tensor([0.0, 1.0]), torch.tensor([0.0, 2.0]))
    tensor(3.8618)

    Source: Jørgensen, Exponential Dispersion Models (1987).

    Elsewhere: scikit-learn's ``HalfTweedieLoss`` and neuralforecast's ``DistributionLoss("Tweedie")`` (``rho``) have
    the same number; ``mean_tweedie_deviance`` is twice the distance from the least value, and takes means.
    """
    _validate.in_range(low=1.0, high=2.0, open_low=True, open_high=True)(power=power)
    y_pred, y_true, w = prepare(y_pred, y_true, weight, mask, true=NON_NEGATIVE)
    below, above = power - 1, 2 - power
    values = y_true * torch.exp(-below * y_pred) / below + torch.exp(above * y_pred) / above
    return reduce(values, w, reduction)


@final
class TweedieLoss(Loss):
    """Class form of :func:`tweedie_loss`."""

    function = staticmethod(tweedie_loss)
    spec = Spec(
        task="regression",
        y_pred="log_mean",
        y_true="real",
        link=LOG,
        true_domain=NON_NEGATIVE,
        claims=("proper", "convex"),
        use="Amounts that are often exactly 0 and otherwise skewed: claims, sales, rainfall.",
        avoid="Whole counts: poisson_nll_loss; amounts that are never 0: gamma_nll_loss.",
        paper="Jørgensen 1987, doi:10.1111/j.2517-6161.1987.tb01685.x",
        cites=("jorgensen1987exponential",),
    )

    power: float = 1.5


@full_precision
def crps_gaussian_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Continuous ranked probability score of a normal distribution with predicted mean and log-standard-deviation.

    .. math:: \ell = \sigma\left[z\,(2\Phi(z) - 1) + 2\varphi(z) - \tfrac{1}{\sqrt{\pi}}\right], \ z = (y - \mu)/\sigma

    which is ∫ (F(x) − [x ≥ y])² dx. One value per element of y_true. Unit: that of y_true; a certain prediction
    (σ → 0) has its absolute error.

    Args:
        y_pred: mean and log-standard-deviation, (…, 2).
        y_true: real numbers, (…).
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: y_pred is not (…, 2) over y_true's shape, or a weight is negative.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import crps_gaussian_loss
    >>> y_pred = torch.tensor([[0.0, 0.0], [1.0, 2.0]])
    >>> crps_gaussian_loss(y_pred, torch.tensor([1.0, 1.0]))
    tensor(1.1646)

    Source: Gneiting et al., Calibrated Probabilistic Forecasting Using Ensemble Model Output Statistics and Minimum
    CRPS Estimation (2005), section 2.

    Elsewhere: ``properscoring.crps_gaussian`` and ``scoringrules.crps_normal`` have the same number, from σ itself;
    torch has none.
    """
    (mean, log_std), y_true, w = prepare_parameters(y_pred, y_true, weight, mask, names=("mean", "log-std"))
    distance = y_true - mean
    z = distance * torch.exp(-log_std)
    # σz is the distance itself, and 2Φ(z) − 1 an erf: nothing here is a difference of near numbers.
    spread = math.sqrt(2 / math.pi) * torch.exp(-z.square() / 2) - 1 / math.sqrt(math.pi)
    return reduce(distance * torch.erf(z / math.sqrt(2)) + torch.exp(log_std) * spread, w, reduction)


@final
class CRPSGaussianLoss(Loss):
    """Class form of :func:`crps_gaussian_loss`."""

    function = staticmethod(crps_gaussian_loss)
    spec = Spec(
        task="regression",
        y_pred="parameters",
        y_true="real",
        link=NORMAL,
        parameters=("mean", "log-std"),
        claims=("proper", "robust"),
        use="A predicted normal distribution whose score stays in the unit of y_true and forgives a wild target.",
        avoid="Tails that must be right: its slope there is small; gaussian_nll_loss or student_t_nll_loss.",
        paper="Gneiting et al. 2005, doi:10.1175/MWR2904.1, section 2",
        cites=("gneiting2005calibrated",),
    )


@full_precision
def evidential_regression_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    coefficient: float = 0.01,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Deep evidential regression: a normal-inverse-gamma belief about mean and variance, from one output layer.

    .. math::
        \ell = \tfrac{1}{2}\log\tfrac{\pi}{\nu} - \alpha\log\Omega
        + \left(\alpha + \tfrac{1}{2}\right)\log\left(\nu d^2 + \Omega\right)
        + \log\tfrac{\Gamma(\alpha)}{\Gamma(\alpha + 1/2)} + \lambda\,|d|\,(2\nu + \alpha)

    with d = y − γ, Ω = 2β(1 + ν), and, from the raw outputs, γ itself, ν and β their softplus, α one more than it. The
    first part is the negative log-likelihood of a t distribution with 2α degrees of freedom, which fixes only three of
    the four numbers; the last costs evidence for a wrong mean, λ being ``coefficient``. ``predict`` gives γ and the
    standard deviation of that t distribution. One value per element of y_true, in nats.

    Args:
        y_pred: raw γ, ν, α, β, (…, 4).
        y_true: real numbers, (…).
        coefficient: λ ≥ 0.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: y_pred is not (…, 4) over y_true's shape, a weight is negative, or ``coefficient`` < 0.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import evidential_regression_loss
    >>> evidential_regression_loss(torch.tensor([[0.0, 0.5413, 0.5413, 0.5413]]), torch.tensor([0.0]))
    tensor(0.9808)

    Source: Amini et al., Deep Evidential Regression (2020), equations 8 to 10.

    Elsewhere: the authors' code has the same likelihood; its layer, too, takes softplus.
    """
    _validate.non_negative(coefficient=coefficient)
    (gamma, *raw), y_true, w = prepare_parameters(y_pred, y_true, weight, mask, names=("gamma", "nu", "alpha", "beta"))
    nu, alpha = softplus(raw[0]), 1 + softplus(raw[1])
    log_nu, log_beta = log_softplus(raw[0]), log_softplus(raw[2])
    distance = y_true - gamma
    # With log Ω taken out of the second logarithm, what is left of both is ½ log Ω; ν/β by way of logarithms, for both
    # may be too small for the dtype.
    values = (LOG_2PI + log_beta + torch.log1p(nu) - log_nu) / 2
    share = distance.square() * torch.exp(log_nu - log_beta) / (2 * (1 + nu))
    values = values + (alpha + 0.5) * torch.log1p(share)
    values = values - log_gamma_half_steps(alpha) + coefficient * distance.abs() * (2 * nu + alpha)
    return reduce(values, w, reduction)


@final
class EvidentialRegressionLoss(Loss):
    """Class form of :func:`evidential_regression_loss`."""

    function = staticmethod(evidential_regression_loss)
    spec = Spec(
        task="regression",
        y_pred="parameters",
        y_true="real",
        link=EVIDENTIAL,
        parameters=("gamma", "nu", "alpha", "beta"),
        claims=("improper",),
        use="A rough sign of how much the network knows, beside the noise, from a single network and pass.",
        avoid="Uncertainty that must be calibrated: gaussian_nll_loss or student_t_nll_loss over an ensemble.",
        paper="Amini et al. 2020, arXiv:1910.02600, eq. 8-10",
        cites=("amini2020deep",),
    )

    coefficient: float = 0.01


@full_precision
def hl_gauss_loss(
    y_pred: Tensor,
    y_true: Tensor,
    *,
    low: float,
    high: float,
    sigma: float,
    weight: Tensor | None = None,
    mask: Tensor | None = None,
    reduction: Reduction = "mean",
) -> Tensor:
    r"""Regression as classification: cross-entropy with the masses of a normal distribution around y in equal bins.

    .. math::
        \ell = -\sum_j m_j \log p_j, \qquad
        m_j \propto \Phi\left(\tfrac{e_{j+1} - y}{\sigma}\right) - \Phi\left(\tfrac{e_j - y}{\sigma}\right)

    with p the softmax of the C logits, e the borders of C equal bins of [low, high], and Σ m_j = 1. One value per
    sample, in nats; it is not 0 at its least. ``predict`` gives the expected value over the bins' centres.

    Args:
        y_pred: logits (N, C, …), the bins at dim 1.
        y_true: real numbers in [low, high], (N, …).
        low: the lower end of the support.
        high: its upper end.
        sigma: the width σ > 0 of the target, in y_true's unit; ¾ of a bin's width is the usual choice, and what
            ``num_outputs()`` counts the bins for.
        weight: weights ≥ 0 of y_true's shape or a leading part of it.
        mask: True = counts; shape as ``weight``.
        reduction: ``"mean"`` (Σwℓ/Σw), ``"sum"`` or ``"none"``.

    Raises:
        ValueError: a shape does not fit, a weight is negative, a target lies outside [low, high], ``low`` ≥ ``high``,
            or ``sigma`` ≤ 0.
        TypeError: y_pred is not floating point, or mask is not bool.

    >>> import torch
    >>> from torchobjectives import hl_gauss_loss
    >>> y_pred = torch.tensor([[0.0, 0.0, 0.0, 0.0], [0.0, 5.0, 0.0, 0.0]])
    >>> hl_gauss_loss(y_pred, torch.tensor([0.3, 0.3]), low=0.0, high=1.0, sigma=0.1, reduction="none")
    tensor([1.3863, 1.6719])

    Source: Imani and White, Improving Regression Performance with Distributional Losses (2018); Farebrother et al.,
    Stop Regressing: Training Value Functions via Classification for Scalable Deep RL (2024).

    Elsewhere: the second paper's code takes differences of erf, which are the same number, but 0 in the tails; for a
    target outside the support, or a σ far wider than it, they divide 0 by 0.
    """
    check_support(low=low, high=high, sigma=sigma)
    y_pred, y_true, w = prepare_histogram(y_pred, y_true, weight, mask, low, high)
    axis = class_axis(y_pred)
    masses = masses_of(y_true, y_pred.shape[axis], low, high, sigma).movedim(-1, axis)
    return reduce(F.cross_entropy(y_pred, masses, reduction="none") / masses.sum(axis), w, reduction)


@final
class HLGaussLoss(Loss):
    """Class form of :func:`hl_gauss_loss`."""

    function = staticmethod(hl_gauss_loss)
    spec = Spec(
        task="regression",
        y_pred="logits",
        y_true="real",
        unit="sample",
        link=HISTOGRAM,
        claims=("convex",),
        use="Values in a known range where squared error trains badly: deep value functions, ages, depths.",
        avoid="Targets without a known range, or digits finer than a bin: mse_loss or huber_loss.",
        paper="Imani and White 2018, arXiv:1806.04613; Farebrother et al. 2024, arXiv:2403.03950",
        cites=("imani2018improving", "farebrother2024stop"),
    )

    low: float
    high: float
    sigma: float
