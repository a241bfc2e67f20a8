"""What is found of gradients, numbers that are not finite, and dtypes; and what is spared."""

import subprocess
import sys

import pytest
import torch

from tests.check import sound, sound_numerics
from tests.check.faulty_numerics import FAULTY
from tests.check.rows import two_of_each
from tests.check.sound import Row
from torchobjectives.check import dtypes, gradients, numerics, structure
from torchobjectives.check._door import examined
from torchobjectives.check._report import LossReport
from torchobjectives.check._subject import Subject

CHECKS = (*structure.CHECKS, *numerics.CHECKS, *gradients.CHECKS, *dtypes.CHECKS)
SOUND = {**sound.SOUND, **sound_numerics.SOUND}
# Numbers of the words: what a reader is told beside the fault.
SAID = {
    "log_of_sigmoid": ("log(", "F.logsigmoid"),
    "log_of_softmax": ("log(softmax", "F.log_softmax"),
    "naive_logsumexp": ("exp", "torch.logsumexp"),
    "logcosh": ("cosh", "F.softplus"),
    "rmse": ("sqrt", "1e-8"),
    "joints": ("pow(sum(", "(x + 1e-8) ** 0.5"),
    "focal_of_half": ("pow(", "(x + 1e-8) ** 0.5"),
    "where_sqrt": ("torch.where", "safe first"),
    "unit_vectors": ("div", "F.normalize"),
    "dice_fn": ("DiceFn", "gradcheck"),
    "dice_by_item": ("`item()`", "soft value"),
    "ce_and_accuracy": ("jump", "probabilities"),
    "hinge_of_labels": ("255", "y_true.to(y_pred.dtype)"),
    "cut_regression": ("exactly", "y_true.long()"),
    "clamped": ("bfloat16", "y_pred.float()"),
    "squares_by_image": ("`sum(flatten(...))`", "x.mean()"),
    "masked_by_a_number": ("`masked_fill` at faulty_numerics.py", 'float("-inf")'),
    "numpy_weights": ("float64", "dtype=y_pred.dtype"),
}


def report_of(row: Row) -> LossReport:
    make, example, arguments = row
    subject = Subject(make(), *example(), arguments.get("ignore_index"))
    return examined(subject, CHECKS, arguments.get("y_pred_kind"), arguments.get("y_true_kind"))


@pytest.mark.parametrize("name", two_of_each(FAULTY))
def test_a_fault_is_found(name: str) -> None:
    make, example, code, arguments = FAULTY[name]
    report = report_of((make, example, arguments))
    found = [finding for finding in report.findings if finding.code == code]
    assert found, str(report)
    assert {finding.code for finding in (*report.errors, *report.warnings)} <= {code}, str(report)
    for words in SAID.get(name, ()):
        assert words in found[0].message + found[0].fix


@pytest.mark.grid
@pytest.mark.parametrize("name", SOUND)
def test_a_sound_loss_is_spared(name: str) -> None:
    report = report_of(SOUND[name])
    assert report, str(report)


def test_a_loss_of_many_numbers_is_examined_at_fewer_places() -> None:
    calls = 0

    def counted(y_pred: torch.Tensor, y_true: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return (y_pred - y_true).square().mean()

    pairs = [(torch.randn(size), torch.randn(size)) for size in (50, 50_000)]
    counts = []
    for y_pred, y_true in pairs:
        calls = 0
        examined(Subject(counted, y_pred, y_true), gradients.CHECKS)
        counts.append(calls)
    assert counts[1] < counts[0] / 2


def test_the_second_derivative_does_not_load_the_compiler() -> None:
    program = """
import sys, torch
from torchobjectives.check import gradients
from torchobjectives.check._door import examined
from torchobjectives.check._subject import Subject
examined(Subject(lambda p, t: ((p - t).abs() ** 1.5).mean(), torch.randn(8), torch.randn(8)), gradients.CHECKS)
print("torch._dynamo" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_the_line_of_the_operation_is_named() -> None:
    report = report_of((FAULTY["rmse"][0], FAULTY["rmse"][1], {}))
    (finding,) = report.errors
    assert "faulty_numerics.py" in str(finding.evidence["place"])
    assert finding.evidence["operation"] == "sqrt"


def test_an_example_that_is_not_finite_names_its_cause() -> None:
    def mean_by_class(y_pred: torch.Tensor, y_true: torch.Tensor) -> torch.Tensor:
        weight = 1 / torch.bincount(y_true, minlength=4).to(y_pred.dtype)
        hot = torch.nn.functional.one_hot(y_true, 4)
        return -(weight * hot * y_pred.log_softmax(1)).sum(1).mean()

    def log_of_logits(y_pred: torch.Tensor, y_true: torch.Tensor) -> torch.Tensor:
        return -(y_true * y_pred.log()).mean()

    def ratio(y_pred: torch.Tensor, y_true: torch.Tensor) -> torch.Tensor:
        return ((y_pred - y_pred) / (y_pred - y_pred)).mean()

    empty = report_of((lambda: mean_by_class, lambda: (torch.randn(8, 4), torch.zeros(8).long()), {}))
    assert [finding.code for finding in empty.errors] == ["empty-targets"]
    # That y_pred holds no probabilities another check says before, if it is asked.
    other = report_of((lambda: log_of_logits, lambda: (torch.randn(8), torch.ones(8)), {}))
    assert [finding.code for finding in other.errors] == ["could-not-run"]

    def of_correlations(y_pred: torch.Tensor, y_true: torch.Tensor) -> torch.Tensor:
        return (torch.atanh(y_pred) - torch.atanh(y_true)).square().mean()

    outside = report_of((lambda: of_correlations, lambda: (torch.rand(8), torch.ones(8)), {}))
    assert [finding.code for finding in outside.errors] == ["could-not-run"]
    nothing = report_of((lambda: ratio, lambda: (torch.randn(8), torch.randn(8)), {}))
    assert [finding.code for finding in nothing.errors] == ["nan-at-extremes"]
