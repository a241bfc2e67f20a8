"""The public face: frozen names, laziness, documentation of every name."""

from __future__ import annotations

import ast
import doctest
import importlib
import importlib.metadata
import inspect
import pkgutil
import subprocess
import sys
from pathlib import Path

import pytest

import torchobjectives
from torchobjectives import _exports, functional

ROOT = Path(__file__).resolve().parent.parent

PUBLIC = """
    ActivePassiveLoss AdaptiveLogSoftmaxLoss AsymmetricLoss BalancedL1Loss BalancedSoftmaxLoss BarronLoss BetaNLLLoss
    BiTemperedLoss BinaryCrossEntropyLoss BootstrapLoss BrierLoss CCCLoss CRPSGaussianLoss CauchyLoss CharbonnierLoss
    ConfidencePenaltyLoss CosineSimilarityLoss CrammerSingerLoss CrossEntropyLoss DiceLoss ElasticNet EntmaxLoss
    EpsilonInsensitiveLoss EvidentialRegressionLoss ExpectileLoss FocalLoss ForwardCorrectionLoss GCELoss GHMCLoss
    GHMRLoss GammaNLLLoss GaussianNLLLoss GemanMcClureLoss GeneralizedJSDLoss GroupLasso HLGaussLoss HingeLoss
    HuberLoss L1 L1Loss L2 LDAMLoss LaplaceNLLLoss LogCoshLoss LogitAdjustedLoss LogitNormLoss Loss LossCheckError
    MAEClassificationLoss MAPELoss MCCLoss MSELoss MSLELoss MultiMarginLoss NLLLoss NNPULoss NegativeBinomialNLLLoss
    NormalizedCrossEntropyLoss OHEMLoss Objective PairwiseAUCLoss PearsonLoss Penalty Plan PoissonNLLLoss Poly1Loss
    QuantileLoss RMSELoss SMAPELoss SeesawLoss SiLogLoss SmoothL1Loss SoftFBetaLoss SoftMarginLoss SoftmaxFocalLoss
    SparsemaxLoss Spec StudentTNLLLoss SymmetricCrossEntropyLoss TukeyLoss TweedieLoss WelschLoss WingLoss ZLPRLoss
    ZLoss active_passive_loss as_loss asymmetric_loss balanced_l1_loss balanced_softmax_loss barron_loss beta_nll_loss
    bi_tempered_loss binary_cross_entropy_loss bootstrap_loss brier_loss cauchy_loss ccc_loss charbonnier_loss
    check_loss class_balanced_weights confidence_penalty_loss cosine_schedule cosine_similarity_loss
    crammer_singer_loss cross_entropy_loss crps_gaussian_loss dice_loss entmax_loss epsilon_insensitive_loss
    evidential_regression_loss expectile_loss focal_loss for_huggingface for_skorch forward_correction_loss from_config
    gamma_nll_loss gaussian_nll_loss gce_loss geman_mcclure_loss generalized_jsd_loss get ghmc_loss ghmr_loss
    global_mean guard_loading hinge_loss hl_gauss_loss huber_loss l1_loss lambda_max laplace_nll_loss ldam_loss
    linear_schedule log_cosh_loss logit_adjusted_loss logit_norm_loss mae_classification_loss mape_loss mcc_loss
    mse_loss msle_loss multi_margin_loss negative_binomial_nll_loss nll_loss nnpu_loss normalized_cross_entropy_loss
    ohem_loss pairwise_auc_loss param_groups parameter_table parametrize_with_loss_checks pearson_loss poisson_nll_loss
    poly1_loss quantile_loss register regularization_path rmse_loss seesaw_loss select select_features silog_loss
    smape_loss smooth_l1_loss soft_fbeta_loss soft_margin_loss softmax_focal_loss sparsemax_loss sparsity stationarity
    student_t_nll_loss symmetric_cross_entropy_loss totals tukey_loss tweedie_loss watch welsch_loss wing_loss z_loss
    zlpr_loss
"""
LOSS_FUNCTIONS = [name for pairs in _exports.FAMILIES.values() for _, name in pairs if name]
EXAMPLES = [m.name for m in pkgutil.walk_packages(torchobjectives.__path__, "torchobjectives.")]


def test_the_version_is_the_installed_one() -> None:
    assert torchobjectives.__version__ == importlib.metadata.version("torchobjectives")


def test_the_public_names_are_frozen() -> None:
    assert sorted(torchobjectives.__all__) == sorted(PUBLIC.split())
    assert sorted(functional.__all__) == sorted(LOSS_FUNCTIONS)
    assert set(torchobjectives.__all__) == set(_exports.HOMES)


def test_the_lazy_root_and_its_types_agree() -> None:
    tree = ast.parse((ROOT / "src/torchobjectives/__init__.py").read_text(encoding="utf-8"))
    typed = {
        alias.name: str(node.module).removeprefix("torchobjectives.")
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module not in ("torchobjectives._exports", "torchobjectives")
        for alias in node.names
        if alias.asname
    }
    assert typed == _exports.HOMES
    for name in torchobjectives.__all__:
        assert getattr(torchobjectives, name) is not None
        assert name in dir(torchobjectives)
    for name in LOSS_FUNCTIONS:
        assert getattr(functional, name) is getattr(torchobjectives, name)
    with pytest.raises(AttributeError, match="Did you mean 'HuberLoss'"):
        _ = torchobjectives.HubrLoss  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import torchobjectives; dir(torchobjectives)", ["torch", "numpy"]),
        ("import torchobjectives; torchobjectives.HuberLoss", ["lightning", "sklearn", "polars", "matplotlib"]),
        ("import torchobjectives.functional", ["torchobjectives.objective", "lightning", "sklearn"]),
        ("import torchobjectives; torchobjectives.focal_loss", ["torchobjectives.losses.multiclass"]),
        ("import torchobjectives.integrations", ["transformers", "accelerate", "skorch", "sklearn", "ignite"]),
    ],
)
def test_nothing_is_imported_before_it_is_used(code: str, absent: list[str]) -> None:
    code += f"; import sys; print([m for m in {absent!r} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_losses_import_downwards_only() -> None:
    for path in (ROOT / "src/torchobjectives/losses").glob("*.py"):
        source = path.read_text(encoding="utf-8")
        for above in ("workbench", "fuse", "check", "integrations", "cli", "objective", "penalties", "params"):
            assert f"torchobjectives.{above}" not in source, f"{path.name} imports {above}"


@pytest.mark.parametrize("name", sorted(LOSS_FUNCTIONS))
def test_every_loss_is_documented(name: str) -> None:
    function = getattr(functional, name)
    text = inspect.getdoc(function) or ""
    for part in (".. math::", "Args:", "Raises:", ">>> ", "Source:", "Elsewhere:", "One value per", "y_pred", "y_true"):
        assert part.lower() in text.lower() or (part == "One value per" and "one value per batch" in text), part
    for argument in inspect.signature(function).parameters:
        assert f"{argument}: " in text, f"{name}: {argument} is not described"
    binary = "from_logits" in inspect.signature(function).parameters
    if binary:
        assert "from_logits=False" in text.splitlines()[0], "the first line says what y_pred holds"


def test_examples_of_all_modules_are_run() -> None:
    assert {"torchobjectives.losses.binary", "torchobjectives.penalties.norms", "torchobjectives._loss"} <= set(
        EXAMPLES
    )


@pytest.mark.parametrize("name", EXAMPLES)
def test_examples_in_docstrings(name: str) -> None:
    if name.endswith("__main__"):
        return
    found = doctest.testmod(importlib.import_module(name))
    assert not found.failed


def test_files_stay_short() -> None:
    for path in (ROOT / "src").rglob("*.py"):
        lines = path.read_text(encoding="utf-8").splitlines()
        code = ast.parse("\n".join(lines))
        prose = sum(
            len((ast.get_docstring(node, clean=False) or "").splitlines())
            for node in ast.walk(code)
            if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef))
        )
        assert len(lines) - prose <= 500, f"{path.name} has {len(lines) - prose} lines beside its docstrings"
