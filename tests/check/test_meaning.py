"""What a loss means, where it is least, and what its weights do: faulty ones are found, sound ones spared."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.cases import BY_NAME, Case, generator
from tests.check import faulty_meaning, sound, sound_meaning
from tests.check.faulty_meaning import FAULTY
from tests.check.rows import two_of_each
from tests.check.sound import bits, classes, drawn
from torchobjectives.check import bounds, calibration, direction, meaning, minimum, structure
from torchobjectives.check._door import examined
from torchobjectives.check._kinds import set_kinds
from torchobjectives.check._report import LossReport
from torchobjectives.check._subject import Subject

CHECKS = (*structure.CHECKS, *meaning.CHECKS, *direction.CHECKS, *bounds.CHECKS, *minimum.CHECKS, *calibration.CHECKS)
SOUND = sound.SOUND | sound_meaning.SOUND


def report(loss: Callable[..., Any], example: tuple[Tensor, Tensor], arguments: dict[str, Any]) -> LossReport:
    subject = Subject(loss, *example, arguments.get("ignore_index"), arguments.get("prefers", ()))
    return examined(subject, CHECKS, arguments.get("y_pred_kind"), arguments.get("y_true_kind"))


@pytest.mark.parametrize("name", two_of_each(FAULTY))
def test_faults_are_found(name: str) -> None:
    make, example, code, arguments = FAULTY[name]
    found = report(make(), example(), arguments)
    assert {finding.code for finding in found.findings} & set(code.split(" | ")), str(found)
    for finding in found.findings:
        assert finding.message.endswith(".") or finding.message.endswith(")"), finding.message
        assert finding.evidence


@pytest.mark.grid
@pytest.mark.parametrize("name", SOUND)
@pytest.mark.parametrize("seed", [0, 1])
def test_sound_losses_are_spared(name: str, seed: int) -> None:
    make, example, arguments = SOUND[name]
    y_pred, y_true = example()
    paired = "prefers" not in arguments and name not in ("text_to_image", "matched_pairs")
    if seed and paired and y_pred.ndim and len(y_pred) == len(y_true):
        order = torch.randint(len(y_pred), (2 * len(y_pred),), generator=torch.Generator().manual_seed(seed))
        y_pred, y_true = y_pred[order], y_true[order]
    found = report(make(), (y_pred, y_true), arguments)
    assert found, str(found)


@pytest.mark.grid
@pytest.mark.parametrize("case", BY_NAME.values(), ids=lambda case: case.name)
def test_our_own_are_spared(case: Case) -> None:
    for variant in case.variants:
        found = report(case.make(variant), variant.sample(generator(7), 16), {})
        assert found, str(found)


def test_certain_kinds_make_errors() -> None:
    loss, example = faulty_meaning.negated_bce, (2 * drawn(32), bits(32))
    inferred = report(loss, example, {})
    said = report(loss, example, {"y_pred_kind": "logits", "y_true_kind": "binary"})
    assert [finding.level for finding in inferred.findings] == ["warning"]
    assert [finding.level for finding in said.findings] == ["error"]


@pytest.mark.parametrize("name", ["doubled_given", "classes_viewed_given", "difference_only_given"])
def test_faults_of_certain_kinds_are_errors(name: str) -> None:
    make, example, code, arguments = FAULTY[name]
    found = report(make(), example(), arguments)
    assert code in {finding.code for finding in found.errors}, str(found)


def test_words_name_the_numbers() -> None:
    found = report(faulty_meaning.twice_softmax, (drawn(16, 4), classes(4, 16)), {})
    (finding,) = found.errors
    assert "still costs 0.7437" in finding.message
    assert "a second softmax is inside: softmax at faulty_meaning.py, line" in finding.message
    (finding,) = report(nn.CrossEntropyLoss(), (drawn(16, 4).softmax(1), classes(4, 16)), {}).errors
    assert finding.message.startswith("y_pred looks like probabilities (rows sum to 1), but the loss applies softmax")
    (finding,) = report(F.nll_loss, (drawn(16, 4), classes(4, 16)), {}).errors
    assert "These are logits" in finding.message
    assert "F.log_softmax(y_pred, dim=1)" in finding.fix


def test_a_pair_is_preferred() -> None:
    good, bad = drawn(8, seed=5), drawn(8)
    found = report(F.mse_loss, (bad, good), {"prefers": [(good, bad), (bad, good)]})
    (finding,) = found.errors
    assert finding.code == "wrong-direction"
    assert "Pair 1 of prefers" in finding.message
    assert finding.evidence["worse"] == 0


def test_the_true_probability_is_said() -> None:
    (finding,) = report(faulty_meaning.focal, (2 * drawn(32), bits(32)), {}).notes
    assert finding.code == "improper"
    assert "If the true probability is 0.90, this loss is minimal at 0.7" in finding.message
    plain = F.binary_cross_entropy_with_logits
    assert not report(plain, (2 * drawn(32), bits(32)), {}).findings


def test_weights_that_do_their_work_are_not_noted() -> None:
    for loss in (sound_meaning.PerClassAlpha(), nn.BCEWithLogitsLoss(pos_weight=torch.tensor(3.0))):
        notes = report(loss, (2 * drawn(32), bits(32)), {}).notes
        assert "hyper-parameter" not in {finding.code for finding in notes}
    weighted = nn.CrossEntropyLoss(weight=torch.tensor([1.0, 2.0, 0.5]))
    notes = report(weighted, (drawn(16, 3), classes(3, 16)), {}).notes
    assert "hyper-parameter" not in {finding.code for finding in notes}


KINDS: dict[str, tuple[str | None, str | None]] = {
    "mse": ("real", "values"),
    "cross_entropy": ("logits", "class_indices"),
    "nll": ("log_probabilities", "class_indices"),
    "kl": ("log_probabilities", "probabilities"),
    "focal": ("logits", "binary"),
    "contrastive": ("embedding", "labels_of_embeddings"),
    "pairwise_ranking": ("scores", "ranks"),
    "matched_pairs": (None, "values"),
    "barlow": (None, "values"),
    "proxies": (None, "class_indices"),
    "gaussian_nll": (None, None),
    "policy_gradient": (None, "values"),
    "cox": (None, "values"),
    "pair_distance": (None, "binary"),
    "critic": (None, "binary"),
    "least_squares": (None, "class_indices"),
    "least_squares_gan": (None, "binary"),
    "unit_margin": ("probabilities", "class_indices"),
}


@pytest.mark.parametrize("name", KINDS)
def test_kinds_are_inferred_where_that_is_safe(name: str) -> None:
    make, example, _ = SOUND[name]
    subject = Subject(make(), *example())
    set_kinds(subject, None, None)
    assert (subject.pred_kind, subject.true_kind) == KINDS[name]
