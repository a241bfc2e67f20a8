"""What a loss leaves behind, owns and holds: found where it is wrong, spared where it is right."""

import functools
import random
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from tests.check import faulty_state, sound, sound_state
from tests.check.faulty_state import logits, rows, vectors
from tests.check.rows import two_of_each
from torchobjectives.check import owned, saved, state, structure, tools
from torchobjectives.check._door import examined
from torchobjectives.check._inside import Walk
from torchobjectives.check._report import Finding, LossReport
from torchobjectives.check._subject import Subject

CHECKS = (*structure.CHECKS, *state.CHECKS, *owned.CHECKS, *saved.CHECKS)
SOUND = {**sound.SOUND, **sound_state.SOUND}


def report_of(loss: Any, example: tuple[Tensor, Tensor], checks: Any = CHECKS, **arguments: Any) -> LossReport:
    subject = Subject(loss, *example, arguments.pop("ignore_index", None))
    return examined(subject, checks, arguments.get("y_pred_kind"), arguments.get("y_true_kind"))


def only(loss: Any, example: tuple[Tensor, Tensor], checks: Any = CHECKS) -> Finding:
    """The one finding."""
    (finding,) = report_of(loss, example, checks).findings
    return finding


@pytest.mark.parametrize("name", two_of_each(faulty_state.FAULTY))
def test_a_fault_is_found(name: str) -> None:
    make, example, code, arguments = faulty_state.FAULTY[name]
    report = report_of(make(), example(), **arguments)
    assert [finding.code for finding in report.findings if finding.level != "note"] == [code], str(report)


@pytest.mark.grid
@pytest.mark.parametrize("name", SOUND)
def test_a_sound_loss_is_spared(name: str) -> None:
    make, example, arguments = SOUND[name]
    report = report_of(make(), example(), **arguments)
    assert report, str(report)


def test_what_changes_the_input_is_named() -> None:
    found = only(faulty_state.fills_the_ignored, faulty_state.pixels())
    assert "y_true was changed in place by `[...] =` at faulty_state.py, line" in found.message
    assert "6 of 72 elements. The second call on the same batch gives" in found.message
    found = only(faulty_state.Relu(), rows())
    assert found.fix.startswith("`relu` without inplace=True")


def test_the_random_call_is_named() -> None:
    found = only(faulty_state.DropoutAlways(), logits())
    assert found.message.startswith("In eval() two calls on the same batch gave ")
    assert "`dropout` at faulty_state.py" in found.message
    assert found.fix == "Pass the mode: F.dropout(x, p, training=self.training)"


def test_random_numbers_in_training_are_a_note() -> None:
    found = only(sound.SampledNegatives(), sound.SOUND["sampled_negatives"][1]())
    assert (found.code, found.level) == ("nondeterministic", "note")
    assert "in eval() they agree" in found.message


def test_random_numbers_stay_what_they_were() -> None:
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    wanted = random.random(), np.random.rand(), torch.rand(()).item()
    random.seed(1), np.random.seed(1), torch.manual_seed(1)
    for loss in (faulty_state.python_random, faulty_state.NumpyRandom(), faulty_state.random_subset):
        report_of(loss, logits() if isinstance(loss, nn.Module) else vectors())
    assert (random.random(), np.random.rand(), torch.rand(()).item()) == wanted


def test_the_attribute_with_a_graph_is_named() -> None:
    found = only(faulty_state.RunningAttached(), vectors())
    assert found.message.startswith("`self.running` holds a graph")
    assert "raises RuntimeError: Trying to backward through the graph a second time" in found.message
    assert "into self.history: value.detach()" in only(faulty_state.History(), rows()).fix
    assert only(faulty_state.CachedGraph(), rows()).fix == "Calculate self.weight within the call, anew each time."


def test_the_loss_stays_as_it_was() -> None:
    loss = faulty_state.EmaAttribute()
    report_of(loss, vectors())
    assert loss.ema == 1.0
    parameter = faulty_state.GLOBAL.weight
    report_of(faulty_state.uses_a_global, rows(), (*CHECKS, *tools.CHECKS))
    assert parameter.grad is None


def test_a_generator_that_copies_share_is_left_alone() -> None:
    class Shared(nn.Module):
        generator = torch.Generator().manual_seed(3)

        def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
            return F.mse_loss(y_pred, y_true)

    before = Shared.generator.get_state()
    report_of(Shared(), vectors())
    assert torch.equal(Shared.generator.get_state(), before)


def test_hidden_parameters_are_named() -> None:
    found = only(faulty_state.WeightsInAList(), vectors())
    assert "2 tensors in `self.log_vars[0]` and `self.log_vars[1]`" in found.message
    assert "self.log_vars = nn.ParameterList(log_vars)" in found.fix
    assert "self.heads = nn.ModuleList(heads)" in only(faulty_state.HeadsInAList(), faulty_state.features()).fix
    assert "4 tensors of the module `net`" in only(faulty_state.captures_a_network(), rows()).message
    assert "class NoModule(nn.Module)" in only(faulty_state.NoModule(), vectors()).fix
    helper = only(faulty_state.WithHelper(), logits()).fix
    assert helper.startswith("class _Temperature(nn.Module), with super().__init__() first, and forward in place of")


def test_the_model_of_a_penalty_keeps_learning() -> None:
    found = only(faulty_state.regularised_by_lambda(), rows())
    assert "a term that y_pred is no part of" in found.message
    assert "requires_grad_(False)" not in found.fix
    assert "Objective(loss, penalties=[L2(...)])(y_pred, y_true, model=model)" in found.fix
    # What is applied to y_pred is no penalty, whatever is added to it.
    for loss in (faulty_state.captures_a_network(), faulty_state.uses_a_global):
        assert "requires_grad_(False)" in only(loss, rows()).fix


def test_a_method_of_a_module_is_no_more_than_a_note() -> None:
    found = only(sound_state.WithMethod().loss, vectors())
    assert (found.code, found.level) == ("hidden-parameters", "note")


def test_a_lambda_may_use_a_parameter_of_the_loss() -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(()))
            self.scaled = lambda x: self.scale * x

        def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
            return self.scaled(F.mse_loss(y_pred, y_true))  # type: ignore[no-any-return]

    assert only(Scaled(), vectors()).code == "not-picklable"


def test_a_plain_tensor_is_named() -> None:
    found = only(faulty_state.PlainInside(), (vectors()[0][:, None].repeat(1, 3), vectors()[1]))
    assert found.message.startswith("`self.inner.quantiles` is a plain tensor of shape (3,)")
    assert found.fix == "In __init__ of Inner: self.register_buffer('quantiles', quantiles)"
    assert "fails for two devices" in found.message
    assert " at faulty_state.py, line " in found.message


def test_a_call_from_torch_has_no_line() -> None:
    class Bare(nn.BCEWithLogitsLoss):
        def __init__(self) -> None:
            super().__init__()
            self.__dict__["pos_weight"] = torch.ones(3)

    found = only(Bare(), (rows()[0], (rows()[1] > 0).float()))
    assert "then `binary_cross_entropy_with_logits` fails for two devices" in found.message


@pytest.mark.parametrize("shape", [(), (1,), (3,)])
def test_a_single_number_fits_every_device(shape: tuple[int, ...]) -> None:
    class Scaled(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = torch.ones(shape)

        def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
            return (self.scale * (y_pred - y_true) ** 2).mean()

    assert bool(report_of(Scaled(), rows())) == (shape == ())


def test_what_is_lost_is_named() -> None:
    found = only(faulty_state.Momentum(), faulty_state.masks())
    assert "`self.acc_sum` is lost with a checkpoint" in found.message
    assert "Unexpected key(s) in state_dict" in only(faulty_state.NoneBuffer(), rows()).message


def test_a_buffer_that_is_not_to_be_saved_is_a_note() -> None:
    class Passing(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.ema: Tensor
            self.register_buffer("ema", torch.ones(()), persistent=False)

        def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
            value = F.mse_loss(y_pred, y_true)
            self.ema = 0.9 * self.ema + 0.1 * value.detach()
            return value / self.ema

    found = only(Passing(), vectors())
    assert (found.code, found.level) == ("state-not-saved", "note")


def test_the_state_of_an_object_is_a_note() -> None:
    class Averaged:
        def __init__(self) -> None:
            self.mean = 1.0

        def __call__(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
            value = F.mse_loss(y_pred, y_true)
            self.mean = 0.9 * self.mean + 0.1 * value.item()
            return value / self.mean

    found = only(Averaged(), vectors())
    assert (found.code, found.level) == ("state-not-saved", "note")
    assert "`self.mean` changes" in found.message


def test_each_part_that_cannot_be_pickled_is_named() -> None:
    found = only(faulty_state.LambdasInAList(), vectors())
    assert found.message.startswith("`self.terms[1]` is a lambda")
    assert only(faulty_state.InnerLambda(), faulty_state.masks()).message.startswith("`self.inner.w` is a lambda")
    assert "cannot pickle 'generator' object" in only(faulty_state.WithGenerator(), vectors()).message


@pytest.mark.parametrize(
    "loss", [lambda p, t: (p - t).abs().mean(), functools.partial(lambda p, t, k: k * (p - t).abs().mean(), k=2.0)]
)
def test_functions_need_not_be_pickled(loss: Any) -> None:
    assert not report_of(loss, vectors()).findings


def test_what_cannot_be_copied_is_shared() -> None:
    loss = faulty_state.WithLock()
    copy = Subject(loss, *vectors()).copy()
    assert isinstance(copy, faulty_state.WithLock)
    assert copy is not loss
    assert copy.lock is loss.lock


def asks_for_an_item(y_pred: Tensor, y_true: Tensor) -> Tensor:
    loss = F.mse_loss(y_pred, y_true)
    return loss if loss.item() > 0.1 else 2 * loss


def averages_all(y_pred: Tensor, y_true: Tensor) -> Tensor:
    return ((y_pred - y_true) ** 2).mean()


def test_vmap() -> None:
    assert not report_of(averages_all, vectors(), tools.CHECKS[:1]).findings
    found = only(asks_for_an_item, vectors(), tools.CHECKS[:1])
    assert (found.code, found.level) == ("no-vmap", "note")
    assert ".item()" in found.message


def branches(y_pred: Tensor, y_true: Tensor) -> Tensor:
    error = y_pred - y_true
    return error.abs().mean() if bool((error > 3).any()) else error.square().mean()


def prints(y_pred: Tensor, y_true: Tensor) -> Tensor:
    print("called")
    return F.mse_loss(y_pred, y_true)


def test_compile() -> None:
    # Each loss has its own share of compiled code: none uses up that of the next.
    for at in range(10):
        loss = functools.partial(F.huber_loss, delta=1.0 + at)
        assert not report_of(loss, vectors(), tools.CHECKS[1:]).findings
    found = only(branches, vectors(), tools.CHECKS[1:])
    assert (found.code, found.level) == ("no-compile", "note")
    assert " fails at test_state.py, line " in found.message
    assert found.message.endswith("depends on a number that `bool()` reads out of a tensor there.")
    found = only(prints, vectors(), tools.CHECKS[1:])
    assert "Dynamo does not know how to trace builtin operator `print`" in found.message


def test_what_takes_seconds_says_so() -> None:
    assert all(check.slow for check in tools.CHECKS)
    assert not any(check.slow for check in CHECKS)


def test_a_walk_ends() -> None:
    loss: Any = nn.Module()
    loss.__dict__["ring"] = ring = {}
    ring["again"] = [ring, loss]
    ring["numbers"] = list(range(10_000))
    paths = {held.path for held in Walk().all_of(loss)}
    assert {"self.ring", "self.ring['again']", "self.ring['numbers']"} <= paths
    assert len(paths) <= 4
