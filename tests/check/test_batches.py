"""What other batches bring to light, and what they leave alone."""

import pytest

from tests.check.faulty_batches import FAULTY
from tests.check.rows import two_of_each
from tests.check.sound import SOUND
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
