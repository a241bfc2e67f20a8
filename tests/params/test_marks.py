import copy
import io
import pickle
from collections.abc import Callable

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from tests.params.zoo import MARKED, Bare, TokensListed, parameter, tokens_listed
from torchobjectives import L2, param_groups, parameter_table, select


def names(selector: select.Selector, model: nn.Module) -> list[str]:
    return [name for name, _ in selector(model)]


@pytest.mark.parametrize("name", MARKED)
def test_marks_decide_what_is_regularized(name: str) -> None:
    build, regularized = MARKED[name]
    model = build()
    assert set(names(select.weights(), model)) == regularized
    assert set(names(select.weights(), nn.Sequential(model))) == {f"0.{local}" for local in regularized}
    if regularized:
        groups = param_groups(model, weight_decay=0.5)
        decayed = {local for group in groups if group["weight_decay"] for local, _ in group["params"]}
        assert decayed == regularized


def test_asked_for_by_name_or_role_a_marked_one_is_selected() -> None:
    model = select.mark(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 1)), "0.weight")
    assert names(select.matching("0.weight"), model) == ["0.weight"]
    assert names(select.role("weight"), model) == ["0.weight", "1.weight"]
    assert names(select.weights() | "0.weight", model) == ["0.weight", "1.weight"]
    assert L2(2.0).value(model).item() == pytest.approx(model[1].weight.square().sum().item())
    groups = param_groups(model, weight_decay=0.1, rules=[("0.weight", {"weight_decay": 0.3})])
    assert [group["weight_decay"] for group in groups] == [0.3, 0.0, 0.1]


def through_torch_save(model: nn.Module) -> nn.Module:
    file = io.BytesIO()
    torch.save(model, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


def loaded(model: nn.Module) -> nn.Module:
    model.load_state_dict(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)).state_dict(), assign=True)
    return model


def normed(model: nn.Module) -> nn.Module:
    parametrizations.weight_norm(model[0])  # type: ignore[arg-type, index]
    return model


@pytest.mark.parametrize(
    "change",
    [
        copy.deepcopy,
        lambda model: pickle.loads(pickle.dumps(model)),
        through_torch_save,
        lambda model: model.double(),
        lambda model: model.to("meta"),
        lambda model: model.to_empty(device="meta"),
        loaded,
        torch.optim.swa_utils.AveragedModel,
        nn.DataParallel,
        lambda model: torch.compile(model, backend="eager"),
        lambda model: torch.compile(nn.DataParallel(model), backend="eager"),
        normed,
        lambda model: copy.deepcopy(normed(model)),
    ],
)
def test_what_a_mark_survives(change: Callable[[nn.Module], nn.Module]) -> None:
    model = change(select.mark(nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)), "0.weight"))
    assert [name[-8:] for name in names(select.weights(), model)] == ["1.weight"]


def test_a_mark_goes_with_the_layer_and_not_into_the_state() -> None:
    layer = select.mark(nn.Linear(2, 2), "weight")
    assert set(layer.state_dict()) == {"weight", "bias"}
    assert names(select.weights(), nn.ModuleDict({"a": layer, "b": nn.Linear(2, 2)})) == ["b.weight"]
    torch.nn.utils.prune.identity(layer, "weight")
    assert names(select.weights(), layer) == []


def test_a_mark_in_a_constructor() -> None:
    class Layer(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.table, self.matrix = parameter(2, 3), parameter(2, 3)
            select.mark(self, "table")

    assert names(select.weights(), nn.Sequential(Layer(), Layer())) == ["0.matrix", "1.matrix"]


def test_marks_of_parametrized_layers_and_lists() -> None:
    model = Bare(norm=parametrizations.weight_norm(nn.Linear(2, 3)), few=nn.ParameterList([parameter(2, 2)] * 1))
    select.mark(model, select.weights())
    assert names(select.weights(), model) == []
    nn.utils.parametrize.remove_parametrizations(model.norm, "weight")
    assert names(select.weights(), model) == ["norm.weight"]


def test_a_tied_tensor_is_marked_under_each_name() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    select.mark(model, "1.weight")
    assert names(select.weights(), model) == []
    assert names(select.weights(), model[1]) == []
    select.mark(model[0], "weight", regularized=True)
    assert names(select.weights(), model) == [], "of two marks the cautious one holds"
    select.mark(model, "0.weight", regularized=None)
    assert names(select.weights(), model) == ["0.weight"]


def test_a_mark_outranks_what_the_model_lists() -> None:
    model = select.mark(tokens_listed(), "pos_embed", regularized=True)
    assert "pos_embed" in names(select.weights(), model)
    select.mark(model, "pos_embed", regularized=None)
    assert "pos_embed" not in names(select.weights(), model)


def test_the_list_of_a_submodule_under_wrappers() -> None:
    class Listed(TokensListed):
        def no_weight_decay(self) -> set[str]:
            return {"proj", "blocks.1.weight"}

    def compiled(model: nn.Module) -> nn.Module:
        return torch.compile(model, backend="eager")

    blocks = nn.Sequential(nn.Linear(2, 2), compiled(nn.Linear(2, 2)))
    encoder = Listed(proj=parameter(2, 2), blocks=blocks)
    model = nn.DataParallel(nn.ModuleDict({"encoder": compiled(encoder), "proj": nn.Linear(2, 2)}))
    assert names(select.weights(), model) == ["module.encoder._orig_mod.blocks.0.weight", "module.proj.weight"]


def test_frozen_ones_are_marked_too() -> None:
    model = nn.Linear(2, 2).requires_grad_(False)
    select.mark(model, "weight")
    assert names(select.weights(), model.requires_grad_()) == []
    assert [row.mark for row in parameter_table(model)] == ["unregularized", None]


def test_wrong_marks() -> None:
    model = nn.Linear(2, 1)
    with pytest.raises(TypeError, match=r"got Parameter: write select.mark\(model"):
        select.mark(model.weight)  # type: ignore[type-var]
    with pytest.raises(ValueError, match="Did you mean 'weight'"):
        select.mark(model, "wieght")
    with pytest.raises(ValueError, match=r"select.norm_scales\(\) selects nothing to mark; there is: 'weight'"):
        select.mark(model, select.norm_scales())
    with pytest.raises(TypeError, match="regularized must be True, False or None, got 'no'"):
        select.mark(model, "weight", regularized="no")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="wanted a selector"):
        select.mark(model, ["weight"])  # type: ignore[arg-type]


def test_a_list_that_is_none() -> None:
    class Text(TokensListed):
        def no_weight_decay(self) -> str:  # type: ignore[override]
            return "pos_embed"

    with pytest.raises(TypeError, match=r"Text.no_weight_decay\(\) must return a set of names, got 'pos_embed'"):
        select.weights()(Text(w=parameter(2, 2)))
    assert names(select.weights(), Bare(no_weight_decay=nn.Linear(2, 2))) == ["no_weight_decay.weight"]


def test_a_message_tells_of_marks() -> None:
    with pytest.raises(ValueError, match=r"'weight' \(weight, marked unregularized\)"):
        L2(1.0).value(select.mark(nn.Linear(2, 2)))


def test_marks_are_read_under_compile() -> None:
    model = select.mark(nn.Sequential(nn.Linear(2, 2), tokens_listed()), "0.weight")
    penalty = L2(1.0, on=select.weights() - "1.proj" | select.of_type(nn.Linear))
    compiled = torch.compile(lambda: penalty.value(model), fullgraph=True, backend="eager")
    assert compiled().item() == pytest.approx(penalty.value(model).item())
