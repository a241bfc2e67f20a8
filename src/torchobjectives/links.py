"""Links for a ``Spec`` of your own: names only."""

from torchobjectives._link import (
    CHANNELS as CHANNELS,
    EVIDENTIAL as EVIDENTIAL,
    HISTOGRAM as HISTOGRAM,
    IDENTITY as IDENTITY,
    LAPLACE as LAPLACE,
    LOG as LOG,
    LOG_PROBABILITY as LOG_PROBABILITY,
    LOGIT as LOGIT,
    NEGATIVE_BINOMIAL as NEGATIVE_BINOMIAL,
    NORMAL as NORMAL,
    NORMAL_BY_VARIANCE as NORMAL_BY_VARIANCE,
    QUANTILES as QUANTILES,
    SOFTMAX as SOFTMAX,
    STUDENT_T as STUDENT_T,
    Link as Link,
)

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
