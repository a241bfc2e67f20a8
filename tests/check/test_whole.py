"""All checks at once: nothing is said of what is sound, and the right thing of what is not."""

from typing import Any

import pytest
import torch

from tests.cases import CASES, Case, Variant, generator
from tests.check import (
    faulty_batches,
    faulty_meaning,
    faulty_numerics,
    faulty_state,
    faulty_structure,
    sound,
    sound_batches,
    sound_meaning,
    sound_numerics,
    sound_state,
)
from tests.check.torch_losses import PAGE, page
from tests.test_contract import REPRESENTATIVES
from torchobjectives.check import CODES, LossReport, check_loss
from torchobjectives.check._door import CHECKS, STUMBLED, checked_pairs, examined
from torchobjectives.check._subject import Subject

FAST = [check for check in CHECKS if not check.slow]
PARTS = {
    "": sound.SOUND,
    "batches": sound_batches.SOUND,
    "meaning": sound_meaning.SOUND,
    "numerics": sound_numerics.SOUND,
    "state": sound_state.SOUND,
}
FAULTY = {
    "structure": faulty_structure.FAULTY,
    "batches": faulty_batches.FAULTY,
    "meaning": faulty_meaning.FAULTY,
    "numerics": faulty_numerics.FAULTY,
    "state": faulty_state.FAULTY,
}
# Sound in what their table is about, and not in another thing, which is truly found.
KNOWN: dict[str, dict[str, str]] = {
    "batches-shuffled": {"nondeterministic": "it draws an order at random"},
    "batches-torch_soft_margin": {"nan-at-extremes": "torch's overflows at 300"},
    "meaning-torch_soft_margin": {"nan-at-extremes": "torch's overflows at 300"},
    "meaning-mixture_of_softmaxes": {"nan-at-extremes": "both parts are 0 in float32, and so is their sum"},
    "meaning-positive_unlabelled": {"empty-targets": "the mean of no positive"},
    "meaning-auc": {"empty-targets": "the mean of no pair"},
    "meaning-tversky": {"nan-gradient": "a root at 0"},
    "meaning-log_cosh_dice": {"empty-targets": "no slope on an empty mask"},
    "meaning-scatter": {"empty-targets": "no variance between the means of one class"},
    "state-cached_grid": {"order-dependent": "it weighs by place"},
    "state-cached_with_device": {"order-dependent": "it weighs by place"},
}


def checked(make: Any, example: Any, arguments: dict[str, Any]) -> LossReport:
    y_pred, y_true = example()
    pairs = checked_pairs(arguments.get("prefers", ()), y_pred)
    subject = Subject(make(), y_pred, y_true, arguments.get("ignore_index"), pairs)
    report = examined(
        subject, FAST, arguments.get("y_pred_kind"), arguments.get("y_true_kind"), arguments.get("expected")
    )
    assert not [skipped for skipped in report.skipped if skipped.reason.startswith(STUMBLED)], report.skipped
    return report


SOUND_ROWS = [
    pytest.param(f"{part}-{name}", row, id=f"{part}-{name}", marks=[pytest.mark.grid] if part else [])
    for part, rows in PARTS.items()
    for name, row in rows.items()
]


@pytest.mark.parametrize(("name", "row"), SOUND_ROWS)
def test_spares(name: str, row: sound.Row) -> None:
    make, example, arguments = row
    known = KNOWN.get(name, {})
    report = checked(make, example, {**arguments, "expected": {**arguments.get("expected", {}), **known}})
    assert report, str(report)
    # What is known must be found, or it is known no more.
    assert set(known) <= set(report.expected)


FAULTY_ROWS = [
    pytest.param(row, id=f"{part}-{name}", marks=[pytest.mark.grid])
    for part, rows in FAULTY.items()
    for name, row in rows.items()
]


@pytest.mark.grid
@pytest.mark.parametrize("row", FAULTY_ROWS)
def test_finds(row: faulty_structure.Faulty) -> None:
    make, example, code, arguments = row
    report = checked(make, example, arguments)
    assert set(map(str.strip, code.split("|"))) & {finding.code for finding in report.findings}, str(report)


@pytest.mark.grid
def test_torch_is_as_the_page_says() -> None:
    assert page() == PAGE.read_text(encoding="utf-8")


OWN = [
    pytest.param(
        case,
        variant,
        id=f"{case.name}-{number}",
        marks=[] if not number and case.name in REPRESENTATIVES else [pytest.mark.grid],
    )
    for case in CASES
    for number, variant in enumerate(case.variants)
]


@pytest.mark.parametrize(("case", "variant"), OWN)
def test_our_own(case: Case, variant: Variant) -> None:
    y_pred, y_true = variant.sample(generator(7), 16)
    report = check_loss(case.make(variant), y_pred, y_true, on_fail="return")
    assert report, str(report)
    assert not [skipped for skipped in report.skipped if skipped.reason.startswith(STUMBLED)]


@pytest.mark.parametrize(
    ("loss", "code"),
    [(case, code) for case in CASES for code in case.spec.expected],
    ids=lambda part: getattr(part, "name", part),
)
def test_what_a_spec_expects_is_found(loss: Case, code: str) -> None:
    """What is found no more is expected no more."""
    assert code in CODES
    hyper_parameters = {"absent": "count"} if loss.name == "dice_loss" else {}
    generator_of_masks = torch.Generator().manual_seed(0)
    y_pred = torch.randn(3, 1, 8, 8, generator=generator_of_masks)
    y_true = (torch.rand(3, 1, 8, 8, generator=generator_of_masks) > 0.6).float()
    report = check_loss(loss.loss_class(**hyper_parameters), y_pred, y_true)
    assert report.expected == {code: loss.spec.expected[code]}
