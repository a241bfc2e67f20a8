"""Optimality: whether a minimum is reached, where the zeros begin, and which features stay."""

from torchobjectives.optimality.certificate import Stationarity, stationarity
from torchobjectives.optimality.largest import lambda_max
from torchobjectives.optimality.paths import RegularizationPath, regularization_path
from torchobjectives.optimality.selection import FeatureSelection, select_features
from torchobjectives.optimality.zeros import Sparsity, sparsity

__all__ = [
    "FeatureSelection",
    "RegularizationPath",
    "Sparsity",
    "Stationarity",
    "lambda_max",
    "regularization_path",
    "select_features",
    "sparsity",
    "stationarity",
]
