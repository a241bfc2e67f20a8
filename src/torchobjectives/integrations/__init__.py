"""The losses at home in other libraries' training loops; none of those libraries is imported here.

``for_huggingface`` and ``for_skorch`` return what those libraries take; ``global_mean`` is the mean that
stays right under gradient accumulation and DistributedDataParallel.
"""

from torchobjectives.integrations.distributed import GlobalMean, global_mean
from torchobjectives.integrations.huggingface import for_huggingface
from torchobjectives.integrations.skorch import for_skorch

__all__ = ["GlobalMean", "for_huggingface", "for_skorch", "global_mean"]
