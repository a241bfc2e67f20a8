"""Every loss function under one import: names only."""

from torchobjectives.losses.agreement import (
    ccc_loss as ccc_loss,
)
from torchobjectives.losses.agreement import (
    pearson_loss as pearson_loss,
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
    confidence_penalty_loss as confidence_penalty_loss,
)
from torchobjectives.losses.confidence import (
    logit_norm_loss as logit_norm_loss,
)
from torchobjectives.losses.confidence import (
    z_loss as z_loss,
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
    balanced_softmax_loss as balanced_softmax_loss,
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
    expectile_loss as expectile_loss,
)
from torchobjectives.losses.quantile import (
    quantile_loss as quantile_loss,
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
    dice_loss as dice_loss,
)

__all__ = [
    "active_passive_loss",
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
    "forward_correction_loss",
    "gamma_nll_loss",
    "gaussian_nll_loss",
    "gce_loss",
    "geman_mcclure_loss",
    "generalized_jsd_loss",
    "ghmc_loss",
    "ghmr_loss",
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
    "pearson_loss",
    "poisson_nll_loss",
    "poly1_loss",
    "quantile_loss",
    "rmse_loss",
    "seesaw_loss",
    "silog_loss",
    "smape_loss",
    "smooth_l1_loss",
    "soft_fbeta_loss",
    "soft_margin_loss",
    "softmax_focal_loss",
    "sparsemax_loss",
    "student_t_nll_loss",
    "symmetric_cross_entropy_loss",
    "tukey_loss",
    "tweedie_loss",
    "welsch_loss",
    "wing_loss",
    "z_loss",
    "zlpr_loss",
]
