"""The global mean: two processes, unequal batches and micro-batches, against the gradient of the whole batch."""

from __future__ import annotations

import functools
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.distributed as dist
import torch.multiprocessing as mp
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from torchobjectives import (
    L1,
    BarronLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    GHMCLoss,
    HuberLoss,
    Loss,
    Objective,
    RMSELoss,
    SoftmaxFocalLoss,
    as_loss,
    global_mean,
    mse_loss,
    rmse_loss,
    softmax_focal_loss,
)

EXACT: dict[str, float] = {"rtol": 0, "atol": 1e-12}
SIZES = (3, 8)  # what each of the two processes holds


def squared(y_pred: Tensor, y_true: Tensor, power: float = 2.0) -> Tensor:
    return (y_pred - y_true).abs() ** power


def losses() -> dict[str, Any]:
    return {
        "focal_weighted": FocalLoss(gamma=2.0, alpha=0.7),
        "cross_entropy_class_weight": CrossEntropyLoss(class_weight=[1.0, 5.0, 0.5], label_smoothing=0.1),
        "softmax_focal_partial": functools.partial(softmax_focal_loss, gamma=1.5),
        "own": as_loss(squared, power=3.0),
        "one_process_masked": HuberLoss(delta=0.5),
        "all_masked": HuberLoss(delta=0.5),
        "empty_process": mse_loss,
    }


def of_classes(case: str) -> bool:
    return "cross_entropy" in case or "softmax" in case


def data(case: str) -> list[tuple[Tensor, Tensor, Tensor, Tensor]]:
    """x, y_true, weight and mask of each process."""
    generator = torch.Generator().manual_seed(5)
    shares = []
    for rank, size in enumerate(SIZES):
        size = 0 if case == "empty_process" and rank == 0 else size
        x = torch.randn(size, 4, dtype=torch.float64, generator=generator)
        y_true = torch.randint(0, 3 if of_classes(case) else 2, (size,), generator=generator)
        if of_classes(case) and rank == 1:
            y_true[2:5] = -100
        weight = torch.rand(size, dtype=torch.float64, generator=generator)
        mask = torch.rand(size, generator=generator) > 0.2
        if case == "all_masked" or (case == "one_process_masked" and rank == 0):
            mask = torch.zeros_like(mask)
        shares.append((x, y_true, weight, mask))
    return shares


def model_for(case: str) -> nn.Module:
    torch.manual_seed(1)
    layers = nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3 if of_classes(case) else 1)).double()
    return layers if of_classes(case) else nn.Sequential(layers, nn.Flatten(0))


def gradients(model: nn.Module) -> list[Tensor]:
    return [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]


def in_one_step(case: str, rank: int) -> tuple[list[Tensor], Tensor]:
    model, mean = DistributedDataParallel(model_for(case)), global_mean(losses()[case])
    x, y_true, weight, mask = data(case)[rank]
    share = mean(model(x), y_true, weight=weight, mask=mask)
    share.backward()
    return gradients(model), share.detach()


def accumulated(case: str, rank: int) -> tuple[list[Tensor], Tensor]:
    model, mean = DistributedDataParallel(model_for(case)), global_mean(losses()[case])
    micro = list(zip(*(values.tensor_split([1]) for values in data(case)[rank]), strict=True))
    with model.no_sync():
        x, y_true, weight, mask = micro[0]
        mean.add(model(x), y_true, weight=weight, mask=mask).backward()
    x, y_true, weight, mask = micro[1]
    mean.add(model(x), y_true, weight=weight, mask=mask).backward()
    value = mean.divide(model.parameters())
    return gradients(model), value


def mean_of_means(case: str, rank: int) -> tuple[list[Tensor], Tensor]:
    """What a plain loss gives under DDP: the test must see that it is wrong."""
    model, loss = DistributedDataParallel(model_for(case)), losses()[case]
    x, y_true, weight, mask = data(case)[rank]
    share = loss(model(x), y_true, weight=weight, mask=mask)
    share.backward()
    return gradients(model), share.detach()


def learning(rank: int) -> list[str]:
    """The warnings about a loss that learns: outside the module its parameters drift apart."""
    loss = BarronLoss(alpha=nn.Parameter(torch.tensor(1.0)))
    with pytest.warns(UserWarning, match="DistributedDataParallel") as caught:
        global_mean(loss)(torch.ones(2), torch.zeros(2))
    return [str(warning.message) for warning in caught]


def group_of_one(rank: int) -> float:
    """A group that holds this process alone: nothing of the other's enters."""
    groups = [dist.new_group([other]) for other in range(2)]
    mean = global_mean(mse_loss, process_group=groups[rank])
    return float(mean(torch.full((rank + 1,), rank + 1.0), torch.zeros(rank + 1)))


WAYS = {way.__name__: way for way in (in_one_step, accumulated, mean_of_means)}


def work(rank: int, folder: str) -> None:
    torch.set_num_threads(1)
    dist.init_process_group(
        "gloo", init_method=f"file://{folder}/meet", rank=rank, world_size=2, timeout=timedelta(seconds=60)
    )
    found: dict[str, Any] = {f"{way} {case}": WAYS[way](case, rank) for case in losses() for way in WAYS}
    found["learning"], found["group"] = learning(rank), group_of_one(rank)
    torch.save(found, f"{folder}/{rank}.pt")
    dist.barrier()
    dist.destroy_process_group()


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    folder = tmp_path_factory.mktemp("processes")
    mp.spawn(work, args=(str(folder),), nprocs=2)
    return [torch.load(Path(folder) / f"{rank}.pt") for rank in range(2)]


def whole(case: str) -> tuple[Tensor, tuple[Tensor, Tensor, Tensor]]:
    """Prediction of the single process for everything, and what belongs to it."""
    x, y_true, weight, mask = (torch.cat(parts) for parts in zip(*data(case), strict=True))
    return x, (y_true, weight, mask)


@pytest.mark.parametrize("case", losses())
@pytest.mark.parametrize("way", ["in_one_step", "accumulated"])
def test_two_processes_have_the_gradient_of_one(way: str, case: str, found: list[dict[str, Any]]) -> None:
    model = model_for(case)
    x, (y_true, weight, mask) = whole(case)
    value = losses()[case](model(x), y_true, weight=weight, mask=mask)
    value.backward()
    for rank in range(2):
        of_process, _ = found[rank][f"{way} {case}"]
        assert len(of_process) == len(gradients(model)) == 4
        for ours, single in zip(of_process, gradients(model), strict=True):
            torch.testing.assert_close(ours, single, **EXACT)
    values = [found[rank][f"{way} {case}"][1] for rank in range(2)]
    torch.testing.assert_close(sum(values) / 2, value.detach(), **EXACT)
    if way == "accumulated":
        assert values[0] == values[1]


def test_against_torch_alone(found: list[dict[str, Any]]) -> None:
    """The same gradient, written without this library: Σ w w_y ℓ / Σ w w_y."""
    case = "cross_entropy_class_weight"
    model, class_weight = model_for(case), torch.tensor([1.0, 5.0, 0.5], dtype=torch.float64)
    x, (y_true, weight, mask) = whole(case)
    weight = torch.where(mask & (y_true >= 0), weight, 0.0)
    values = F.cross_entropy(model(x), y_true, class_weight, reduction="none", label_smoothing=0.1)
    ((values * weight).sum() / (class_weight[y_true.clamp(min=0)] * weight).sum()).backward()
    for ours, single in zip(found[0][f"in_one_step {case}"][0], gradients(model), strict=True):
        torch.testing.assert_close(ours, single, **EXACT)


@pytest.mark.parametrize("case", ["focal_weighted", "cross_entropy_class_weight", "one_process_masked"])
def test_the_mean_of_means_is_wrong(case: str, found: list[dict[str, Any]]) -> None:
    right, wrong = (found[0][f"{way} {case}"][0] for way in ("in_one_step", "mean_of_means"))
    assert max((a - b).abs().max() for a, b in zip(right, wrong, strict=True)) > 1e-3


def test_groups_and_warnings_of_the_processes(found: list[dict[str, Any]]) -> None:
    assert [each["group"] for each in found] == [1.0, 4.0]
    for each in found:
        assert len(each["learning"]) == 1
        assert "alpha" in each["learning"][0]


def test_in_one_process_it_is_the_plain_mean() -> None:
    y_pred, y_true = torch.randn(5, requires_grad=True), torch.randn(5)
    weight, mask = torch.rand(5), torch.tensor([True, True, False, True, True])
    for loss in (HuberLoss(), mse_loss, as_loss(squared)):
        ours = global_mean(loss)(y_pred, y_true, weight=weight, mask=mask)
        torch.testing.assert_close(ours, loss(y_pred, y_true, weight=weight, mask=mask))


@pytest.mark.parametrize("loss", [SoftmaxFocalLoss(class_weight=[1.0, 3.0]), BarronLoss(alpha=1.5)])
def test_accumulation_in_one_process(loss: Loss) -> None:
    classes = isinstance(loss, SoftmaxFocalLoss)
    model = nn.Sequential(nn.Linear(3, 2), nn.Identity() if classes else nn.Linear(2, 1)).double()
    x, y_true = torch.randn(7, 3).double(), torch.randint(0, 2, (7,) if classes else (7, 1))
    loss(model(x), y_true).backward()
    wanted = gradients(model)
    model.zero_grad()
    mean = global_mean(loss)
    for step in range(2):  # the second step starts from nothing
        model.zero_grad()
        for part in (slice(0, 1), slice(1, 3), slice(3, 7)):
            mean.add(model(x[part]), y_true[part]).backward()
        value = mean.divide(model.parameters())
        torch.testing.assert_close(value, loss(model(x), y_true).detach(), **EXACT)
        for ours, single in zip(gradients(model), wanted, strict=True):
            torch.testing.assert_close(ours, single, **EXACT, msg=f"step {step}")


def test_a_loss_that_looks_at_its_batch_sees_the_micro_batch() -> None:
    loss = GHMCLoss()
    y_pred, y_true = torch.randn(9, dtype=torch.float64, requires_grad=True), torch.randint(0, 2, (9,))
    mean = global_mean(loss)
    for part in (slice(0, 2), slice(2, 9)):
        mean.add(y_pred[part], y_true[part]).backward()
    value = mean.divide([y_pred])
    again = GHMCLoss(reduction="sum")
    torch.testing.assert_close(value, (again(y_pred[:2], y_true[:2]) + again(y_pred[2:], y_true[2:])).detach() / 9)
    torch.testing.assert_close(loss.state_dict(), again.state_dict())


def test_a_learnable_loss_is_divided_with_the_rest() -> None:
    loss = BarronLoss(alpha=nn.Parameter(torch.tensor(1.5, dtype=torch.float64)))
    y_pred, y_true = torch.randn(6, dtype=torch.float64), torch.zeros(6, dtype=torch.float64)
    (wanted,) = torch.autograd.grad(loss(y_pred, y_true), [loss.alpha])
    mean = global_mean(loss)
    for part in (slice(0, 1), slice(1, 6)):
        mean.add(y_pred[part], y_true[part]).backward()
    # Twice the same parameter is one parameter.
    mean.divide([*loss.parameters(), loss.alpha])
    torch.testing.assert_close(loss.alpha.grad, wanted, **EXACT)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_sums_are_wide(dtype: torch.dtype) -> None:
    slope = torch.zeros((), dtype=dtype, requires_grad=True)
    x, weight = torch.full((40_000,), 1 / 64, dtype=dtype), torch.full((40_000,), 500.0)
    mean = global_mean(mse_loss)
    for _ in range(2):  # neither Σw = 4e7 nor 1 / Σw is a float16; the gradient's sum, −19 531, is one
        mean.add(slope * x, x, weight=weight).backward()
    value = mean.divide([slope])
    assert value.dtype == torch.float32
    assert value == pytest.approx(1 / 4096)
    assert slope.grad is not None
    assert slope.grad.item() == pytest.approx(-2 / 4096, rel=2 * torch.finfo(dtype).eps)


def test_many_small_masses_are_not_lost_beside_a_large_one() -> None:
    y_pred = torch.ones(1, requires_grad=True)
    mean = global_mean(mse_loss)
    for weight in (2.0**24, *[1.0] * 64):  # 2²⁴ + 1 is no float32
        mean.add(y_pred, torch.zeros(1) if weight == 1 else torch.ones(1), weight=torch.tensor([weight])).backward()
    assert mean.divide([y_pred]).item() == pytest.approx(64 / (2**24 + 64), rel=2e-7)


def test_the_group_is_the_one_given(monkeypatch: pytest.MonkeyPatch) -> None:
    group: Any = object()
    asked: list[Any] = []
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_world_size", lambda of: asked.append(of) or 2)
    monkeypatch.setattr(dist, "all_reduce", lambda sums, group: (asked.append(group), sums.mul_(2)))
    # Two equal processes: each one's share is its own mean.
    assert global_mean(mse_loss, process_group=group)(torch.ones(3), torch.zeros(3)) == 1
    assert asked
    assert all(of is group for of in asked)


def test_nothing_that_counts_is_zero() -> None:
    y_pred = torch.randn(3, requires_grad=True)
    mean, mask = global_mean(HuberLoss()), torch.zeros(3, dtype=torch.bool)
    assert mean(y_pred, torch.full((3,), torch.nan), mask=mask) == 0
    mean.add(y_pred, torch.zeros(3), mask=mask).backward()
    assert mean.divide([y_pred]) == 0
    assert y_pred.grad is not None
    assert not y_pred.grad.any()


class OneNumber(Loss):
    """A loss of one's own that keeps to the contract in its signature only."""

    @staticmethod
    def function(
        y_pred: Tensor, y_true: Tensor, *, weight: Any = None, mask: Any = None, reduction: Any = "mean"
    ) -> Tensor:
        return (y_pred - y_true).square().mean()


def test_one_value_is_seen_when_it_cannot_be_known_before() -> None:
    with pytest.raises(ValueError, match="OneNumber has none"):
        global_mean(OneNumber())(torch.zeros(3), torch.zeros(3))
    with pytest.raises(ValueError, match="scalar"):
        global_mean(as_loss(lambda y_pred, y_true: y_pred.mean()))(torch.zeros(3), torch.zeros(3))


@pytest.mark.parametrize(
    ("loss", "error", "words"),
    [
        (RMSELoss(), ValueError, "RMSELoss has none: it is one value per batch"),
        (DiceLoss(), ValueError, "DiceLoss has none"),
        (rmse_loss, ValueError, "rmse_loss has none"),
        (functools.partial(rmse_loss, mask=None), ValueError, "rmse_loss has none"),
        (HuberLoss, TypeError, r"pass HuberLoss\(\)"),
        (nn.MSELoss(), TypeError, "as_loss"),
        (squared, TypeError, "as_loss"),
        (3, TypeError, "got 3"),
        (Objective(HuberLoss(), [L1(0.1)]), TypeError, "attach the objective"),
    ],
)
def test_what_has_no_global_mean_is_refused(loss: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        global_mean(loss)


def test_wrong_calls_are_refused() -> None:
    mean, y = global_mean(HuberLoss()), torch.zeros(2, requires_grad=True)
    with pytest.raises(ValueError, match="Nothing to divide"):
        mean.divide([y])
    mean.add(y, torch.ones(2)).backward()
    with pytest.raises(TypeError, match=r"model\.parameters\(\)"):
        mean.divide(nn.Linear(1, 1))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="got a dict"):
        mean.divide(torch.optim.SGD([y]).param_groups)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="pass it anew"):
        mean.divide(iter([]))
    mean.divide(y)  # as in torch, one tensor is one parameter; what was added is still there
    with pytest.raises(ValueError, match="Nothing to divide"):
        mean.divide(y)
    with pytest.raises(ValueError, match="Detach weight"):
        mean(y, torch.ones(2), weight=torch.ones(2, requires_grad=True))
    learned = global_mean(CrossEntropyLoss(class_weight=nn.Parameter(torch.ones(2))))
    with pytest.raises(ValueError, match="Detach class_weight"):
        learned(torch.zeros(1, 2), torch.tensor([0]))
    assert repr(mean) == "global_mean(HuberLoss(delta=1.0))"
