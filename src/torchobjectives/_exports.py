"""Where each public name lives: read by the lazy package root and by the registry, imports nothing."""

from __future__ import annotations

import itertools
import re
from collections.abc import Container
from typing import Final


def snake_case(name: str) -> str:
    """``AdaptiveLogSoftmaxLoss`` as ``adaptive_log_softmax_loss``.

    >>> snake_case("AdaptiveLogSoftmaxLoss"), snake_case("L1Loss")
    ('adaptive_log_softmax_loss', 'l1_loss')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_")


def numbered(name: str, taken: Container[str]) -> str:
    """``name``, or where that is taken the first of ``name_2``, ``name_3`` … that is free.

    >>> numbered("l1", ["l2"]), numbered("l1", ["l1", "l1_2"])
    ('l1', 'l1_3')
    """
    further = (f"{name}_{count}" for count in itertools.count(2))
    return next(free for free in itertools.chain([name], further) if free not in taken)


# family → (class, function), adjacent as in the source; a class without a function form has None.
FAMILIES: Final[dict[str, tuple[tuple[str, str | None], ...]]] = {
    "regression": (
        ("MSELoss", "mse_loss"),
        ("L1Loss", "l1_loss"),
        ("SmoothL1Loss", "smooth_l1_loss"),
        ("HuberLoss", "huber_loss"),
        ("EpsilonInsensitiveLoss", "epsilon_insensitive_loss"),
        ("RMSELoss", "rmse_loss"),
        ("CosineSimilarityLoss", "cosine_similarity_loss"),
        ("GHMRLoss", "ghmr_loss"),
    ),
    "robust": (
        ("LogCoshLoss", "log_cosh_loss"),
        ("CharbonnierLoss", "charbonnier_loss"),
        ("BarronLoss", "barron_loss"),
        ("CauchyLoss", "cauchy_loss"),
        ("GemanMcClureLoss", "geman_mcclure_loss"),
        ("WelschLoss", "welsch_loss"),
        ("TukeyLoss", "tukey_loss"),
        ("WingLoss", "wing_loss"),
        ("BalancedL1Loss", "balanced_l1_loss"),
    ),
    "relative": (
        ("MSLELoss", "msle_loss"),
        ("MAPELoss", "mape_loss"),
        ("SMAPELoss", "smape_loss"),
        ("SiLogLoss", "silog_loss"),
    ),
    "agreement": (
        ("CCCLoss", "ccc_loss"),
        ("PearsonLoss", "pearson_loss"),
    ),
    "quantile": (
        ("QuantileLoss", "quantile_loss"),
        ("ExpectileLoss", "expectile_loss"),
    ),
    "distribution": (
        ("GaussianNLLLoss", "gaussian_nll_loss"),
        ("BetaNLLLoss", "beta_nll_loss"),
        ("LaplaceNLLLoss", "laplace_nll_loss"),
        ("StudentTNLLLoss", "student_t_nll_loss"),
        ("PoissonNLLLoss", "poisson_nll_loss"),
        ("NegativeBinomialNLLLoss", "negative_binomial_nll_loss"),
        ("GammaNLLLoss", "gamma_nll_loss"),
        ("TweedieLoss", "tweedie_loss"),
        ("CRPSGaussianLoss", "crps_gaussian_loss"),
        ("EvidentialRegressionLoss", "evidential_regression_loss"),
        ("HLGaussLoss", "hl_gauss_loss"),
    ),
    "binary": (
        ("BinaryCrossEntropyLoss", "binary_cross_entropy_loss"),
        ("FocalLoss", "focal_loss"),
        ("GHMCLoss", "ghmc_loss"),
        ("AsymmetricLoss", "asymmetric_loss"),
        ("HingeLoss", "hinge_loss"),
        ("SoftMarginLoss", "soft_margin_loss"),
        ("ZLPRLoss", "zlpr_loss"),
    ),
    "rates": (
        ("SoftFBetaLoss", "soft_fbeta_loss"),
        ("MCCLoss", "mcc_loss"),
        ("PairwiseAUCLoss", "pairwise_auc_loss"),
        ("NNPULoss", "nnpu_loss"),
    ),
    "multiclass": (
        ("CrossEntropyLoss", "cross_entropy_loss"),
        ("NLLLoss", "nll_loss"),
        ("SoftmaxFocalLoss", "softmax_focal_loss"),
        ("Poly1Loss", "poly1_loss"),
        ("BrierLoss", "brier_loss"),
        ("OHEMLoss", "ohem_loss"),
    ),
    "confidence": (
        ("ConfidencePenaltyLoss", "confidence_penalty_loss"),
        ("ZLoss", "z_loss"),
        ("LogitNormLoss", "logit_norm_loss"),
    ),
    "margin": (
        ("MultiMarginLoss", "multi_margin_loss"),
        ("CrammerSingerLoss", "crammer_singer_loss"),
        ("SparsemaxLoss", "sparsemax_loss"),
        ("EntmaxLoss", "entmax_loss"),
    ),
    "adaptive": (("AdaptiveLogSoftmaxLoss", None),),
    "longtail": (
        ("LDAMLoss", "ldam_loss"),
        ("BalancedSoftmaxLoss", "balanced_softmax_loss"),
        ("LogitAdjustedLoss", "logit_adjusted_loss"),
        ("SeesawLoss", "seesaw_loss"),
    ),
    "noisy": (
        ("SymmetricCrossEntropyLoss", "symmetric_cross_entropy_loss"),
        ("GCELoss", "gce_loss"),
        ("MAEClassificationLoss", "mae_classification_loss"),
        ("NormalizedCrossEntropyLoss", "normalized_cross_entropy_loss"),
        ("ActivePassiveLoss", "active_passive_loss"),
        ("BiTemperedLoss", "bi_tempered_loss"),
        ("BootstrapLoss", "bootstrap_loss"),
        ("ForwardCorrectionLoss", "forward_correction_loss"),
        ("GeneralizedJSDLoss", "generalized_jsd_loss"),
    ),
    "segmentation": (("DiceLoss", "dice_loss"),),
}

# name in configurations and on the command line → (class, module)
LOSSES: Final[dict[str, tuple[str, str]]] = {
    function or snake_case(class_name): (class_name, f"losses.{family}")
    for family, pairs in FAMILIES.items()
    for class_name, function in pairs
}

# public name → module
HOMES: Final[dict[str, str]] = {
    **{
        name: f"losses.{family}"
        for family, pairs in FAMILIES.items()
        for pair in pairs
        for name in pair
        if name is not None
    },
    "class_balanced_weights": "losses.longtail",
    "Loss": "_loss",
    "as_loss": "_loss",
    "totals": "_reduction",
    "get": "_registry",
    "register": "_registry",
    "from_config": "_registry",
    "Spec": "_spec",
    "Objective": "objective",
    "LossCheckError": "check",
    "check_loss": "check",
    "parametrize_with_loss_checks": "check.pytest",
    "watch": "check.watch",
    "L1": "penalties",
    "L2": "penalties",
    "ElasticNet": "penalties",
    "GroupLasso": "penalties",
    "Penalty": "penalties",
    "Plan": "penalties",
    "cosine_schedule": "penalties",
    "linear_schedule": "penalties",
    "guard_loading": "params",
    "lambda_max": "optimality",
    "regularization_path": "optimality",
    "select_features": "optimality",
    "sparsity": "optimality",
    "stationarity": "optimality",
    "param_groups": "params",
    "parameter_table": "params",
    "select": "params",
    "for_huggingface": "integrations.huggingface",
    "for_skorch": "integrations.skorch",
    "global_mean": "integrations.distributed",
}
