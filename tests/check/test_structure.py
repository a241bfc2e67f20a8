"""The checks of what every loss must be, and the door: arguments, reports, what is silenced."""

import json
import re
import signal
import time
import warnings
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from tests.check.faulty_structure import FAULTY, errors_counted, per_element, rounded
from tests.check.rows import two_of_each
from tests.check.sound import SOUND, drawn, mse
from torchobjectives.check import CODES, LossCheckError, LossReport, _door, check_loss, structure
from torchobjectives.check._check import Check
from torchobjectives.check._report import Finding
from torchobjectives.check._subject import Subject


def of_structure(name: str) -> LossReport:
    make, example, _, arguments = FAULTY[name]
    kinds = (arguments.get("y_pred_kind"), arguments.get("y_true_kind"))
    return _door.examined(Subject(make(), *example()), structure.CHECKS, *kinds)


@pytest.mark.parametrize("name", two_of_each(FAULTY))
def test_finds(name: str) -> None:
    report = of_structure(name)
    assert [finding.code for finding in report.findings] == [FAULTY[name][2]], report
    assert report.findings[0].level == "error"
    assert not [skipped for skipped in report.skipped if skipped.reason.startswith(_door.STUMBLED)]


@pytest.mark.parametrize("name", SOUND)
def test_spares(name: str) -> None:
    make, example, arguments = SOUND[name]
    kinds = (arguments.get("y_pred_kind"), arguments.get("y_true_kind"))
    report = _door.examined(Subject(make(), *example(), arguments.get("ignore_index")), structure.CHECKS, *kinds)
    assert not report.findings, report
    assert not [skipped for skipped in report.skipped if skipped.reason.startswith(_door.STUMBLED)]


def test_names_the_line_and_the_operation() -> None:
    for name, words in (
        ("errors_counted", "`argmax()` at faulty_structure.py, line"),
        ("as_item", "`item()`"),
        ("detached", "`detach()`"),
        ("per_class", "3 is the size of axis 1 of y_pred"),
        ("parts", "returns a tuple of 2 parts"),
        ("sklearn_order", "The signature is (target, input)"),
        ("wrong_call", "RuntimeError at faulty_structure.py, line"),
    ):
        assert words in " ".join(str(of_structure(name)).split()), name


def test_raises_warns_or_returns() -> None:
    example = drawn(16), drawn(16, seed=5)
    with pytest.raises(LossCheckError, match="not-scalar") as raised:
        check_loss(per_element, *example)
    assert isinstance(raised.value, AssertionError)
    assert raised.value.report.errors[0].code == "not-scalar"
    with pytest.warns(UserWarning, match="not-scalar"):
        assert not check_loss(per_element, *example, on_fail="warn")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        report = check_loss(per_element, *example, on_fail="return")
        assert check_loss(mse, *example)
    assert not report
    assert str(report).splitlines()[0] == "per_element: 1 error (not-scalar)"


def test_what_is_expected_is_silent_and_listed() -> None:
    reason = "a metric, for comparison"
    report = check_loss(errors_counted, drawn(16, 3), torch.arange(16) % 3, expected={"no-gradient": reason})
    assert report
    assert not report.findings
    assert report.expected == {"no-gradient": reason}
    assert f"expected no-gradient: {reason}" in str(report)


def test_plain_data() -> None:
    report = check_loss(per_element, drawn(16), drawn(16, seed=5), on_fail="return").to_dict()
    assert json.loads(json.dumps(report, allow_nan=False)) == report
    assert report["findings"][0]["code"] in CODES


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"loss": nn.MSELoss}, TypeError, r"MSELoss\(\)"),
        ({"loss": 3}, TypeError, "wanted a function"),
        ({"y_pred": [1.0]}, TypeError, "y_pred is a list, wanted a tensor"),
        ({"y_true": None}, TypeError, "y_true is a NoneType"),
        ({"y_pred_kind": "logit"}, ValueError, "Did you mean 'logits'"),
        ({"y_true_kind": "class"}, ValueError, "class_indices"),
        ({"expected": {"no-gradients": "x"}}, ValueError, "Did you mean 'no-gradient'"),
        ({"expected": {"no-gradient": " "}}, ValueError, "the reason in words"),
        ({"prefers": [torch.zeros(3)]}, TypeError, "pairs of tensors"),
        ({"prefers": [(torch.zeros(3), torch.zeros(2))]}, ValueError, "wanted that of y_pred"),
        ({"on_fail": "ignore"}, ValueError, "on_fail"),
        ({"expected": ["no-gradient"]}, TypeError, "wanted codes with reasons"),
        ({"prefers": None}, TypeError, "prefers is None, wanted pairs"),
        ({"ignore_index": "-100"}, TypeError, "wanted the integer"),
        ({"y_pred": torch.eye(3).to_sparse()}, TypeError, "y_pred is sparse, wanted a dense tensor"),
        ({"y_true": torch.zeros(3, device="meta")}, TypeError, "on the meta device"),
    ],
)
def test_wrong_arguments(arguments: dict[str, object], error: type[Exception], said: str) -> None:
    given = {"loss": mse, "y_pred": drawn(3), "y_true": drawn(3, seed=5), **arguments}
    with pytest.raises(error, match=said):
        check_loss(**given)  # type: ignore[arg-type]


def test_random_numbers_gradients_and_warnings_are_what_they_were() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    loss = nn.MSELoss()
    loss.train()
    with torch.no_grad():
        check_loss(loss, drawn(16), drawn(16, seed=5))
        assert not torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), before)
    assert loss.training
    y_pred = drawn(16).requires_grad_()
    check_loss(loss, y_pred, drawn(16, seed=5))
    assert y_pred.grad is None


def test_a_slow_loss_is_skipped_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_door, "SECONDS", 0.2)

    def slow(subject: Subject) -> list[Finding]:
        time.sleep(5)
        return []

    began = time.monotonic()
    report = _door.examined(Subject(mse, drawn(4), drawn(4)), [Check("slow", slow)])  # type: ignore[arg-type]
    assert time.monotonic() - began < 3
    assert [skipped.check for skipped in report.skipped] == ["slow"]
    assert "longer than 0.2 s" in str(report)
    assert str(report).splitlines()[0] == "mse: clean, 0 checks; 1 check did not come to an end"
    assert signal.getitimer(signal.ITIMER_REAL)[0] == 0


def test_a_check_that_stumbles_hides_nothing() -> None:
    def stumbles(subject: Subject) -> list[Finding]:
        raise KeyError("what")

    checks = [*structure.CHECKS, Check("stumbles", stumbles)]  # type: ignore[arg-type]
    report = _door.examined(Subject(per_element, drawn(4), drawn(4, seed=5)), checks)
    assert report.errors
    assert any(re.match(_door.STUMBLED, skipped.reason) for skipped in report.skipped)


def test_every_code_is_said_in_words() -> None:
    for code, words in CODES.items():
        assert re.fullmatch(r"[a-z0-9-]+", code)
        assert words == words.strip(".")
    listed = (Path(__file__).resolve().parents[2] / "docs/check/codes.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `([a-z0-9-]+)` \|", listed, re.MULTILINE) == sorted(CODES)


def test_never_a_truth_that_requires_grad() -> None:
    def strict(y_pred: Tensor, y_true: Tensor) -> Tensor:
        assert not y_true.requires_grad
        return ((y_pred - y_true) ** 2).mean()

    assert check_loss(strict, drawn(8), drawn(8, seed=5).requires_grad_())


def test_a_metric_rounds() -> None:
    assert "`round()`" in str(check_loss(rounded, drawn(8), (drawn(8, seed=5) > 0).float(), on_fail="return"))
