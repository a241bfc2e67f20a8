"""Sharded models: several processes have the values, gradients and weights of one that holds everything."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import pytest
import torch
import torch.multiprocessing as mp

from tests.penalties.processes import MESHES, even_cases, work
from tests.penalties.sharded import Found, cases, made, matrices, not_at_all, own_step, usual, ways_of
from torchobjectives.penalties import GroupLasso

EXACT: dict[str, float] = {"rtol": 0, "atol": 1e-12}


def found_by(processes: int, folder: Path, names: Collection[str]) -> list[Found]:
    mp.spawn(work, args=(str(folder), processes, names), nprocs=processes)
    return [torch.load(folder / f"{rank}.pt") for rank in range(processes)]


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> list[Found]:
    names = [case for case in cases() if usual(case) or pytestconfig.getoption("--all")]
    return found_by(2, tmp_path_factory.mktemp("processes"), names)


def assert_same(found: list[Found], name: str, alone: Found) -> None:
    for each in found:
        torch.testing.assert_close(each[name], alone, **EXACT, msg=lambda text: f"{name}: {text}")
        # Reports are the same to the last bit.
        torch.testing.assert_close(each[name], found[0][name], rtol=0, atol=0)


@pytest.mark.parametrize(
    "case", [pytest.param(case, marks=[] if usual(case) else [pytest.mark.grid]) for case in cases()]
)
def test_two_processes_have_what_one_has(case: str, found: list[Found]) -> None:
    alone = cases()[case](not_at_all, None)
    for way in ways_of(case):
        assert_same(found, f"{case} {way.__name__}", alone)


def test_some_groups_are_zero() -> None:
    """The cases above are worth something where groups vanish, and others do not."""
    for case in ("matrices proximal input adam", "matrices dual_averaging input adam"):
        first = cases()[case](not_at_all, None)["weights"]["0.weight"].transpose(0, 1).flatten(1)
        assert 0 < (first == 0).all(1).sum() < len(first), case


@pytest.mark.parametrize("way", ["root", "nested"])
def test_ones_own_proximal_step_sees_whole_tensors(way: str, found: list[Found]) -> None:
    alone = own_step(not_at_all, None)
    assert alone["weights"]["0.weight"].norm().item() == pytest.approx(1, abs=1e-12)
    assert_same(found, f"own {way}", alone)


def test_anchors_follow_the_placement_of_the_weights(found: list[Found]) -> None:
    model = made(matrices)
    squares = [parameter.square().sum() for name, parameter in model.named_parameters() if name.endswith("weight")]
    wanted = 2 * sum(squares[1:], squares[0]).detach()  # ½·(3w − w)²
    assert_same(found, "anchored_by_a_sharded_model", {"values": [wanted] * 3})


def test_processes_agree_on_whether_anchors_differ(found: list[Found]) -> None:
    for each in found:
        same, other = each["anchors_compared"]["seen"]
        assert not same
        assert "to different points" in other


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("blocks", "'0.weight' of a grouped convolution is cut within one of its blocks of 3 channels"),
        ("sums", "redistribute it to Shard or Replicate"),
        ("polish", "in one process"),
    ],
)
def test_what_has_no_answer_is_refused_by_both(name: str, words: str, found: list[Found]) -> None:
    for each in found:
        assert words in each["refused"]["said"][name]


def test_gradients_yet_to_be_added_up(found: list[Found]) -> None:
    wanted = torch.full((2, 3), 1 - 3 - 0.5, dtype=torch.float64)
    assert_same(found, "unsummed_gradient", {"weight": wanted})


def test_prox_of_a_bare_tensor(found: list[Found]) -> None:
    weight = made(matrices)[0].weight.data  # type: ignore[index]
    penalty = GroupLasso(0.2)
    wanted = [penalty.prox(weight, 0.5), penalty.prox(weight, weight.square() + 0.1)]
    assert_same(found, "bare_prox", {"found": wanted})


def test_dual_averaging_resumes_from_a_distributed_checkpoint(found: list[Found]) -> None:
    for each in found:
        torch.testing.assert_close(each["checkpointed"]["resumed"], each["checkpointed"]["through"], **EXACT)


@pytest.mark.grid
def test_four_processes_have_what_one_has(tmp_path: Path) -> None:
    found = found_by(4, tmp_path, even_cases())
    for name in even_cases():
        for mesh in MESHES:
            assert_same(found, f"{name} {mesh}", cases()[name](not_at_all, None))


def test_plain_tensors_need_nothing_of_torch_distributed() -> None:
    code = (
        "import sys, torch; before = set(sys.modules); import torchobjectives as to; m = torch.nn.Linear(2, 2); "
        "to.GroupLasso(0.1).value(m).backward(); new = set(sys.modules) - before; "
        "sys.exit(any(name.startswith('torch.distributed.tensor') for name in new))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
