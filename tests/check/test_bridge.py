"""The checks as tests of pytest."""

import builtins
from collections.abc import Callable
from typing import Any

import pytest
import torch.nn.functional as F
from torch import Tensor, nn

from tests.check.faulty_state import DropoutAlways, fills_the_ignored, logits, pixels, vectors
from tests.check.sound import drawn
from torchobjectives import SoftFBetaLoss
from torchobjectives.check import _door, degenerate, owned, saved, state, structure, tools
from torchobjectives.check._report import LossCheckError
from torchobjectives.check.pytest import parametrize_with_loss_checks

CHECKS = (*structure.CHECKS, *state.CHECKS, *owned.CHECKS, *saved.CHECKS, *tools.CHECKS)
QUICK = [check.name for check in CHECKS if not check.slow]


@pytest.fixture(autouse=True)
def _all_checks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_door, "CHECKS", CHECKS)


def made_of(*cases: Any) -> dict[str, Callable[[], None]]:
    """The tests that are made, by their ids."""
    made: Any = parametrize_with_loss_checks(cases)
    assert made.mark.args[0] == ("loss", "check")
    return {row.id: (lambda row=row: row.values[1](row.values[0])) for row in made.mark.args[1]}


@parametrize_with_loss_checks([(nn.MSELoss(), *vectors()), (nn.CrossEntropyLoss(), *logits())])
def test_sound_losses(loss: Any, check: Any) -> None:
    check(loss)


def test_one_test_for_each_loss_and_check() -> None:
    made = made_of((nn.MSELoss(), *vectors()), (nn.L1Loss(), *vectors()), (nn.MSELoss(), *vectors()))
    assert list(made) == [f"{name}-{check}" for name in ("MSELoss", "L1Loss", "MSELoss_2") for check in QUICK]


def test_a_check_fails_with_its_words() -> None:
    made = made_of((fills_the_ignored, *pixels(), {"ignore_index": 255}))
    with pytest.raises(LossCheckError, match="y_true was changed in place by") as caught:
        made["fills_the_ignored-leaves-its-input"]()
    assert caught.value.report.checks == ("leaves-its-input",)
    made["fills_the_ignored-pickles"]()


def test_a_warning_fails_and_a_note_passes() -> None:
    made = made_of((DropoutAlways(), *logits()))
    with pytest.raises(LossCheckError, match="warning nondeterministic"):
        made["DropoutAlways-repeats"]()

    class Dropout(nn.Module):
        def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
            return F.mse_loss(F.dropout(y_pred, 0.5, self.training), y_true)

    made_of((Dropout(), *vectors()))["Dropout-repeats"]()


def test_what_is_expected_passes() -> None:
    made_of((DropoutAlways(), *logits(), {"expected": {"nondeterministic": "noise is the point"}}))[
        "DropoutAlways-repeats"
    ]()
    case = {"loss": DropoutAlways(), "y_pred": logits()[0], "y_true": logits()[1], "y_pred_kind": "logits"}
    made_of({**case, "expected": {"nondeterministic": "noise is the point"}})["DropoutAlways-repeats"]()


def test_what_a_spec_expects_passes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_door, "CHECKS", (*structure.CHECKS, *degenerate.CHECKS))
    masks = drawn(3, 1, 8, 8), (drawn(3, 1, 8, 8, seed=5) > 0.3).float()
    made_of((SoftFBetaLoss(), *masks))["SoftFBetaLoss-slope-on-empty-truth"]()


def test_what_does_not_apply_is_skipped() -> None:
    made = made_of((lambda p, t: (p - t) ** 2, *vectors()))
    with pytest.raises(LossCheckError, match="not-scalar"):
        made["<lambda>-one-number"]()
    with pytest.raises(pytest.skip.Exception, match="repeats: not-scalar was found before"):
        made["<lambda>-repeats"]()
    made = made_of((lambda p, t: (p - t).mean() / 0, *vectors()))
    with pytest.raises(pytest.skip.Exception, match="the example's loss is no finite number"):
        made["<lambda>-repeats"]()


def test_a_check_takes_another_loss() -> None:
    made: Any = parametrize_with_loss_checks([(nn.MSELoss(), *vectors())])
    check = next(row.values[1] for row in made.mark.args[1] if row.id == "MSELoss-one-number")
    check(nn.L1Loss())
    with pytest.raises(LossCheckError, match="not-scalar"):
        check(nn.L1Loss(reduction="none"))
    assert repr(check) == "one-number"


@pytest.mark.parametrize(
    ("cases", "error", "words"),
    [
        ([], ValueError, "cases is empty"),
        ([nn.MSELoss()], TypeError, r"a case is a MSELoss, wanted \(loss, y_pred, y_true\)"),
        ([(nn.MSELoss(), *vectors(), {}, 1)], TypeError, "a case is a tuple of 5 parts"),
        ([{"loss": nn.MSELoss()}], TypeError, "a case is a dict of 1 parts"),
        ([(nn.MSELoss, *vectors())], TypeError, r"wanted an instance: MSELoss\(\)"),
        ([(nn.MSELoss(), 1, 2)], TypeError, "y_pred is a int"),
        ([(nn.MSELoss(), *vectors(), {"y_pred_kinds": "real"})], TypeError, "Did you mean 'y_pred_kind'"),
        ([(nn.MSELoss(), *vectors(), {"y_pred_kind": "logit"})], ValueError, "y_pred_kind"),
        ([(nn.MSELoss(), *vectors(), {"expected": {"whole-batch": ""}})], ValueError, "wanted the reason in words"),
        ([(nn.MSELoss(), *vectors(), {"prefers": [(drawn(2), drawn(2))]})], ValueError, "wanted that of y_pred"),
    ],
)
def test_a_case_that_is_none(cases: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        parametrize_with_loss_checks(cases)


def test_pytest_is_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def without(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "pytest":
            raise ModuleNotFoundError("No module named 'pytest'")
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match="pip install pytest"):
        parametrize_with_loss_checks([(nn.MSELoss(), *vectors())])
