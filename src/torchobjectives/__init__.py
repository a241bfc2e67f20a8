"""torchobjectives: the objective toolkit for PyTorch. Objective = loss + regularization.

Names are loaded on first use (PEP 562): importing the package costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from torchobjectives._exports import HOMES

if TYPE_CHECKING:
    from torchobjectives import functional as functional
    from torchobjectives import integrations as integrations
    from torchobjectives import links as links
    from torchobjectives import workbench as workbench
    from torchobjectives._loss import (
        Loss as Loss,
    )
    from torchobjectives._loss import (
        as_loss as as_loss,
    )
    from torchobjectives._reduction import (
        totals as totals,
    )
    from torchobjectives._registry import (
        from_config as from_config,
    )
    from torchobjectives._registry import (
        get as get,
    )
    from torchobjectives._registry import (
        register as register,
    )
    from torchobjectives._spec import (
        Spec as Spec,
    )
    from torchobjectives.integrations.distributed import (
        global_mean as global_mean,
    )
    from torchobjectives.integrations.huggingface import (
        for_huggingface as for_huggingface,
    )
    from torchobjectives.integrations.skorch import (
        for_skorch as for_skorch,
    )
    from torchobjectives.losses.adaptive import (
        AdaptiveLogSoftmaxLoss as AdaptiveLogSoftmaxLoss,
    )
    from torchobjectives.losses.binary import (
        BinaryCrossEntropyLoss as BinaryCrossEntropyLoss,
    )
    from torchobjectives.losses.binary import (
        FocalLoss as FocalLoss,
    )
    from torchobjectives.losses.binary import (
        GHMCLoss as GHMCLoss,
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
    from torchobjectives.losses.confidence import (
        ConfidencePenaltyLoss as ConfidencePenaltyLoss,
    )
    from torchobjectives.losses.confidence import (
        LogitNormLoss as LogitNormLoss,
    )
    from torchobjectives.losses.confidence import (
        ZLoss as ZLoss,
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
        CrammerSingerLoss as CrammerSingerLoss,
    )
    from torchobjectives.losses.margin import (
        EntmaxLoss as EntmaxLoss,
    )
    from torchobjectives.losses.margin import (
        MultiMarginLoss as MultiMarginLoss,
    )
    from torchobjectives.losses.margin import (
        SparsemaxLoss as SparsemaxLoss,
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
        BrierLoss as BrierLoss,
    )
    from torchobjectives.losses.multiclass import (
        CrossEntropyLoss as CrossEntropyLoss,
    )
    from torchobjectives.losses.multiclass import (
        NLLLoss as NLLLoss,
    )
    from torchobjectives.losses.multiclass import (
        OHEMLoss as OHEMLoss,
    )
    from torchobjectives.losses.multiclass import (
        Poly1Loss as Poly1Loss,
    )
    from torchobjectives.losses.multiclass import (
        SoftmaxFocalLoss as SoftmaxFocalLoss,
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
        SymmetricCrossEntropyLoss as SymmetricCrossEntropyLoss,
    )
    from torchobjectives.losses.noisy import (
        symmetric_cross_entropy_loss as symmetric_cross_entropy_loss,
    )
    from torchobjectives.losses.regression import (
        CosineSimilarityLoss as CosineSimilarityLoss,
    )
    from torchobjectives.losses.regression import (
        GHMRLoss as GHMRLoss,
    )
    from torchobjectives.losses.regression import (
        HuberLoss as HuberLoss,
    )
    from torchobjectives.losses.regression import (
        L1Loss as L1Loss,
    )
    from torchobjectives.losses.regression import (
        MSELoss as MSELoss,
    )
    from torchobjectives.losses.regression import (
        RMSELoss as RMSELoss,
    )
    from torchobjectives.losses.regression import (
        SmoothL1Loss as SmoothL1Loss,
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
        BarronLoss as BarronLoss,
    )
    from torchobjectives.losses.robust import (
        barron_loss as barron_loss,
    )
    from torchobjectives.losses.segmentation import (
        DiceLoss as DiceLoss,
    )
    from torchobjectives.losses.segmentation import (
        dice_loss as dice_loss,
    )
    from torchobjectives.objective import (
        Objective as Objective,
    )
    from torchobjectives.params import (
        param_groups as param_groups,
    )
    from torchobjectives.params import (
        select as select,
    )
    from torchobjectives.penalties import (
        L1 as L1,
    )
    from torchobjectives.penalties import (
        L2 as L2,
    )
    from torchobjectives.penalties import (
        ElasticNet as ElasticNet,
    )
    from torchobjectives.penalties import (
        GroupLasso as GroupLasso,
    )
    from torchobjectives.penalties import (
        Penalty as Penalty,
    )


__all__ = [
    "L1",
    "L2",
    "AdaptiveLogSoftmaxLoss",
    "BarronLoss",
    "BinaryCrossEntropyLoss",
    "BrierLoss",
    "ConfidencePenaltyLoss",
    "CosineSimilarityLoss",
    "CrammerSingerLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "ElasticNet",
    "EntmaxLoss",
    "FocalLoss",
    "GHMCLoss",
    "GHMRLoss",
    "GroupLasso",
    "HuberLoss",
    "L1Loss",
    "LogitNormLoss",
    "Loss",
    "MSELoss",
    "MultiMarginLoss",
    "NLLLoss",
    "OHEMLoss",
    "Objective",
    "Penalty",
    "Poly1Loss",
    "RMSELoss",
    "SmoothL1Loss",
    "SoftmaxFocalLoss",
    "SparsemaxLoss",
    "Spec",
    "SymmetricCrossEntropyLoss",
    "ZLoss",
    "as_loss",
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
    "for_huggingface",
    "for_skorch",
    "from_config",
    "get",
    "ghmc_loss",
    "ghmr_loss",
    "global_mean",
    "huber_loss",
    "l1_loss",
    "logit_norm_loss",
    "mse_loss",
    "multi_margin_loss",
    "nll_loss",
    "ohem_loss",
    "param_groups",
    "poly1_loss",
    "register",
    "rmse_loss",
    "select",
    "smooth_l1_loss",
    "softmax_focal_loss",
    "sparsemax_loss",
    "symmetric_cross_entropy_loss",
    "totals",
    "z_loss",
]


_MODULES = ("functional", "integrations", "links", "workbench")


def __getattr__(name: str) -> Any:
    from importlib import import_module

    if name in HOMES:
        value = getattr(import_module(f"torchobjectives.{HOMES[name]}"), name)
    elif name in _MODULES:
        value = import_module(f"torchobjectives.{name}")
    else:
        from torchobjectives._validate import near

        raise AttributeError(f"torchobjectives has no {name!r}. {near(name, __all__)}")
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*__all__, *_MODULES]
