"""Every row of the table: the calls are run and compared, in value and gradient."""

from __future__ import annotations

import inspect
import math
import re
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import torchobjectives
from tests.parity.inputs import INPUTS, C
from tests.parity.rows import ABSENT, OTHERS, PEERS, REASONS, ROWS, Row
from torchobjectives import _exports

# What a row that says "no" must be apart by, relatively.
APART = 1e-3
# What a library's own arithmetic leaves at best: keras on torch averages in float32.
LEAST = {"keras": 1e-6}


def names(peer: str) -> dict[str, Any]:
    """What the calls of a library may name."""
    if peer == "optax":
        import jax
        import optax

        return {
            "optax": optax,
            "one_hot": jax.nn.one_hot,
            "logsumexp": lambda x: jax.scipy.special.logsumexp(x, axis=-1),
            "last": lambda x: jax.numpy.moveaxis(x, 1, -1),
        }
    if peer == "scikit-learn":
        import scipy.special
        from sklearn import metrics
        from sklearn._loss import loss

        return {"metrics": metrics, "_loss": loss, "np": np, "softmax": scipy.special.softmax}
    module = {"MONAI": "monai.losses", "kornia": "kornia.losses", "neuralforecast": "neuralforecast.losses.pytorch"}
    found = import_module(module.get(peer, peer))
    if peer == "neuralforecast":
        return {"nf": found}
    root = import_module(module.get(peer, peer).split(".")[0])
    more = {"one_hot": torch.nn.functional.one_hot, "ops": getattr(root, "ops", None)}
    return {peer.lower(): root, **more}


def pair(row: Row, seed: int) -> tuple[Tensor, Tensor]:
    p, y = INPUTS[row.inputs][1](torch.Generator().manual_seed(seed))
    return p, y


Numbers = tuple[float, np.ndarray | None]


def weights(y: Tensor) -> Tensor:
    return torch.arange(1.0, len(y) + 1, dtype=torch.float64)


def ours(row: Row, p: Tensor, y: Tensor) -> Numbers:
    leaf = p.clone().requires_grad_()
    functions = {name: getattr(torchobjectives, name) for name in _exports.LOSSES if hasattr(torchobjectives, name)}
    value = eval(row.ours, {**functions, "p": leaf, "y": y, "C": C, "w": weights(y), "stack": torch.stack})
    (slope,) = torch.autograd.grad(value, leaf)
    return value.item(), slope.numpy()


def theirs(row: Row, p: Tensor, y: Tensor) -> Numbers:
    known = names(row.peer) | {"C": C, "N": len(p)}
    if row.peer == "optax":
        import jax
        import jax.numpy as jnp

        def call(leaf: Any) -> Any:
            return eval(row.theirs, {**known, "p": leaf, "y": jnp.asarray(y.numpy())})

        value, slope = jax.value_and_grad(call)(jnp.asarray(p.numpy()))
        return float(value), np.asarray(slope)
    if row.peer == "scikit-learn":
        known |= {"p": p.numpy(), "y": y.numpy(), "w": weights(y).numpy()}
        return float(eval(row.theirs, known)), eval(row.slope, known) if row.slope else None
    leaf = p.clone().requires_grad_()
    value = eval(row.theirs, {**known, "p": leaf, "y": y})
    (slope,) = torch.autograd.grad(value, leaf)
    return value.item(), slope.numpy()


@pytest.mark.parametrize("number", range(len(ROWS)), ids=[f"{r.peer}-{r.ours.split('(')[0]}-{r.inputs}" for r in ROWS])
def test_rows(number: int, record_property: Callable[[str, object], None]) -> None:
    row = ROWS[number]
    p, y = pair(row, 0)
    has_slope = theirs(row, p, y)[1] is not None
    equal = "no" if row.why else ("value, gradient" if has_slope else "value")
    record_property("parity", (number, equal))
    rtol = max(row.rtol, LEAST.get(row.peer, 0.0))
    apart = []
    for seed in range(3):
        p, y = pair(row, seed)
        (our, our_slope), (their, their_slope) = ours(row, p, y), theirs(row, p, y)
        if row.why:
            apart.append(math.isnan(their) or abs(our - their) > APART * abs(our))
            continue
        assert their == pytest.approx(our, rel=rtol, abs=1e-12)
        if their_slope is not None:
            np.testing.assert_allclose(their_slope, our_slope, rtol=rtol, atol=max(1e-10, rtol / 10))
    assert not row.why or any(apart), "they are equal by now"


def documentation() -> dict[str, str]:
    """The Elsewhere section of every loss."""
    found = {}
    for name, (class_name, _) in _exports.LOSSES.items():
        doc = inspect.getdoc(getattr(torchobjectives, name, None) or getattr(torchobjectives, class_name)) or ""
        found[name] = " ".join(doc.partition("Elsewhere:")[2].split())
    return found


def claims() -> set[tuple[str, str]]:
    """The pairs of a loss and a library of the group that its documentation names."""
    words = {peer: re.escape(peer) for peer in PEERS} | {"entmax": "``entmax``"}
    return {
        (loss, peer)
        for loss, text in documentation().items()
        for peer, word in words.items()
        if re.search(rf"(?<![\w-]){word}(?![\w-])", text)
    }


def called() -> set[tuple[str, str]]:
    return {(name, row.peer) for row in ROWS for name in re.findall(r"\w+_loss", row.ours)}


def test_every_claim_has_a_row_or_a_reason() -> None:
    assert len(claims()) > 50
    unproven = claims() - called() - set(ABSENT) - set(REASONS)
    assert unproven == set(), "docstrings name these libraries: add a row, a pattern in ABSENT, or a reason"
    assert not (set(ABSENT) | set(REASONS)) & called()
    assert (set(ABSENT) | set(REASONS)) <= claims(), "an exception without a claim"


def public_losses(peer: str) -> set[str]:
    """The public names among which a library's losses are."""
    known = names(peer)
    if peer == "scikit-learn":
        return {*vars(known["metrics"]), *vars(known["_loss"])}
    if peer == "optax":
        return {*vars(known["optax"]), *vars(known["optax"].losses)}
    return set(
        vars(known["nf"] if peer == "neuralforecast" else getattr(known[peer.lower()], "losses", known[peer.lower()]))
    )


@pytest.mark.parametrize(("loss", "peer"), ABSENT)
def test_what_a_library_is_said_not_to_have(loss: str, peer: str) -> None:
    found = [name for name in public_losses(peer) if re.search(ABSENT[loss, peer], name, re.IGNORECASE)]
    assert found == [], f"{loss} says that {peer} has none"


NO_LOSSES = [
    "serialize",
    "deserialize",
    "get",
    "total_variation",
    "make_fenchel_young_loss",
    "smooth_labels",
    "cosine_similarity",
    "l2_loss",
    "Accuracy",
    "BasePointLoss",
    "QuantileLayer",
    "BaseLoss",
]


def all_losses(peer: str) -> set[str]:
    """What a library offers as losses."""
    known = names(peer)
    if peer == "scikit-learn":
        functions = [name for name in known["metrics"].__all__ if re.search("(loss|error|deviance)$", name)]
        own = [o for o in vars(known["_loss"]).values() if getattr(o, "__module__", "") == known["_loss"].__name__]
        classes = [o.__name__ for o in own if inspect.isclass(o) and not re.search("ArrayAPI|^BaseLoss", o.__name__)]
        return {*functions, *classes}
    if peer == "neuralforecast":
        return set(known["nf"].__all__)
    if peer == "entmax":
        return {name for name in dir(known["entmax"]) if name.endswith("_loss")}
    found = vars(known[peer.lower()].losses)
    if peer == "MONAI":
        return {name for name, o in found.items() if inspect.isclass(o) and name.endswith("Loss")}
    return {name for name, o in found.items() if inspect.isfunction(o) and (peer != "kornia" or "_loss" in name)}


@pytest.mark.parametrize("peer", PEERS)
def test_every_loss_of_a_library_has_a_row_or_stands_among_the_others(peer: str) -> None:
    words = {word for row in ROWS if row.peer == peer for word in re.findall(r"\w+", row.theirs)}
    others = set(OTHERS[peer].split())
    assert all_losses(peer) - words - set(NO_LOSSES) == others
    ours = {name.lower() for pair in _exports.LOSSES.items() for name in (pair[0], pair[1][0])}
    # Boosting's Huber takes a quantile of the errors for its δ.
    by_now = {name for name in others if {name.lower(), f"{name.lower()}_loss"} & ours} - {"HuberLoss"}
    assert by_now == set(), "there is one here by now: add a row"


def test_inputs_are_all_used_and_rows_are_different() -> None:
    assert {row.inputs for row in ROWS} == set(INPUTS)
    assert len({(row.theirs, row.ours, row.inputs) for row in ROWS}) == len(ROWS)


def test_a_false_row_would_be_seen() -> None:
    row = Row("kornia", "kornia.losses.cauchy_loss(p, y, reduction='mean')", "welsch_loss(p, y)")
    p, y = pair(row, 0)
    assert theirs(row, p, y)[0] != pytest.approx(ours(row, p, y)[0], rel=APART)
