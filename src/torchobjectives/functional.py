"""Every loss function under one import: names only."""

from torchobjectives.losses.binary import (
    binary_cross_entropy_loss as binary_cross_entropy_loss,
)
from torchobjectives.losses.binary import (
    focal_loss as focal_loss,
)
from torchobjectives.losses.binary import (
    ghmc_loss as ghmc_loss,
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
    symmetric_cross_entropy_loss as symmetric_cross_entropy_loss,
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
    barron_loss as barron_loss,
)
from torchobjectives.losses.segmentation import (
    dice_loss as dice_loss,
)

__all__ = [
    "barron_loss",
    "binary_cross_entropy_loss",
    "brier_loss",
    "confidence_penalty_loss",
    "cosine_similarity_loss",
    "crammer_singer_loss",
    "cross_entropy_loss",
    "dice_loss",
    "entmax_loss",
    "focal_loss",
    "ghmc_loss",
    "ghmr_loss",
    "huber_loss",
    "l1_loss",
    "logit_norm_loss",
    "mse_loss",
    "multi_margin_loss",
    "nll_loss",
    "ohem_loss",
    "poly1_loss",
    "rmse_loss",
    "smooth_l1_loss",
    "softmax_focal_loss",
    "sparsemax_loss",
    "symmetric_cross_entropy_loss",
    "z_loss",
]
