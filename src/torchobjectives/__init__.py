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
    from torchobjectives.losses.agreement import (
        CCCLoss as CCCLoss,
    )
    from torchobjectives.losses.agreement import (
        PearsonLoss as PearsonLoss,
    )
    from torchobjectives.losses.agreement import (
        ccc_loss as ccc_loss,
    )
    from torchobjectives.losses.agreement import (
        pearson_loss as pearson_loss,
    )
    from torchobjectives.losses.binary import (
        AsymmetricLoss as AsymmetricLoss,
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
        HingeLoss as HingeLoss,
    )
    from torchobjectives.losses.binary import (
        SoftMarginLoss as SoftMarginLoss,
    )
    from torchobjectives.losses.binary import (
        ZLPRLoss as ZLPRLoss,
    )
    from torchobjectives.losses.binary import (
        asymmetric_loss as asymmetric_loss,
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
    from torchobjectives.losses.binary import (
        hinge_loss as hinge_loss,
    )
    from torchobjectives.losses.binary import (
        soft_margin_loss as soft_margin_loss,
    )
    from torchobjectives.losses.binary import (
        zlpr_loss as zlpr_loss,
    )
    from torchobjectives.losses.confidence import (
        ConfidencePenaltyLoss as ConfidencePenaltyLoss,
    )
    from torchobjectives.losses.confidence import (
        LogitNormLoss as LogitNormLoss,
    )
    from torchobjectives.losses.confidence import (
        ZLoss as ZLoss,
    )
    from torchobjectives.losses.confidence import (
        confidence_penalty_loss as confidence_penalty_loss,
    )
    from torchobjectives.losses.confidence import (
        logit_norm_loss as logit_norm_loss,
    )
    from torchobjectives.losses.confidence import (
        z_loss as z_loss,
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
    from torchobjectives.losses.longtail import (
        BalancedSoftmaxLoss as BalancedSoftmaxLoss,
    )
    from torchobjectives.losses.longtail import (
        LDAMLoss as LDAMLoss,
    )
    from torchobjectives.losses.longtail import (
        LogitAdjustedLoss as LogitAdjustedLoss,
    )
    from torchobjectives.losses.longtail import (
        SeesawLoss as SeesawLoss,
    )
    from torchobjectives.losses.longtail import (
        balanced_softmax_loss as balanced_softmax_loss,
    )
    from torchobjectives.losses.longtail import (
        class_balanced_weights as class_balanced_weights,
    )
    from torchobjectives.losses.longtail import (
        ldam_loss as ldam_loss,
    )
    from torchobjectives.losses.longtail import (
        logit_adjusted_loss as logit_adjusted_loss,
    )
    from torchobjectives.losses.longtail import (
        seesaw_loss as seesaw_loss,
    )
    from torchobjectives.losses.margin import (
        CrammerSingerLoss as CrammerSingerLoss,
    )
    from torchobjectives.losses.margin import (
        EntmaxLoss as EntmaxLoss,
    )
    from torchobjectives.losses.margin import (
        MultiMarginLoss as MultiMarginLoss,
    )
    from torchobjectives.losses.margin import (
        SparsemaxLoss as SparsemaxLoss,
    )
    from torchobjectives.losses.margin import (
        crammer_singer_loss as crammer_singer_loss,
    )
    from torchobjectives.losses.margin import (
        entmax_loss as entmax_loss,
    )
    from torchobjectives.losses.margin import (
        multi_margin_loss as multi_margin_loss,
    )
    from torchobjectives.losses.margin import (
        sparsemax_loss as sparsemax_loss,
    )
    from torchobjectives.losses.multiclass import (
        BrierLoss as BrierLoss,
    )
    from torchobjectives.losses.multiclass import (
        CrossEntropyLoss as CrossEntropyLoss,
    )
    from torchobjectives.losses.multiclass import (
        NLLLoss as NLLLoss,
    )
    from torchobjectives.losses.multiclass import (
        OHEMLoss as OHEMLoss,
    )
    from torchobjectives.losses.multiclass import (
        Poly1Loss as Poly1Loss,
    )
    from torchobjectives.losses.multiclass import (
        SoftmaxFocalLoss as SoftmaxFocalLoss,
    )
    from torchobjectives.losses.multiclass import (
        brier_loss as brier_loss,
    )
    from torchobjectives.losses.multiclass import (
        cross_entropy_loss as cross_entropy_loss,
    )
    from torchobjectives.losses.multiclass import (
        nll_loss as nll_loss,
    )
    from torchobjectives.losses.multiclass import (
        ohem_loss as ohem_loss,
    )
    from torchobjectives.losses.multiclass import (
        poly1_loss as poly1_loss,
    )
    from torchobjectives.losses.multiclass import (
        softmax_focal_loss as softmax_focal_loss,
    )
    from torchobjectives.losses.noisy import (
        ActivePassiveLoss as ActivePassiveLoss,
    )
    from torchobjectives.losses.noisy import (
        BiTemperedLoss as BiTemperedLoss,
    )
    from torchobjectives.losses.noisy import (
        BootstrapLoss as BootstrapLoss,
    )
    from torchobjectives.losses.noisy import (
        ForwardCorrectionLoss as ForwardCorrectionLoss,
    )
    from torchobjectives.losses.noisy import (
        GCELoss as GCELoss,
    )
    from torchobjectives.losses.noisy import (
        GeneralizedJSDLoss as GeneralizedJSDLoss,
    )
    from torchobjectives.losses.noisy import (
        MAEClassificationLoss as MAEClassificationLoss,
    )
    from torchobjectives.losses.noisy import (
        NormalizedCrossEntropyLoss as NormalizedCrossEntropyLoss,
    )
    from torchobjectives.losses.noisy import (
        SymmetricCrossEntropyLoss as SymmetricCrossEntropyLoss,
    )
    from torchobjectives.losses.noisy import (
        active_passive_loss as active_passive_loss,
    )
    from torchobjectives.losses.noisy import (
        bi_tempered_loss as bi_tempered_loss,
    )
    from torchobjectives.losses.noisy import (
        bootstrap_loss as bootstrap_loss,
    )
    from torchobjectives.losses.noisy import (
        forward_correction_loss as forward_correction_loss,
    )
    from torchobjectives.losses.noisy import (
        gce_loss as gce_loss,
    )
    from torchobjectives.losses.noisy import (
        generalized_jsd_loss as generalized_jsd_loss,
    )
    from torchobjectives.losses.noisy import (
        mae_classification_loss as mae_classification_loss,
    )
    from torchobjectives.losses.noisy import (
        normalized_cross_entropy_loss as normalized_cross_entropy_loss,
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
    from torchobjectives.losses.rates import (
        MCCLoss as MCCLoss,
    )
    from torchobjectives.losses.rates import (
        NNPULoss as NNPULoss,
    )
    from torchobjectives.losses.rates import (
        PairwiseAUCLoss as PairwiseAUCLoss,
    )
    from torchobjectives.losses.rates import (
        SoftFBetaLoss as SoftFBetaLoss,
    )
    from torchobjectives.losses.rates import (
        mcc_loss as mcc_loss,
    )
    from torchobjectives.losses.rates import (
        nnpu_loss as nnpu_loss,
    )
    from torchobjectives.losses.rates import (
        pairwise_auc_loss as pairwise_auc_loss,
    )
    from torchobjectives.losses.rates import (
        soft_fbeta_loss as soft_fbeta_loss,
    )
    from torchobjectives.losses.regression import (
        CosineSimilarityLoss as CosineSimilarityLoss,
    )
    from torchobjectives.losses.regression import (
        EpsilonInsensitiveLoss as EpsilonInsensitiveLoss,
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
        epsilon_insensitive_loss as epsilon_insensitive_loss,
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
    from torchobjectives.losses.relative import (
        MAPELoss as MAPELoss,
    )
    from torchobjectives.losses.relative import (
        MSLELoss as MSLELoss,
    )
    from torchobjectives.losses.relative import (
        SiLogLoss as SiLogLoss,
    )
    from torchobjectives.losses.relative import (
        SMAPELoss as SMAPELoss,
    )
    from torchobjectives.losses.relative import (
        mape_loss as mape_loss,
    )
    from torchobjectives.losses.relative import (
        msle_loss as msle_loss,
    )
    from torchobjectives.losses.relative import (
        silog_loss as silog_loss,
    )
    from torchobjectives.losses.relative import (
        smape_loss as smape_loss,
    )
    from torchobjectives.losses.robust import (
        BalancedL1Loss as BalancedL1Loss,
    )
    from torchobjectives.losses.robust import (
        BarronLoss as BarronLoss,
    )
    from torchobjectives.losses.robust import (
        CauchyLoss as CauchyLoss,
    )
    from torchobjectives.losses.robust import (
        CharbonnierLoss as CharbonnierLoss,
    )
    from torchobjectives.losses.robust import (
        GemanMcClureLoss as GemanMcClureLoss,
    )
    from torchobjectives.losses.robust import (
        LogCoshLoss as LogCoshLoss,
    )
    from torchobjectives.losses.robust import (
        TukeyLoss as TukeyLoss,
    )
    from torchobjectives.losses.robust import (
        WelschLoss as WelschLoss,
    )
    from torchobjectives.losses.robust import (
        WingLoss as WingLoss,
    )
    from torchobjectives.losses.robust import (
        balanced_l1_loss as balanced_l1_loss,
    )
    from torchobjectives.losses.robust import (
        barron_loss as barron_loss,
    )
    from torchobjectives.losses.robust import (
        cauchy_loss as cauchy_loss,
    )
    from torchobjectives.losses.robust import (
        charbonnier_loss as charbonnier_loss,
    )
    from torchobjectives.losses.robust import (
        geman_mcclure_loss as geman_mcclure_loss,
    )
    from torchobjectives.losses.robust import (
        log_cosh_loss as log_cosh_loss,
    )
    from torchobjectives.losses.robust import (
        tukey_loss as tukey_loss,
    )
    from torchobjectives.losses.robust import (
        welsch_loss as welsch_loss,
    )
    from torchobjectives.losses.robust import (
        wing_loss as wing_loss,
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


__version__ = "0.1.0"

__all__ = [
    "L1",
    "L2",
    "ActivePassiveLoss",
    "AdaptiveLogSoftmaxLoss",
    "AsymmetricLoss",
    "BalancedL1Loss",
    "BalancedSoftmaxLoss",
    "BarronLoss",
    "BetaNLLLoss",
    "BiTemperedLoss",
    "BinaryCrossEntropyLoss",
    "BootstrapLoss",
    "BrierLoss",
    "CCCLoss",
    "CRPSGaussianLoss",
    "CauchyLoss",
    "CharbonnierLoss",
    "ConfidencePenaltyLoss",
    "CosineSimilarityLoss",
    "CrammerSingerLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "ElasticNet",
    "EntmaxLoss",
    "EpsilonInsensitiveLoss",
    "EvidentialRegressionLoss",
    "ExpectileLoss",
    "FocalLoss",
    "ForwardCorrectionLoss",
    "GCELoss",
    "GHMCLoss",
    "GHMRLoss",
    "GammaNLLLoss",
    "GaussianNLLLoss",
    "GemanMcClureLoss",
    "GeneralizedJSDLoss",
    "GroupLasso",
    "HLGaussLoss",
    "HingeLoss",
    "HuberLoss",
    "L1Loss",
    "LDAMLoss",
    "LaplaceNLLLoss",
    "LogCoshLoss",
    "LogitAdjustedLoss",
    "LogitNormLoss",
    "Loss",
    "MAEClassificationLoss",
    "MAPELoss",
    "MCCLoss",
    "MSELoss",
    "MSLELoss",
    "MultiMarginLoss",
    "NLLLoss",
    "NNPULoss",
    "NegativeBinomialNLLLoss",
    "NormalizedCrossEntropyLoss",
    "OHEMLoss",
    "Objective",
    "PairwiseAUCLoss",
    "PearsonLoss",
    "Penalty",
    "PoissonNLLLoss",
    "Poly1Loss",
    "QuantileLoss",
    "RMSELoss",
    "SMAPELoss",
    "SeesawLoss",
    "SiLogLoss",
    "SmoothL1Loss",
    "SoftFBetaLoss",
    "SoftMarginLoss",
    "SoftmaxFocalLoss",
    "SparsemaxLoss",
    "Spec",
    "StudentTNLLLoss",
    "SymmetricCrossEntropyLoss",
    "TukeyLoss",
    "TweedieLoss",
    "WelschLoss",
    "WingLoss",
    "ZLPRLoss",
    "ZLoss",
    "active_passive_loss",
    "as_loss",
    "asymmetric_loss",
    "balanced_l1_loss",
    "balanced_softmax_loss",
    "barron_loss",
    "beta_nll_loss",
    "bi_tempered_loss",
    "binary_cross_entropy_loss",
    "bootstrap_loss",
    "brier_loss",
    "cauchy_loss",
    "ccc_loss",
    "charbonnier_loss",
    "class_balanced_weights",
    "confidence_penalty_loss",
    "cosine_similarity_loss",
    "crammer_singer_loss",
    "cross_entropy_loss",
    "crps_gaussian_loss",
    "dice_loss",
    "entmax_loss",
    "epsilon_insensitive_loss",
    "evidential_regression_loss",
    "expectile_loss",
    "focal_loss",
    "for_huggingface",
    "for_skorch",
    "forward_correction_loss",
    "from_config",
    "gamma_nll_loss",
    "gaussian_nll_loss",
    "gce_loss",
    "geman_mcclure_loss",
    "generalized_jsd_loss",
    "get",
    "ghmc_loss",
    "ghmr_loss",
    "global_mean",
    "hinge_loss",
    "hl_gauss_loss",
    "huber_loss",
    "l1_loss",
    "laplace_nll_loss",
    "ldam_loss",
    "log_cosh_loss",
    "logit_adjusted_loss",
    "logit_norm_loss",
    "mae_classification_loss",
    "mape_loss",
    "mcc_loss",
    "mse_loss",
    "msle_loss",
    "multi_margin_loss",
    "negative_binomial_nll_loss",
    "nll_loss",
    "nnpu_loss",
    "normalized_cross_entropy_loss",
    "ohem_loss",
    "pairwise_auc_loss",
    "param_groups",
    "pearson_loss",
    "poisson_nll_loss",
    "poly1_loss",
    "quantile_loss",
    "register",
    "rmse_loss",
    "seesaw_loss",
    "select",
    "silog_loss",
    "smape_loss",
    "smooth_l1_loss",
    "soft_fbeta_loss",
    "soft_margin_loss",
    "softmax_focal_loss",
    "sparsemax_loss",
    "student_t_nll_loss",
    "symmetric_cross_entropy_loss",
    "totals",
    "tukey_loss",
    "tweedie_loss",
    "welsch_loss",
    "wing_loss",
    "z_loss",
    "zlpr_loss",
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
