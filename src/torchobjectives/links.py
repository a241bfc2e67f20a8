"""Links for a ``Spec`` of your own: names only."""

from torchobjectives._link import CHANNELS as CHANNELS
from torchobjectives._link import IDENTITY as IDENTITY
from torchobjectives._link import LOG as LOG
from torchobjectives._link import LOG_PROBABILITY as LOG_PROBABILITY
from torchobjectives._link import LOGIT as LOGIT
from torchobjectives._link import SOFTMAX as SOFTMAX
from torchobjectives._link import Link as Link

__all__ = ["CHANNELS", "IDENTITY", "LOG", "LOGIT", "LOG_PROBABILITY", "SOFTMAX", "Link"]
