"""torchobjectives: the objective toolkit for PyTorch. Objective = loss + regularization.

Names are loaded on first use (PEP 562): importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchobjectives._exports import HOMES

if TYPE_CHECKING:
    from torchobjectives import functional as functional
    from torchobjectives import integrations as integrations
    from torchobjectives import links as links
    from torchobjectives import workbench as workbench
    from torchobjectives._loss import (
        Loss as Loss,
    )
    from torchobjectives._loss import (
        as_loss as as_loss,
    )
    from torchobjectives._reduction import (
        totals as totals,
    )
    from torchobjectives._registry import (
        from_config as from_config,
    )
    from torchobjectives._registry import (
        get as get,
    )
    from torchobjectives._registry import (
        register as register,
    )
    from torchobjectives._spec import (
        Spec as Spec,
    )
    from torchobjectives.integrations.distributed import (
        global_mean as global_mean,
    )
    from torchobjectives.integrations.huggingface import (
        for_huggingface as for_huggingface,
    )
    from torchobjectives.integrations.skorch import (
        for_skorch as for_skorch,
    )
    from torchobjectives.losses.adaptive import (
        AdaptiveLogSoftmaxLoss as AdaptiveLogSoftmaxLoss,
    )
    from torchobjectives.losses.binary import (
        BinaryCrossEntropyLoss as BinaryCrossEntropyLoss,
    )
    from torchobjectives.losses.binary import (
        FocalLoss as FocalLoss,
    )
    from torchobjectives.losses.binary import (
        GHMCLoss as GHMCLoss,
    )
    from torchobjectives.losses.binary import (
        binary_cross_entropy_loss as binary_cross_entropy_loss,
    )
    from torchobjectives.losses.binary import (
        focal_loss as focal_loss,
    )
    from torchobjectives.losses.binary import (
        ghmc_loss as ghmc_loss,
    )
    from torchobjectives.losses.distribution import (
        BetaNLLLoss as BetaNLLLoss,
    )
    from torchobjectives.losses.distribution import (
        CRPSGaussianLoss as CRPSGaussianLoss,
    )
    from torchobjectives.losses.distribution import (
        EvidentialRegressionLoss as EvidentialRegressionLoss,
    )
    from torchobjectives.losses.distribution import (
        GammaNLLLoss as GammaNLLLoss,
    )
    from torchobjectives.losses.distribution import (
        GaussianNLLLoss as GaussianNLLLoss,
    )
    from torchobjectives.losses.distribution import (
        HLGaussLoss as HLGaussLoss,
    )
    from torchobjectives.losses.distribution import (
        LaplaceNLLLoss as LaplaceNLLLoss,
    )
    from torchobjectives.losses.distribution import (
        NegativeBinomialNLLLoss as NegativeBinomialNLLLoss,
    )
    from torchobjectives.losses.distribution import (
        PoissonNLLLoss as PoissonNLLLoss,
    )
    from torchobjectives.losses.distribution import (
        StudentTNLLLoss as StudentTNLLLoss,
    )
    from torchobjectives.losses.distribution import (
        TweedieLoss as TweedieLoss,
    )
    from torchobjectives.losses.distribution import (
        beta_nll_loss as beta_nll_loss,
    )
    from torchobjectives.losses.distribution import (
        crps_gaussian_loss as crps_gaussian_loss,
    )
    from torchobjectives.losses.distribution import (
        evidential_regression_loss as evidential_regression_loss,
    )
    from torchobjectives.losses.distribution import (
        gamma_nll_loss as gamma_nll_loss,
    )
    from torchobjectives.losses.distribution import (
        gaussian_nll_loss as gaussian_nll_loss,
    )
    from torchobjectives.losses.distribution import (
        hl_gauss_loss as hl_gauss_loss,
    )
    from torchobjectives.losses.distribution import (
        laplace_nll_loss as laplace_nll_loss,
    )
    from torchobjectives.losses.distribution import (
        negative_binomial_nll_loss as negative_binomial_nll_loss,
    )
    from torchobjectives.losses.distribution import (
        poisson_nll_loss as poisson_nll_loss,
    )
    from torchobjectives.losses.distribution import (
        student_t_nll_loss as student_t_nll_loss,
    )
    from torchobjectives.losses.distribution import (
        tweedie_loss as tweedie_loss,
    )
    from torchobjectives.losses.multiclass import (
        CrossEntropyLoss as CrossEntropyLoss,
    )
    from torchobjectives.losses.multiclass import (
        NLLLoss as NLLLoss,
    )
    from torchobjectives.losses.multiclass import (
        SoftmaxFocalLoss as SoftmaxFocalLoss,
    )
    from torchobjectives.losses.multiclass import (
        cross_entropy_loss as cross_entropy_loss,
    )
    from torchobjectives.losses.multiclass import (
        nll_loss as nll_loss,
    )
    from torchobjectives.losses.multiclass import (
        softmax_focal_loss as softmax_focal_loss,
    )
    from torchobjectives.losses.noisy import (
        SymmetricCrossEntropyLoss as SymmetricCrossEntropyLoss,
    )
    from torchobjectives.losses.noisy import (
        symmetric_cross_entropy_loss as symmetric_cross_entropy_loss,
    )
    from torchobjectives.losses.quantile import (
        ExpectileLoss as ExpectileLoss,
    )
    from torchobjectives.losses.quantile import (
        QuantileLoss as QuantileLoss,
    )
    from torchobjectives.losses.quantile import (
        expectile_loss as expectile_loss,
    )
    from torchobjectives.losses.quantile import (
        quantile_loss as quantile_loss,
    )
    from torchobjectives.losses.regression import (
        CosineSimilarityLoss as CosineSimilarityLoss,
    )
    from torchobjectives.losses.regression import (
        GHMRLoss as GHMRLoss,
    )
    from torchobjectives.losses.regression import (
        HuberLoss as HuberLoss,
    )
    from torchobjectives.losses.regression import (
        L1Loss as L1Loss,
    )
    from torchobjectives.losses.regression import (
        MSELoss as MSELoss,
    )
    from torchobjectives.losses.regression import (
        RMSELoss as RMSELoss,
    )
    from torchobjectives.losses.regression import (
        SmoothL1Loss as SmoothL1Loss,
    )
    from torchobjectives.losses.regression import (
        cosine_similarity_loss as cosine_similarity_loss,
    )
    from torchobjectives.losses.regression import (
        ghmr_loss as ghmr_loss,
    )
    from torchobjectives.losses.regression import (
        huber_loss as huber_loss,
    )
    from torchobjectives.losses.regression import (
        l1_loss as l1_loss,
    )
    from torchobjectives.losses.regression import (
        mse_loss as mse_loss,
    )
    from torchobjectives.losses.regression import (
        rmse_loss as rmse_loss,
    )
    from torchobjectives.losses.regression import (
        smooth_l1_loss as smooth_l1_loss,
    )
    from torchobjectives.losses.robust import (
        BarronLoss as BarronLoss,
    )
    from torchobjectives.losses.robust import (
        barron_loss as barron_loss,
    )
    from torchobjectives.losses.segmentation import (
        DiceLoss as DiceLoss,
    )
    from torchobjectives.losses.segmentation import (
        dice_loss as dice_loss,
    )
    from torchobjectives.objective import (
        Objective as Objective,
    )
    from torchobjectives.params import (
        param_groups as param_groups,
    )
    from torchobjectives.params import (
        select as select,
    )
    from torchobjectives.penalties import (
        L1 as L1,
    )
    from torchobjectives.penalties import (
        L2 as L2,
    )
    from torchobjectives.penalties import (
        ElasticNet as ElasticNet,
    )
    from torchobjectives.penalties import (
        GroupLasso as GroupLasso,
    )
    from torchobjectives.penalties import (
        Penalty as Penalty,
    )


__all__ = [
    "L1",
    "L2",
    "AdaptiveLogSoftmaxLoss",
    "BarronLoss",
    "BetaNLLLoss",
    "BinaryCrossEntropyLoss",
    "CRPSGaussianLoss",
    "CosineSimilarityLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "ElasticNet",
    "EvidentialRegressionLoss",
    "ExpectileLoss",
    "FocalLoss",
    "GHMCLoss",
    "GHMRLoss",
    "GammaNLLLoss",
    "GaussianNLLLoss",
    "GroupLasso",
    "HLGaussLoss",
    "HuberLoss",
    "L1Loss",
    "LaplaceNLLLoss",
    "Loss",
    "MSELoss",
    "NLLLoss",
    "NegativeBinomialNLLLoss",
    "Objective",
    "Penalty",
    "PoissonNLLLoss",
    "QuantileLoss",
    "RMSELoss",
    "SmoothL1Loss",
    "SoftmaxFocalLoss",
    "Spec",
    "StudentTNLLLoss",
    "SymmetricCrossEntropyLoss",
    "TweedieLoss",
    "as_loss",
    "barron_loss",
    "beta_nll_loss",
    "binary_cross_entropy_loss",
    "cosine_similarity_loss",
    "cross_entropy_loss",
    "crps_gaussian_loss",
    "dice_loss",
    "evidential_regression_loss",
    "expectile_loss",
    "focal_loss",
    "for_huggingface",
    "for_skorch",
    "from_config",
    "gamma_nll_loss",
    "gaussian_nll_loss",
    "get",
    "ghmc_loss",
    "ghmr_loss",
    "global_mean",
    "hl_gauss_loss",
    "huber_loss",
    "l1_loss",
    "laplace_nll_loss",
    "mse_loss",
    "negative_binomial_nll_loss",
    "nll_loss",
    "param_groups",
    "poisson_nll_loss",
    "quantile_loss",
    "register",
    "rmse_loss",
    "select",
    "smooth_l1_loss",
    "softmax_focal_loss",
    "student_t_nll_loss",
    "symmetric_cross_entropy_loss",
    "totals",
    "tweedie_loss",
]


_MODULES = ("functional", "integrations", "links", "workbench")


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in HOMES:
        value = getattr(import_module(f"torchobjectives.{HOMES[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"torchobjectives.{name}")
    else:
        from torchobjectives._validate import near

        raise AttributeError(f"torchobjectives has no {name!r}. {near(name, __all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, *_MODULES]
