"""Where each public name lives: read by the lazy package root and by the registry, imports nothing."""

from __future__ import annotations

import re
from typing import Final


def snake_case(name: str) -> str:
    """``AdaptiveLogSoftmaxLoss`` as ``adaptive_log_softmax_loss``.

    >>> snake_case("AdaptiveLogSoftmaxLoss"), snake_case("L1Loss")
    ('adaptive_log_softmax_loss', 'l1_loss')
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower().strip("_")


# family → (class, function), adjacent as in the source; a class without a function form has None.
FAMILIES: Final[dict[str, tuple[tuple[str, str | None], ...]]] = {
    "regression": (
        ("MSELoss", "mse_loss"),
        ("L1Loss", "l1_loss"),
        ("SmoothL1Loss", "smooth_l1_loss"),
        ("HuberLoss", "huber_loss"),
        ("RMSELoss", "rmse_loss"),
        ("CosineSimilarityLoss", "cosine_similarity_loss"),
        ("GHMRLoss", "ghmr_loss"),
    ),
    "robust": (("BarronLoss", "barron_loss"),),
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
    ),
    "multiclass": (
        ("CrossEntropyLoss", "cross_entropy_loss"),
        ("NLLLoss", "nll_loss"),
        ("SoftmaxFocalLoss", "softmax_focal_loss"),
    ),
    "adaptive": (("AdaptiveLogSoftmaxLoss", None),),
    "noisy": (("SymmetricCrossEntropyLoss", "symmetric_cross_entropy_loss"),),
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
    "Loss": "_loss",
    "as_loss": "_loss",
    "totals": "_reduction",
    "get": "_registry",
    "register": "_registry",
    "from_config": "_registry",
    "Spec": "_spec",
    "Objective": "objective",
    "L1": "penalties",
    "L2": "penalties",
    "ElasticNet": "penalties",
    "GroupLasso": "penalties",
    "Penalty": "penalties",
    "param_groups": "params",
    "select": "params",
    "for_huggingface": "integrations.huggingface",
    "for_skorch": "integrations.skorch",
    "global_mean": "integrations.distributed",
}
