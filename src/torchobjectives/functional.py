"""Every loss function under one import: names only."""

from torchobjectives.losses.agreement import (
    ccc_loss as ccc_loss,
)
from torchobjectives.losses.agreement import (
    pearson_loss as pearson_loss,
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
    symmetric_cross_entropy_loss as symmetric_cross_entropy_loss,
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
    "balanced_l1_loss",
    "barron_loss",
    "binary_cross_entropy_loss",
    "cauchy_loss",
    "ccc_loss",
    "charbonnier_loss",
    "cosine_similarity_loss",
    "cross_entropy_loss",
    "dice_loss",
    "epsilon_insensitive_loss",
    "focal_loss",
    "geman_mcclure_loss",
    "ghmc_loss",
    "ghmr_loss",
    "huber_loss",
    "l1_loss",
    "log_cosh_loss",
    "mape_loss",
    "mse_loss",
    "msle_loss",
    "nll_loss",
    "pearson_loss",
    "rmse_loss",
    "silog_loss",
    "smape_loss",
    "smooth_l1_loss",
    "softmax_focal_loss",
    "symmetric_cross_entropy_loss",
    "tukey_loss",
    "welsch_loss",
    "wing_loss",
]
