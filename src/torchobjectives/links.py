"""Links for a ``Spec`` of your own: names only."""

from torchobjectives._link import CHANNELS as CHANNELS
from torchobjectives._link import EVIDENTIAL as EVIDENTIAL
from torchobjectives._link import HISTOGRAM as HISTOGRAM
from torchobjectives._link import IDENTITY as IDENTITY
from torchobjectives._link import LAPLACE as LAPLACE
from torchobjectives._link import LOG as LOG
from torchobjectives._link import LOG_PROBABILITY as LOG_PROBABILITY
from torchobjectives._link import LOGIT as LOGIT
from torchobjectives._link import NEGATIVE_BINOMIAL as NEGATIVE_BINOMIAL
from torchobjectives._link import NORMAL as NORMAL
from torchobjectives._link import NORMAL_BY_VARIANCE as NORMAL_BY_VARIANCE
from torchobjectives._link import QUANTILES as QUANTILES
from torchobjectives._link import SOFTMAX as SOFTMAX
from torchobjectives._link import STUDENT_T as STUDENT_T
from torchobjectives._link import Link as Link

__all__ = [
    "CHANNELS",
    "EVIDENTIAL",
    "HISTOGRAM",
    "IDENTITY",
    "LAPLACE",
    "LOG",
    "LOGIT",
    "LOG_PROBABILITY",
    "NEGATIVE_BINOMIAL",
    "NORMAL",
    "NORMAL_BY_VARIANCE",
    "QUANTILES",
    "SOFTMAX",
    "STUDENT_T",
    "Link",
]
