"""What is wrong with a loss function: checks, each of one property, and the words that help."""

from torchobjectives.check._door import check_loss
from torchobjectives.check._report import CODES, Finding, LossCheckError, LossReport, Skipped

__all__ = ["CODES", "Finding", "LossCheckError", "LossReport", "Skipped", "check_loss"]
