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
from torchobjectives.losses.quantile import (
    expectile_loss as expectile_loss,
)
from torchobjectives.losses.quantile import (
    quantile_loss as quantile_loss,
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
    "beta_nll_loss",
    "binary_cross_entropy_loss",
    "cosine_similarity_loss",
    "cross_entropy_loss",
    "crps_gaussian_loss",
    "dice_loss",
    "evidential_regression_loss",
    "expectile_loss",
    "focal_loss",
    "gamma_nll_loss",
    "gaussian_nll_loss",
    "ghmc_loss",
    "ghmr_loss",
    "hl_gauss_loss",
    "huber_loss",
    "l1_loss",
    "laplace_nll_loss",
    "mse_loss",
    "negative_binomial_nll_loss",
    "nll_loss",
    "poisson_nll_loss",
    "quantile_loss",
    "rmse_loss",
    "smooth_l1_loss",
    "softmax_focal_loss",
    "student_t_nll_loss",
    "symmetric_cross_entropy_loss",
    "tweedie_loss",
]
