import pickle

import pytest
import torch
import torch.nn.utils.prune
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.nn.utils import parametrizations

from tests.params.zoo import ZOO, Bare, NormedLinear, parameter
from torchobjectives.params import param_groups, select
from torchobjectives.params._roles import inventory


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.parametrize("nested", [False, True])
@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_role(name: str, nested: bool) -> None:
    build, roles = ZOO[name]
    model = nn.ModuleDict({"bias_norm": nn.Sequential(build())}) if nested else build()
    prefix = "bias_norm.0." if nested else ""
    found = {entry.name: entry.role for entry in inventory(model)}
    assert found == {prefix + local: role for local, role in roles.items()}
    weights = [prefix + local for local, role in roles.items() if role == "weight"]
    assert sorted(n for n, _ in select.weights()(model)) == sorted(weights)


def mlp() -> nn.Sequential:
    return nn.Sequential(nn.Linear(3, 2), nn.BatchNorm1d(2), nn.Linear(2, 1))


def names(selector: select.Selector, model: nn.Module) -> list[str]:
    return [name for name, _ in selector(model)]


def test_tied_once_under_the_first_name_and_found_under_each() -> None:
    model = nn.ModuleDict({"a": nn.Linear(2, 2), "b": nn.Linear(2, 2)})
    model["b"].weight = model["a"].weight
    assert names(select.weights(), model) == ["a.weight"]
    assert names(select.matching("b.*"), model) == ["a.weight", "b.bias"]
    shared = nn.Linear(2, 2)
    assert names(select.matching("1.weight"), nn.Sequential(shared, shared)) == ["0.weight"]


def test_frozen_skipped() -> None:
    model = mlp()
    model[0].requires_grad_(False)
    assert names(select.weights(), model) == ["2.weight"]
    assert names(select.matching("*.weight"), model) == ["1.weight", "2.weight"]
    assert names(select.matching("0.*"), model) == []


def test_hooks_do_not_hide_names() -> None:
    model = nn.Sequential(
        parametrizations.weight_norm(nn.Linear(3, 4)), nn.Linear(4, 1), nn.utils.spectral_norm(nn.Linear(1, 2))
    )
    nn.utils.prune.identity(model[1], "bias")
    assert names(select.matching("*.weight"), model) == [
        "0.parametrizations.weight.original0",
        "0.parametrizations.weight.original1",
        "1.weight",
        "2.weight_orig",
    ]
    assert names(select.matching("1.bias"), model) == ["1.bias_orig"]
    assert names(select.matching("weight"), model[0]) == [
        "parametrizations.weight.original0",
        "parametrizations.weight.original1",
    ]


def test_a_selector_of_ones_own() -> None:
    class Large(select.Selector):
        def pick(self, entries):
            return [entry for entry in entries if entry.parameter.numel() > 2]

    model = mlp()
    model[0].requires_grad_(False)
    assert names(Large(), model) == []
    assert repr(Large()) == "Large()"
    assert param_groups(model, rules=[(Large(), {"lr": 1.0})])


def test_selected_tensors_are_the_models_own() -> None:
    model = mlp()
    assert [tensor is model.get_parameter(name) for name, tensor in select.weights()(model)] == [True, True]


def test_patterns() -> None:
    model = mlp()
    assert names(select.matching("*.bias"), model) == ["0.bias", "1.bias", "2.bias"]
    assert names(select.matching("*.bias"), model[0]) == ["bias"]
    assert names(select.matching("2.*", "0.weight"), model) == ["0.weight", "2.weight", "2.bias"]
    assert names(select.matching("*"), model) == [name for name, _ in model.named_parameters()]
    head = nn.ModuleDict({"head": nn.Linear(2, 1), "ahead": nn.Linear(2, 1)})
    assert names(select.matching("*.head.*"), head) == ["head.weight", "head.bias"]
    assert names(select.matching("*.head.*"), nn.Sequential(head)) == ["0.head.weight", "0.head.bias"]


@pytest.mark.parametrize("pattern", ["0_weight", "weight", "[0].weight", "?.weight", "WEIGHT"])
def test_only_the_star_is_special(pattern: str) -> None:
    with pytest.raises(ValueError, match="matches no parameter"):
        select.matching(pattern)(mlp())


def test_each_pattern_must_match_and_near_names_are_listed() -> None:
    model = nn.ModuleDict({"backbone": nn.Linear(2, 2), "head": nn.Linear(2, 1)})
    with pytest.raises(ValueError, match=r"'\*.haed.\*' matches no parameter. Did you mean 'head.weight'"):
        select.matching("backbone.*", "*.haed.*")(model)
    with pytest.raises(ValueError, match=r"Known: 'backbone.weight', 'backbone.bias', 'head.weight'"):
        select.matching("qqq")(model)
    with pytest.raises(ValueError, match="Known: nothing"):
        select.matching("*.bias")(nn.ReLU())


@pytest.mark.parametrize(
    ("patterns", "error"), [((), ValueError), (("",), ValueError), ((3,), TypeError), ((None,), TypeError)]
)
def test_wrong_patterns(patterns: tuple[str, ...], error: type[Exception]) -> None:
    with pytest.raises(error):
        select.matching(*patterns)


def test_not_a_module() -> None:
    with pytest.raises(TypeError, match=r"must be a torch.nn.Module, got list"):
        select.weights()([torch.zeros(2)])


@pytest.mark.parametrize(
    "selector",
    [
        select.weights(),
        select.matching("*.head.*", "a"),
        select.role("bias", "scale"),
        *(make() for make in (select.biases, select.norm_scales, select.embeddings, select.scales, select.everything)),
        select.everything() - (select.weights() | "a") & select.matching("b"),
    ],
)
def test_repr_and_pickle_round_trip(selector: select.Selector) -> None:
    assert eval(repr(selector), {"select": select}) == selector
    assert pickle.loads(pickle.dumps(selector)) == selector


def test_wrappers_do_not_hide_names() -> None:
    model = mlp()
    parallel = nn.DataParallel(model)
    averaged = torch.optim.swa_utils.AveragedModel(model)
    compiled = torch.compile(model, backend="eager")
    for wrapped, prefix in ((parallel, "module."), (averaged, "module."), (compiled, "_orig_mod.")):
        assert names(select.matching("0.*"), wrapped) == [prefix + "0.weight", prefix + "0.bias"]
        assert names(select.matching(prefix + "0.bias"), wrapped) == [prefix + "0.bias"]
        assert names(select.weights(), wrapped) == [prefix + "0.weight", prefix + "2.weight"]
    assert names(select.matching("*.bias"), nn.DataParallel(model[0])) == ["module.bias"]


def test_a_submodule_named_module_is_no_wrapper() -> None:
    model = Bare(module=nn.Linear(2, 2))
    assert names(select.matching("module.*"), model) == ["module.weight", "module.bias"]
    with pytest.raises(ValueError, match="matches no parameter"):
        select.matching("weight")(model)


def test_lazy_bare_parameter_asks_for_a_batch() -> None:
    with pytest.raises(ValueError, match="call the model once on a batch"):
        select.weights()(Bare(table=nn.UninitializedParameter()))


def test_selectors_are_told_apart_by_what_they_say() -> None:
    assert select.weights() == select.weights()
    assert select.matching("a") != select.matching("b")
    assert names(select.weights(), Bare(w=parameter(2, 2))) == ["w"]


def test_roles_part_the_model() -> None:
    model = nn.ModuleDict({name: build() for name, (build, _) in ZOO.items() if not name.startswith("lazy")})
    by_role = {
        "weight": select.weights(),
        "bias": select.biases(),
        "norm_scale": select.norm_scales(),
        "embedding": select.embeddings(),
        "scale": select.scales(),
    }
    wanted = {f"{name}.{local}": role for name in model for local, role in ZOO[name][1].items()}
    found = [(name, role) for role, selector in by_role.items() for name in names(selector, model)]
    assert len(found) == len(wanted)
    assert dict(found) == wanted
    for role, selector in by_role.items():
        assert names(select.role(role), model) == names(selector, model)
    assert names(select.role("bias", "scale"), model) == names(select.biases() | select.scales(), model)


_SELECTORS = st.sampled_from(
    [select.weights(), select.biases(), select.norm_scales(), select.matching("0.*"), select.of_type(nn.Linear)]
)


@given(left=_SELECTORS, right=_SELECTORS)
@settings(deadline=None)
def test_the_algebra_of_sets(left: select.Selector, right: select.Selector) -> None:
    model = mlp()
    a, b = set(names(left, model)), set(names(right, model))
    for combined, wanted in ((left | right, a | b), (left & right, a & b), (left - right, a - b)):
        assert names(combined, model) == [name for name, _ in model.named_parameters() if name in wanted]
    everything = select.everything()
    assert names(everything - left - right, model) == names(everything - (left | right), model)


def test_strings_combine_as_patterns() -> None:
    model = mlp()
    assert names(select.weights() - "2.*", model) == ["0.weight"]
    assert names(select.weights() | "1.bias", model) == ["0.weight", "1.bias", "2.weight"]
    assert names(select.everything() & "*.bias" & "1.*", model) == ["1.bias"]


@pytest.mark.parametrize(
    "combined",
    [
        select.weights() | "*.wieght",
        select.weights() & "*.wieght",
        select.weights() - "*.wieght",
        select.norm_scales() & "0.*" & "*.wieght",
        select.matching("*.wieght") - select.everything(),
    ],
)
def test_a_pattern_without_a_match_is_an_error_in_combinations(combined: select.Selector) -> None:
    with pytest.raises(ValueError, match=r"'\*.wieght' matches no parameter. Did you mean '0.weight'"):
        combined(mlp())


def test_frozen_ones_are_left_out_of_combinations() -> None:
    model = mlp()
    model[0].requires_grad_(False)
    assert names(select.everything() - select.biases(), model) == ["1.weight", "2.weight"]


def test_words_between_selectors_are_errors() -> None:
    with pytest.raises(TypeError, match=r"combine selectors by \|, & and -"):
        select.weights() and select.biases()
    with pytest.raises(TypeError, match=r"wanted a selector such as .*, got 3"):
        select.weights() | 3  # type: ignore[operator]


def test_by_type_with_what_is_inside_and_under_each_name() -> None:
    model = nn.Sequential(nn.MultiheadAttention(2, 1, bias=False), nn.Embedding(3, 2), NormedLinear(2, 3))
    model[2].weight = model[1].weight
    assert names(select.of_type(nn.MultiheadAttention), model) == ["0.in_proj_weight", "0.out_proj.weight"]
    assert names(select.of_type(nn.Linear), model) == ["0.out_proj.weight", "1.weight", "2.bias"]
    assert names(select.of_type(nn.Embedding, nn.Conv1d), model) == ["1.weight"]
    assert names(select.of_type(nn.Conv1d), model) == []
    hidden = torch.compile(nn.Sequential(parametrizations.weight_norm(nn.Linear(2, 2))), backend="eager")
    assert len(names(select.of_type(nn.Linear), hidden)) == 3


def test_wrong_roles_and_types() -> None:
    with pytest.raises(ValueError, match=r"role is 'biases', wanted one of .*Did you mean 'bias'"):
        select.role("biases")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one role"):
        select.role()
    with pytest.raises(TypeError, match=r"wants types such as nn.Linear, got Linear\("):
        select.of_type(nn.Linear(2, 2))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="at least one type"):
        select.of_type()


def test_types_say_what_they_are() -> None:
    selector = select.of_type(nn.Linear, nn.LayerNorm)
    assert repr(selector) == "select.of_type(Linear, LayerNorm)"
    assert pickle.loads(pickle.dumps(selector)) == selector
