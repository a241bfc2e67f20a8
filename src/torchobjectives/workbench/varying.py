"""Which values of a hyper-parameter a picture shows: asked for with ``--vary``, or the ones that tell the most."""

import math
from dataclasses import dataclass
from typing import Any

from torchobjectives import Loss
from torchobjectives._registry import get
from torchobjectives._validate import near
from torchobjectives.workbench import samples
from torchobjectives.workbench.errors import InputError

MOST = 6  # more lines are not told apart without colour
WORDS = {"true": True, "false": False}
# What is no property of the curve: how much units weigh, and how a batch is made one number.
FIXED = ("reduction", "ignore_index", "from_logits", "class_weight", "num_classes", "in_features", "cutoffs", "dim")


@dataclass(frozen=True)
class Variation:
    """A hyper-parameter and the values that it takes."""

    name: str
    values: tuple[Any, ...]


VARIATIONS = {
    loss: Variation(name, values)
    for loss, name, values in (
        ("active_passive_loss", "passive", ("rce", "mae")),
        ("asymmetric_loss", "gamma_neg", (0.0, 2.0, 4.0)),
        ("balanced_l1_loss", "gamma", (1.0, 1.5, 2.0)),
        ("barron_loss", "alpha", (2.0, 1.0, 0.0, -2.0, -math.inf)),
        ("bi_tempered_loss", "t2", (1.0, 1.2, 2.0)),
        ("binary_cross_entropy_loss", "label_smoothing", (0.0, 0.1, 0.3)),
        ("bootstrap_loss", "beta", (1.0, 0.95, 0.8)),
        ("cauchy_loss", "scale", (0.5, 1.0, 2.0)),
        ("charbonnier_loss", "eps", (1e-3, 0.5, 1.0)),
        ("confidence_penalty_loss", "beta", (0.0, 0.1, 0.5)),
        ("crammer_singer_loss", "margin", (0.5, 1.0, 2.0)),
        ("cross_entropy_loss", "label_smoothing", (0.0, 0.1, 0.3)),
        ("dice_loss", "smooth", (0.0, 1.0)),
        ("entmax_loss", "alpha", (1.1, 1.5, 2.0)),
        ("epsilon_insensitive_loss", "epsilon", (0.1, 0.5, 1.0)),
        ("evidential_regression_loss", "coefficient", (0.0, 0.01, 0.1)),
        ("expectile_loss", "tau", (0.1, 0.5, 0.9)),
        ("focal_loss", "gamma", (0.0, 1.0, 2.0, 5.0)),
        ("gce_loss", "q", (0.1, 0.4, 0.7, 1.0)),
        ("geman_mcclure_loss", "scale", (0.5, 1.0, 2.0)),
        ("generalized_jsd_loss", "pi", (0.1, 0.5, 0.9)),
        ("ghmr_loss", "mu", (0.02, 0.2, 1.0)),
        ("hinge_loss", "margin", (0.5, 1.0, 2.0)),
        ("hl_gauss_loss", "sigma", (0.25, 0.5, 1.0)),
        ("huber_loss", "delta", (0.5, 1.0, 2.0)),
        ("ldam_loss", "max_margin", (0.0, 0.5, 1.0)),
        ("logit_adjusted_loss", "tau", (0.0, 1.0, 2.0)),
        ("logit_norm_loss", "temperature", (0.04, 0.2, 1.0)),
        ("multi_margin_loss", "p", (1, 2)),
        ("nnpu_loss", "prior", (0.1, 0.3, 0.5)),
        ("ohem_loss", "fraction", (0.3, 0.7, 1.0)),
        ("pairwise_auc_loss", "margin", (0.5, 1.0, 2.0)),
        ("poly1_loss", "epsilon", (-1.0, 0.0, 1.0, 2.0)),
        ("quantile_loss", "quantiles", (0.1, 0.5, 0.9)),
        ("seesaw_loss", "p", (0.0, 0.8, 2.0)),
        ("silog_loss", "lambd", (0.0, 0.5, 1.0)),
        ("smooth_l1_loss", "beta", (0.5, 1.0, 2.0)),
        ("soft_fbeta_loss", "beta", (0.5, 1.0, 2.0)),
        ("softmax_focal_loss", "gamma", (0.0, 1.0, 2.0, 5.0)),
        ("student_t_nll_loss", "df", (1.0, 4.0, 30.0)),
        ("symmetric_cross_entropy_loss", "alpha", (0.0, 0.1, 1.0)),
        ("tukey_loss", "c", (2.0, 4.685, 8.0)),
        ("tweedie_loss", "power", (1.1, 1.5, 1.9)),
        ("welsch_loss", "scale", (0.5, 1.0, 2.0)),
        ("wing_loss", "width", (5.0, 10.0, 20.0)),
        ("z_loss", "coefficient", (0.0, 1e-4, 1e-2)),
    )
}


def parse(text: str, loss: str, kind: type[Loss]) -> Variation:
    """Read ``"gamma=0,1,2,5"``, and check that the loss takes these values.

    Raises:
        InputError: it cannot be read, or the loss refuses a value.
    """
    said = f'--vary "{text}"'
    name, equals, listed = (part.strip() for part in text.partition("="))
    if not equals or not name or not listed:
        raise InputError(f"{said}: wanted a hyper-parameter and its values, such as {_suggestion(loss, kind)}")
    known = [field for field in kind.fields() if field not in FIXED]
    if name in kind.fields() and name not in known:
        raise InputError(f"{said}: a curve does not show {name}. {_known(loss, known)}")
    if name not in known:
        raise InputError(
            f"{said}: {loss} has no hyper-parameter {name!r}. {near(name, known) if known else ''}".rstrip()
        )
    texts = [value.strip() for value in listed.split(",")]
    values = tuple(_value(value, kind.fields()[name].default, said) for value in texts)
    if len(set(values)) < len(values):
        raise InputError(f"{said}: a value is given twice")
    if len(values) > MOST:
        raise InputError(f"{said}: {len(values)} values; more than {MOST} lines cannot be told apart")
    for value, typed in zip(values, texts, strict=True):
        try:
            get(loss, **{**samples.needed(kind), name: value})
        except (TypeError, ValueError) as error:
            raise InputError(f"{said}: {name}={typed}: {error}") from error
    return Variation(name, values)


def _value(text: str, default: Any, said: str) -> Any:
    if isinstance(default, bool):
        if text.lower() not in WORDS:
            raise InputError(f"{said}: {text or 'nothing'} is neither true nor false")
        return WORDS[text.lower()]
    if isinstance(default, str):
        return text
    try:
        value = float(text)
    except ValueError:
        raise InputError(f"{said}: {text or 'nothing'} is not a number; wanted numbers with commas between") from None
    return int(value) if isinstance(default, int) and value.is_integer() else value


def _known(loss: str, known: list[str]) -> str:
    return f"It shows {', '.join(known)}." if known else f"{loss} has nothing that could be varied."


def _suggestion(loss: str, kind: type[Loss]) -> str:
    """A variation to try, as it would be typed."""
    chosen = VARIATIONS.get(loss)
    if chosen is None:
        return "gamma=0,1,2"
    return f"{chosen.name}={','.join(f'{v:g}' if isinstance(v, float) else str(v) for v in chosen.values)}"
