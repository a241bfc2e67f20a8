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
    from torchobjectives.losses.agreement import (
        CCCLoss as CCCLoss,
    )
    from torchobjectives.losses.agreement import (
        PearsonLoss as PearsonLoss,
    )
    from torchobjectives.losses.agreement import (
        ccc_loss as ccc_loss,
    )
    from torchobjectives.losses.agreement import (
        pearson_loss as pearson_loss,
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
    from torchobjectives.losses.multiclass import (
        CrossEntropyLoss as CrossEntropyLoss,
    )
    from torchobjectives.losses.multiclass import (
        NLLLoss as NLLLoss,
    )
    from torchobjectives.losses.multiclass import (
        SoftmaxFocalLoss as SoftmaxFocalLoss,
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
        SymmetricCrossEntropyLoss as SymmetricCrossEntropyLoss,
    )
    from torchobjectives.losses.noisy import (
        symmetric_cross_entropy_loss as symmetric_cross_entropy_loss,
    )
    from torchobjectives.losses.regression import (
        CosineSimilarityLoss as CosineSimilarityLoss,
    )
    from torchobjectives.losses.regression import (
        EpsilonInsensitiveLoss as EpsilonInsensitiveLoss,
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
        MAPELoss as MAPELoss,
    )
    from torchobjectives.losses.relative import (
        MSLELoss as MSLELoss,
    )
    from torchobjectives.losses.relative import (
        SiLogLoss as SiLogLoss,
    )
    from torchobjectives.losses.relative import (
        SMAPELoss as SMAPELoss,
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
        BalancedL1Loss as BalancedL1Loss,
    )
    from torchobjectives.losses.robust import (
        BarronLoss as BarronLoss,
    )
    from torchobjectives.losses.robust import (
        CauchyLoss as CauchyLoss,
    )
    from torchobjectives.losses.robust import (
        CharbonnierLoss as CharbonnierLoss,
    )
    from torchobjectives.losses.robust import (
        GemanMcClureLoss as GemanMcClureLoss,
    )
    from torchobjectives.losses.robust import (
        LogCoshLoss as LogCoshLoss,
    )
    from torchobjectives.losses.robust import (
        TukeyLoss as TukeyLoss,
    )
    from torchobjectives.losses.robust import (
        WelschLoss as WelschLoss,
    )
    from torchobjectives.losses.robust import (
        WingLoss as WingLoss,
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
    "BalancedL1Loss",
    "BarronLoss",
    "BinaryCrossEntropyLoss",
    "CCCLoss",
    "CauchyLoss",
    "CharbonnierLoss",
    "CosineSimilarityLoss",
    "CrossEntropyLoss",
    "DiceLoss",
    "ElasticNet",
    "EpsilonInsensitiveLoss",
    "FocalLoss",
    "GHMCLoss",
    "GHMRLoss",
    "GemanMcClureLoss",
    "GroupLasso",
    "HuberLoss",
    "L1Loss",
    "LogCoshLoss",
    "Loss",
    "MAPELoss",
    "MSELoss",
    "MSLELoss",
    "NLLLoss",
    "Objective",
    "PearsonLoss",
    "Penalty",
    "RMSELoss",
    "SMAPELoss",
    "SiLogLoss",
    "SmoothL1Loss",
    "SoftmaxFocalLoss",
    "Spec",
    "SymmetricCrossEntropyLoss",
    "TukeyLoss",
    "WelschLoss",
    "WingLoss",
    "as_loss",
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
    "for_huggingface",
    "for_skorch",
    "from_config",
    "geman_mcclure_loss",
    "get",
    "ghmc_loss",
    "ghmr_loss",
    "global_mean",
    "huber_loss",
    "l1_loss",
    "log_cosh_loss",
    "mape_loss",
    "mse_loss",
    "msle_loss",
    "nll_loss",
    "param_groups",
    "pearson_loss",
    "register",
    "rmse_loss",
    "select",
    "silog_loss",
    "smape_loss",
    "smooth_l1_loss",
    "softmax_focal_loss",
    "symmetric_cross_entropy_loss",
    "totals",
    "tukey_loss",
    "welsch_loss",
    "wing_loss",
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
