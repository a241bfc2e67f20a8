import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from tests.params.zoo import Bare
from torchobjectives import guard_loading, param_groups


def net() -> nn.Sequential:
    return nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))


def stepped(model: nn.Module, **options: object) -> torch.optim.Optimizer:
    """An optimizer whose state tells the tensors apart."""
    optimizer = torch.optim.SGD(param_groups(model, lr=0.1, **options), momentum=0.9)  # type: ignore[arg-type]
    for index, parameter in enumerate(model.parameters(), 1):
        parameter.grad = torch.full_like(parameter, index)
    optimizer.step()
    return optimizer


def guarded(model: nn.Module, **options: object) -> torch.optim.Optimizer:
    optimizer = stepped(model, **options)
    guard_loading(optimizer)
    return optimizer


def test_equal_names_load() -> None:
    rules = [("*.bias", {"lr": 0.5})]
    model = net()
    optimizer = guarded(model, rules=rules)
    optimizer.load_state_dict(stepped(net(), rules=rules).state_dict())
    momenta = [optimizer.state[p]["momentum_buffer"].mean().item() for p in model.parameters()]
    assert momenta == [1, 2, 3, 4]


def test_another_order_is_refused_and_nothing_loaded() -> None:
    square = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    saved = stepped(square).state_dict()
    optimizer = torch.optim.SGD(list(square.named_parameters())[::-1], momentum=0.9)
    before = copy.deepcopy(optimizer.state_dict())
    handle = guard_loading(optimizer)
    with pytest.raises(ValueError, match=r"is in another order: number 0 is '0.weight' there, '1.weight' here"):
        optimizer.load_state_dict(saved)
    assert optimizer.state_dict() == before
    handle.remove()
    optimizer.load_state_dict(saved)
    assert optimizer.state[square[1].weight]["momentum_buffer"].mean() == 1, "torch alone gives it the other's momentum"


def test_other_names_are_refused() -> None:
    saved = stepped(nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)})).state_dict()
    optimizer = guarded(nn.ModuleDict({"a": nn.Linear(2, 2), "c": nn.Linear(2, 2)}))
    with pytest.raises(ValueError, match=r"it lacks 'c.weight', 'c.bias' and has 'b.weight', 'b.bias', which this"):
        optimizer.load_state_dict(saved)
    with pytest.raises(ValueError, match=r"it has 'b.weight', 'b.bias', which this optimizer does not. Load it into"):
        guarded(nn.ModuleDict({"a": nn.Linear(2, 2)})).load_state_dict(saved)
    with pytest.raises(ValueError, match=r"it lacks '1.weight', '1.bias', '2.weight' and 3 more. Load"):
        guarded(nn.Sequential(*(nn.Linear(2, 2) for _ in range(4)))).load_state_dict(
            stepped(nn.Sequential(nn.Linear(2, 2))).state_dict()
        )


def test_other_groups_are_refused_by_name_or_by_torch() -> None:
    saved = stepped(net(), weight_decay=0.1).state_dict()
    with pytest.raises(ValueError, match=r"is in another order: number 1 is '1.weight' there, '0.bias' here"):
        guarded(net()).load_state_dict(saved)
    model = nn.Linear(2, 2)
    saved = stepped(model, weight_decay=0.1).state_dict()
    with pytest.raises(ValueError, match=r"different number of parameter groups"):
        guarded(model).load_state_dict(saved)


@pytest.mark.parametrize(
    "wrap",
    [
        nn.DataParallel,
        lambda model: torch.compile(model, backend="eager"),
        lambda model: torch.compile(nn.DataParallel(model), backend="eager"),
        lambda model: nn.Sequential(torch.compile(model[0], backend="eager"), model[1]),
        lambda model: nn.Sequential(nn.DataParallel(model[0]), model[1]),
    ],
)
@pytest.mark.parametrize("way", [False, True])
def test_wrappers_do_not_matter(wrap: Callable[[nn.Module], nn.Module], way: bool) -> None:
    source, target = (net(), wrap(net())) if way else (wrap(net()), net())
    optimizer = guarded(target)
    own = [list(group["param_names"]) for group in optimizer.param_groups]
    optimizer.load_state_dict(stepped(source).state_dict())
    assert [group["param_names"] for group in optimizer.param_groups] == own
    assert own[0] == [name for name, _ in target.named_parameters()]


def test_a_module_of_the_users_own_named_module() -> None:
    def built(first: str) -> nn.Module:
        layers = {"a": nn.Linear(2, 2), "module": Bare(a=nn.Linear(2, 2))}
        return nn.ModuleDict({name: layers[name] for name in (first, *layers)})

    guarded(built("a")).load_state_dict(stepped(built("a")).state_dict())
    with pytest.raises(ValueError, match=r"is in another order: number 0 is 'module.a.weight' there"):
        guarded(built("a")).load_state_dict(stepped(built("module")).state_dict())


def test_the_saved_state_is_left_as_it_was() -> None:
    saved = stepped(nn.DataParallel(net())).state_dict()
    guarded(net()).load_state_dict(saved)
    assert saved["param_groups"][0]["param_names"][0] == "module.0.weight"


def test_groups_added_later_are_compared_too() -> None:
    model, extra = net(), nn.Linear(2, 1)
    optimizer = guarded(model)
    optimizer.add_param_group({"params": [("extra.weight", extra.weight)]})
    with pytest.raises(ValueError, match=r"it lacks 'extra.weight'. Load"):
        optimizer.load_state_dict(stepped(net()).state_dict())


def test_without_names() -> None:
    with pytest.raises(ValueError, match=r"SGD holds parameters without names.*build it from param_groups\(model\)"):
        guard_loading(torch.optim.SGD(net().parameters()))
    saved = torch.optim.SGD(net().parameters()).state_dict()
    with pytest.raises(ValueError, match=r"has no names.*remove\(\) the guard and load again"):
        guarded(net()).load_state_dict(saved)
    with pytest.raises(TypeError, match=r"must be a torch.optim.Optimizer, got Sequential"):
        guard_loading(net())  # type: ignore[arg-type]
