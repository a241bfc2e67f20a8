"""torchobjectives: the objective toolkit for PyTorch. Objective = loss + regularization.

Names are loaded on first use (PEP 562): importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchobjectives._exports import HOMES

if TYPE_CHECKING:
    from torchobjectives import (
        functional as functional,
        integrations as integrations,
        links as links,
        workbench as workbench,
    )
    from torchobjectives._loss import (
        Loss as Loss,
        as_loss as as_loss,
    )
    from torchobjectives._reduction import (
        totals as totals,
    )
    from torchobjectives._registry import (
        from_config as from_config,
        get as get,
        register as register,
    )
    from torchobjectives._spec import (
        Spec as Spec,
    )
    from torchobjectives.check import (
        LossCheckError as LossCheckError,
        check_loss as check_loss,
    )
    from torchobjectives.check.pytest import (
        parametrize_with_loss_checks as parametrize_with_loss_checks,
    )
    from torchobjectives.check.watch import (
        watch as watch,
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
        PearsonLoss as PearsonLoss,
        ccc_loss as ccc_loss,
        pearson_loss as pearson_loss,
    )
    from torchobjectives.losses.binary import (
        AsymmetricLoss as AsymmetricLoss,
        BinaryCrossEntropyLoss as BinaryCrossEntropyLoss,
        FocalLoss as FocalLoss,
        GHMCLoss as GHMCLoss,
        HingeLoss as HingeLoss,
        SoftMarginLoss as SoftMarginLoss,
        ZLPRLoss as ZLPRLoss,
        asymmetric_loss as asymmetric_loss,
        binary_cross_entropy_loss as binary_cross_entropy_loss,
        focal_loss as focal_loss,
        ghmc_loss as ghmc_loss,
        hinge_loss as hinge_loss,
        soft_margin_loss as soft_margin_loss,
        zlpr_loss as zlpr_loss,
    )
    from torchobjectives.losses.confidence import (
        ConfidencePenaltyLoss as ConfidencePenaltyLoss,
        LogitNormLoss as LogitNormLoss,
        ZLoss as ZLoss,
        confidence_penalty_loss as confidence_penalty_loss,
        logit_norm_loss as logit_norm_loss,
        z_loss as z_loss,
    )
    from torchobjectives.losses.distribution import (
        BetaNLLLoss as BetaNLLLoss,
        CRPSGaussianLoss as CRPSGaussianLoss,
        EvidentialRegressionLoss as EvidentialRegressionLoss,
        GammaNLLLoss as GammaNLLLoss,
        GaussianNLLLoss as GaussianNLLLoss,
        HLGaussLoss as HLGaussLoss,
        LaplaceNLLLoss as LaplaceNLLLoss,
        NegativeBinomialNLLLoss as NegativeBinomialNLLLoss,
        PoissonNLLLoss as PoissonNLLLoss,
        StudentTNLLLoss as StudentTNLLLoss,
        TweedieLoss as TweedieLoss,
        beta_nll_loss as beta_nll_loss,
        crps_gaussian_loss as crps_gaussian_loss,
        evidential_regression_loss as evidential_regression_loss,
        gamma_nll_loss as gamma_nll_loss,
        gaussian_nll_loss as gaussian_nll_loss,
        hl_gauss_loss as hl_gauss_loss,
        laplace_nll_loss as laplace_nll_loss,
        negative_binomial_nll_loss as negative_binomial_nll_loss,
        poisson_nll_loss as poisson_nll_loss,
        student_t_nll_loss as student_t_nll_loss,
        tweedie_loss as tweedie_loss,
    )
    from torchobjectives.losses.longtail import (
        BalancedSoftmaxLoss as BalancedSoftmaxLoss,
        LDAMLoss as LDAMLoss,
        LogitAdjustedLoss as LogitAdjustedLoss,
        SeesawLoss as SeesawLoss,
        balanced_softmax_loss as balanced_softmax_loss,
        class_balanced_weights as class_balanced_weights,
        ldam_loss as ldam_loss,
        logit_adjusted_loss as logit_adjusted_loss,
        seesaw_loss as seesaw_loss,
    )
    from torchobjectives.losses.margin import (
        CrammerSingerLoss as CrammerSingerLoss,
        EntmaxLoss as EntmaxLoss,
        MultiMarginLoss as MultiMarginLoss,
        SparsemaxLoss as SparsemaxLoss,
        crammer_singer_loss as crammer_singer_loss,
        entmax_loss as entmax_loss,
        multi_margin_loss as multi_margin_loss,
        sparsemax_loss as sparsemax_loss,
    )
    from torchobjectives.losses.multiclass import (
        BrierLoss as BrierLoss,
        CrossEntropyLoss as CrossEntropyLoss,
        NLLLoss as NLLLoss,
        OHEMLoss as OHEMLoss,
        Poly1Loss as Poly1Loss,
        SoftmaxFocalLoss as SoftmaxFocalLoss,
        brier_loss as brier_loss,
        cross_entropy_loss as cross_entropy_loss,
        nll_loss as nll_loss,
        ohem_loss as ohem_loss,
        poly1_loss as poly1_loss,
        softmax_focal_loss as softmax_focal_loss,
    )
    from torchobjectives.losses.noisy import (
        ActivePassiveLoss as ActivePassiveLoss,
        BiTemperedLoss as BiTemperedLoss,
        BootstrapLoss as BootstrapLoss,
        ForwardCorrectionLoss as ForwardCorrectionLoss,
        GCELoss as GCELoss,
        GeneralizedJSDLoss as GeneralizedJSDLoss,
        MAEClassificationLoss as MAEClassificationLoss,
        NormalizedCrossEntropyLoss as NormalizedCrossEntropyLoss,
        SymmetricCrossEntropyLoss as SymmetricCrossEntropyLoss,
        active_passive_loss as active_passive_loss,
        bi_tempered_loss as bi_tempered_loss,
        bootstrap_loss as bootstrap_loss,
        forward_correction_loss as forward_correction_loss,
        gce_loss as gce_loss,
        generalized_jsd_loss as generalized_jsd_loss,
        mae_classification_loss as mae_classification_loss,
        normalized_cross_entropy_loss as normalized_cross_entropy_loss,
        symmetric_cross_entropy_loss as symmetric_cross_entropy_loss,
    )
    from torchobjectives.losses.quantile import (
        ExpectileLoss as ExpectileLoss,
        QuantileLoss as QuantileLoss,
        expectile_loss as expectile_loss,
        quantile_loss as quantile_loss,
    )
    from torchobjectives.losses.rates import (
        MCCLoss as MCCLoss,
        NNPULoss as NNPULoss,
        PairwiseAUCLoss as PairwiseAUCLoss,
        SoftFBetaLoss as SoftFBetaLoss,
        mcc_loss as mcc_loss,
        nnpu_loss as nnpu_loss,
        pairwise_auc_loss as pairwise_auc_loss,
        soft_fbeta_loss as soft_fbeta_loss,
    )
    from torchobjectives.losses.regression import (
        CosineSimilarityLoss as CosineSimilarityLoss,
        EpsilonInsensitiveLoss as EpsilonInsensitiveLoss,
        GHMRLoss as GHMRLoss,
        HuberLoss as HuberLoss,
        L1Loss as L1Loss,
        MSELoss as MSELoss,
        RMSELoss as RMSELoss,
        SmoothL1Loss as SmoothL1Loss,
        cosine_similarity_loss as cosine_similarity_loss,
        epsilon_insensitive_loss as epsilon_insensitive_loss,
        ghmr_loss as ghmr_loss,
        huber_loss as huber_loss,
        l1_loss as l1_loss,
        mse_loss as mse_loss,
        rmse_loss as rmse_loss,
        smooth_l1_loss as smooth_l1_loss,
    )
    from torchobjectives.losses.relative import (
        MAPELoss as MAPELoss,
        MSLELoss as MSLELoss,
        SiLogLoss as SiLogLoss,
        SMAPELoss as SMAPELoss,
        mape_loss as mape_loss,
        msle_loss as msle_loss,
        silog_loss as silog_loss,
        smape_loss as smape_loss,
    )
    from torchobjectives.losses.robust import (
        BalancedL1Loss as BalancedL1Loss,
        BarronLoss as BarronLoss,
        CauchyLoss as CauchyLoss,
        CharbonnierLoss as CharbonnierLoss,
        GemanMcClureLoss as GemanMcClureLoss,
        LogCoshLoss as LogCoshLoss,
        TukeyLoss as TukeyLoss,
        WelschLoss as WelschLoss,
        WingLoss as WingLoss,
        balanced_l1_loss as balanced_l1_loss,
        barron_loss as barron_loss,
        cauchy_loss as cauchy_loss,
        charbonnier_loss as charbonnier_loss,
        geman_mcclure_loss as geman_mcclure_loss,
        log_cosh_loss as log_cosh_loss,
        tukey_loss as tukey_loss,
        welsch_loss as welsch_loss,
        wing_loss as wing_loss,
    )
    from torchobjectives.losses.segmentation import (
        DiceLoss as DiceLoss,
        dice_loss as dice_loss,
    )
    from torchobjectives.objective import (
        Objective as Objective,
    )
    from torchobjectives.optimality import (
        lambda_max as lambda_max,
        regularization_path as regularization_path,
        select_features as select_features,
        sparsity as sparsity,
        stationarity as stationarity,
    )
    from torchobjectives.params import (
        guard_loading as guard_loading,
        param_groups as param_groups,
        parameter_table as parameter_table,
        select as select,
    )
    from torchobjectives.penalties import (
        L1 as L1,
        L2 as L2,
        ElasticNet as ElasticNet,
        GroupLasso as GroupLasso,
        Penalty as Penalty,
        Plan as Plan,
        cosine_schedule as cosine_schedule,
        linear_schedule as linear_schedule,
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
    "LossCheckError",
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
    "Plan",
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
    "check_loss",
    "class_balanced_weights",
    "confidence_penalty_loss",
    "cosine_schedule",
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
    "guard_loading",
    "hinge_loss",
    "hl_gauss_loss",
    "huber_loss",
    "l1_loss",
    "lambda_max",
    "laplace_nll_loss",
    "ldam_loss",
    "linear_schedule",
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
    "parameter_table",
    "parametrize_with_loss_checks",
    "pearson_loss",
    "poisson_nll_loss",
    "poly1_loss",
    "quantile_loss",
    "register",
    "regularization_path",
    "rmse_loss",
    "seesaw_loss",
    "select",
    "select_features",
    "silog_loss",
    "smape_loss",
    "smooth_l1_loss",
    "soft_fbeta_loss",
    "soft_margin_loss",
    "softmax_focal_loss",
    "sparsemax_loss",
    "sparsity",
    "stationarity",
    "student_t_nll_loss",
    "symmetric_cross_entropy_loss",
    "totals",
    "tukey_loss",
    "tweedie_loss",
    "watch",
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
    elif name.startswith("_"):
        # Asked by tools that look around, often and in vain.
        raise AttributeError(f"torchobjectives has no {name!r}")
    else:
        from torchobjectives._validate import near

        raise AttributeError(f"torchobjectives has no {name!r}. {near(name, __all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, *_MODULES]
