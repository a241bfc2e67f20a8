"""What other batches bring to light, and what they leave alone."""

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from tests.check.faulty_batches import FAULTY
from tests.check.rows import two_of_each
from tests.check.sound import SOUND, bits, drawn
from tests.check.sound_batches import SOUND as MORE
from torchobjectives.check import batches, degenerate, structure
from torchobjectives.check._door import examined
from torchobjectives.check._report import LossReport
from torchobjectives.check._subject import Subject

CHECKS = (*structure.CHECKS, *batches.CHECKS, *degenerate.CHECKS)


def report(make, example, arguments) -> LossReport:  # type: ignore[no-untyped-def]
    subject = Subject(make(), *example(), arguments.get("ignore_index"))
    return examined(subject, CHECKS, arguments.get("y_pred_kind"), arguments.get("y_true_kind"))


@pytest.mark.parametrize("name", two_of_each(FAULTY))
def test_the_fault_is_found(name: str) -> None:
    make, example, code, arguments = FAULTY[name]
    found = report(make, example, arguments)
    accused = [finding for finding in found.findings if code == "whole-batch" or finding.level != "note"]
    assert code in {finding.code for finding in accused}, str(found)


@pytest.mark.grid
@pytest.mark.parametrize("name", {**SOUND, **MORE})
def test_what_is_sound_is_clean(name: str) -> None:
    found = report(*{**SOUND, **MORE}[name])
    assert found, str(found)


def where_of_quotient(y_pred: Tensor, y_true: Tensor) -> Tensor:
    """Its gradient is nan wherever y_true is 0, in one sample as in many."""
    return torch.where(y_true > 0, y_true * torch.log(y_true / y_pred), 0.0).sum(1).mean()


def truth_first(y_true: Tensor, y_pred: Tensor) -> Tensor:
    p = torch.sigmoid(y_pred)
    return -(y_true * torch.log(p + 1e-7) + (1 - y_true) * torch.log(1 - p + 1e-7)).mean()


@pytest.mark.parametrize(
    ("loss", "y_pred", "y_true"),
    [
        (where_of_quotient, drawn(12, 6).softmax(1), bits(12, 6) / bits(12, 6).sum(1, keepdim=True).clamp(min=1)),
        (truth_first, drawn(24), bits(24)),
    ],
)
def test_what_follows_from_another_fault_is_not_said(loss: object, y_pred: Tensor, y_true: Tensor) -> None:
    found = report(lambda: loss, lambda: (y_pred, y_true), {})
    assert "empty-targets" not in {finding.code for finding in found.findings}, str(found)


def mean_of_known(y_pred: Tensor, y_true: Tensor) -> Tensor:
    known = (y_true >= 0) & (y_true < y_pred.shape[1])
    return F.cross_entropy(y_pred[known], y_true[known].long())


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        ([[0, 1], [2, -100]], "-100 (inferred)"),
        ([[0, 1], [2, 255]], "255 (inferred)"),
        ([[0, 1], [2, -1]], None),  # the background, perhaps
        ([[0, 255], [0, 255]], None),
        ([[0, 1], [-1, -100]], None),
        ([[0.0, 1.0], [2.0, -100.0]], None),
    ],
)
def test_a_mark_in_the_labels_is_said(labels: list[list[float]], said: str | None) -> None:
    found = report(lambda: mean_of_known, lambda: (drawn(2, 3, 2), torch.tensor(labels)), {})
    assert found.kinds.get("ignore_index") == said


def curvature_on_a_grid(y_pred: Tensor, y_true: Tensor) -> Tensor:
    height = y_pred.reshape(4, 6)
    inner = height[1:-1, 1:-1]
    around = height[2:, 1:-1] + height[:-2, 1:-1] + height[1:-1, 2:] + height[1:-1, :-2]
    return (around - 4 * inner - y_true.reshape(4, 6)[1:-1, 1:-1]).square().mean()


WEIGHTS = torch.linspace(1, 2, 12)


def with_weights_of_twelve(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return (WEIGHTS * (y_pred - y_true).reshape(12) ** 2).sum() / WEIGHTS.sum()


@pytest.mark.parametrize(("loss", "count"), [(curvature_on_a_grid, 24), (with_weights_of_twelve, 12)])
def test_what_is_of_one_grid_or_of_known_samples_takes_no_other_number(loss: object, count: int) -> None:
    found = report(lambda: loss, lambda: (drawn(count), drawn(count, seed=5)), {})
    assert "crash-on-batch" not in {finding.code for finding in found.findings}, str(found)
