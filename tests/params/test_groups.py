import copy
import math
import pickle
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn

from tests.params.zoo import ZOO
from torchobjectives.params import ParameterGroups, param_groups, select


def net() -> nn.Module:
    return nn.ModuleDict(
        {
            "stem": nn.Conv1d(2, 3, 3),
            "norm": nn.BatchNorm1d(3),
            "head": nn.Linear(3, 1),
            "token": nn.Embedding(4, 3),
        }
    )


def flat(groups: ParameterGroups) -> dict[str, dict[str, Any]]:
    """Options by parameter name; fails where a name comes twice."""
    options: dict[str, dict[str, Any]] = {}
    for group in groups:
        for name, _ in group["params"]:
            assert name not in options
            options[name] = {key: value for key, value in group.items() if key != "params"}
    return options


def test_decay_goes_to_weights_and_zero_is_written_for_the_rest() -> None:
    options = flat(param_groups(net(), weight_decay=0.1))
    decays = {name: values["weight_decay"] for name, values in options.items()}
    assert decays == {
        "stem.weight": 0.1,
        "stem.bias": 0.0,
        "norm.weight": 0.0,
        "norm.bias": 0.0,
        "head.weight": 0.1,
        "head.bias": 0.0,
        "token.weight": 0.0,
    }
    assert all("lr" not in values for values in options.values())


def test_rules_merge_key_by_key_and_the_last_wins() -> None:
    groups = param_groups(
        net(),
        lr=0.1,
        weight_decay=0.01,
        rules=[
            ("*.bias", {"lr": 0.5}),
            ("head.*", {"weight_decay": 0.3, "momentum": 0.9}),
            ("head.bias", {"weight_decay": 0.0}),
            (select.weights(), {"lr": 0.2}),
        ],
    )
    options = flat(groups)
    assert options["stem.weight"] == {"lr": 0.2, "weight_decay": 0.01}
    assert options["stem.bias"] == {"lr": 0.5, "weight_decay": 0.0}
    assert options["head.weight"] == {"lr": 0.2, "weight_decay": 0.3, "momentum": 0.9}
    assert options["head.bias"] == {"lr": 0.5, "weight_decay": 0.0, "momentum": 0.9}
    assert options["norm.weight"] == {"lr": 0.1, "weight_decay": 0.0}


def test_top_level_bias() -> None:
    assert flat(param_groups(nn.Linear(2, 1), rules=[("*.bias", {"lr": 0.5})]))["bias"]["lr"] == 0.5


@pytest.mark.parametrize("optimizer", [torch.optim.SGD, torch.optim.AdamW, torch.optim.Adagrad, torch.optim.Rprop])
def test_optimizers_take_the_groups_and_keep_names(optimizer: type[torch.optim.Optimizer]) -> None:
    model = net()
    groups = param_groups(model, lr=0.1, weight_decay=0.1, rules=[("*.bias", {"lr": 0.5})])
    before = {name: value["lr"] for name, value in flat(groups).items()}
    made = optimizer(groups)
    after = {name: group["lr"] for group in made.param_groups for name in group["param_names"]}
    assert after == before
    own = dict(model.named_parameters())
    for group in made.param_groups:
        for name, tensor in zip(group["param_names"], group["params"], strict=True):
            assert own.pop(name) is tensor
    assert not own
    assert "stem.bias" in repr(groups)


def test_the_groups_serve_a_second_optimizer() -> None:
    groups = param_groups(net(), lr=0.1)
    torch.optim.SGD(groups)
    assert torch.optim.SGD(groups).param_groups[0]["param_names"][0] == "stem.weight"


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_zoo_is_partitioned(name: str) -> None:
    build, roles = ZOO[name]
    options = flat(param_groups(build(), weight_decay=0.5))
    assert {key: value["weight_decay"] for key, value in options.items()} == {
        key: 0.5 if role == "weight" else 0.0 for key, role in roles.items()
    }


_OPTIONS = st.dictionaries(
    st.sampled_from(["lr", "weight_decay", "momentum"]), st.sampled_from([0.0, 0.1, 0.5]), max_size=3
)
_RULES = st.lists(st.tuples(st.sampled_from(["*", "*.bias", "head.*", "*.weight"]), _OPTIONS), max_size=5)


@given(rules=_RULES)
@settings(deadline=None)
def test_partition_is_minimal_and_follows_the_rules(rules: list[tuple[str, dict[str, float]]]) -> None:
    model = net()
    groups = param_groups(model, lr=0.1, weight_decay=0.1, rules=rules)
    options = flat(groups)
    assert options.keys() == dict(model.named_parameters()).keys()
    keys = [tuple(sorted((k, v) for k, v in group.items() if k != "params")) for group in groups]
    assert len(set(keys)) == len(keys)
    for name, got in options.items():
        wanted = {"lr": 0.1, "weight_decay": 0.1 if name in ("stem.weight", "head.weight") else 0.0}
        for pattern, change in rules:
            if name.startswith(pattern.strip("*")) if pattern[-1] == "*" else name.endswith(pattern[1:]):
                wanted |= change
        assert got == wanted


def test_lists_are_options_as_tuples_are() -> None:
    """Files of settings have lists."""
    rules = [(name, {"betas": [0.9, 0.99]}) for name in ("stem.*", "head.*")]
    groups = param_groups(nn.ModuleDict({"stem": nn.Linear(3, 2), "head": nn.Linear(2, 1)}), rules=rules)
    assert [len(group["params"]) for group in groups] == [4]
    assert torch.optim.Adam(groups).param_groups[0]["betas"] == [0.9, 0.99]


def test_tied_and_frozen() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2), nn.Linear(2, 2))
    model[1].weight = model[0].weight
    model[2].weight.requires_grad_(False)
    assert list(flat(param_groups(model))) == ["0.weight", "0.bias", "1.bias", "2.bias"]


def test_rules_are_left_as_they_are() -> None:
    change = {"lr": 0.5}
    rules = [("*", change)]
    groups = param_groups(nn.Linear(2, 1), weight_decay=0.1, rules=rules)
    torch.optim.AdamW(groups)
    assert change == {"lr": 0.5}
    assert rules == [("*", {"lr": 0.5})]


def test_tensor_learning_rates() -> None:
    lr = torch.tensor(0.1)
    assert len(param_groups(net(), lr=lr)) == 1
    assert len(param_groups(net(), lr=lr, rules=[("*.bias", {"lr": torch.tensor(0.1)})])) == 2


@pytest.mark.parametrize("wrap", [nn.DataParallel, lambda m: torch.compile(m, backend="eager")])
def test_wrapped_models(wrap: Any) -> None:
    options = flat(param_groups(wrap(net()), rules=[("stem.*", {"lr": 0.3}), ("*.bias", {"lr": 0.5})]))
    assert sorted(value.get("lr", 0) for value in options.values()) == [0, 0, 0, 0.3, 0.5, 0.5, 0.5]


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"weight_decay": -0.1}, ValueError, "weight_decay is -0.1, wanted a finite number >= 0"),
        ({"weight_decay": math.nan}, ValueError, "weight_decay"),
        ({"lr": -1.0}, ValueError, "lr is"),
        ({"lr": math.nan}, ValueError, "lr is"),
        ({"lr": "0.1"}, TypeError, "lr has type str, wanted a finite number"),
        ({"rules": [("*.bias", {"lr": -1})]}, ValueError, "lr is"),
        ({"rules": [("*.bias", {"weight_decay": math.inf})]}, ValueError, "weight_decay is inf, wanted"),
        ({"rules": [("*", {"momentum": -0.9})]}, ValueError, "momentum is -0.9, wanted"),
        ({"rules": [("*", {"eps": math.nan})]}, ValueError, "the option 'eps' is nan, wanted numbers"),
        ({"rules": [("*", {"betas": (0.9, math.nan)})]}, ValueError, "the option 'betas' is"),
        ({"rules": [("*", {"betas": [0.9, math.nan]})]}, ValueError, "the option 'betas' is"),
        ({"rules": [(select.weights() - "*.wieght", {"lr": 1})]}, ValueError, "Did you mean 'stem.weight'"),
        ({"rules": [("*.bais", {"lr": 1})]}, ValueError, "Did you mean 'stem.bias'"),
        ({"rules": [("*.bias", {"params": []})]}, ValueError, "'params' is not an option"),
        ({"rules": [("*.bias", {"weight_deacy": 0.1})]}, ValueError, "Did you mean 'weight_decay'"),
        ({"rules": [("*.bias", {"learning_rate": 0.1})]}, ValueError, "Did you mean 'lr'"),
        ({"rules": [("*.bias", {"WEIGHT_DECAY": 0.1})]}, ValueError, "Did you mean 'weight_decay'"),
        ({"rules": None}, TypeError, "must be a list of pairs"),
        ({"rules": [("*.bias", 0.5)]}, TypeError, "must be a pair"),
        ({"rules": ["*.bias"]}, TypeError, "must be a pair"),
        ({"rules": "*.bias"}, TypeError, "must be a list of pairs"),
        ({"rules": {"*.bias": {"lr": 1}}}, TypeError, "must be a list of pairs"),
        ({"rules": [(3, {"lr": 1})]}, TypeError, "pattern or a selector"),
    ],
)
def test_wrong_input(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message.replace("*", r"\*")):
        param_groups(net(), **arguments)


def test_a_selector_that_selects_nothing_is_an_error() -> None:
    with pytest.raises(ValueError, match=r"select.weights\(\) selects nothing; there is: 'weight' \(norm_scale\)"):
        param_groups(nn.LayerNorm(3), rules=[(select.weights(), {"lr": 0.1})])


def test_options_of_other_optimizers_pass() -> None:
    options = flat(param_groups(net(), rules=[("*", {"eta": 0.001, "step_size": 2, "mine": 3, "array": np.ones(2)})]))
    assert options["head.weight"]["eta"] == 0.001


def test_a_rule_for_frozen_ones_alone_changes_nothing() -> None:
    model = net()
    model["head"].requires_grad_(False)
    assert str(param_groups(model, rules=[("head.*", {"lr": 3.0})])) == str(param_groups(model))


def test_nothing_to_train() -> None:
    with pytest.raises(ValueError, match=r"no trainable parameter to group; its parameters: none"):
        param_groups(nn.ReLU())
    with pytest.raises(ValueError, match=r"'weight' \(weight, frozen\)"):
        param_groups(nn.Linear(2, 1).requires_grad_(False))


def test_table() -> None:
    text = str(param_groups(net(), lr=0.1, weight_decay=0.01, rules=[("head.weight", {"momentum": 0.9})]))
    assert text.splitlines() == [
        "group  lr   weight_decay  momentum  tensors  numbers  names",
        "0      0.1  0.01          -         1        18       stem.weight",
        "1      0.1  0.0           -         5        22       stem.bias, norm.weight, norm.bias, head.bias,"
        " token.weight",
        "2      0.1  0.01          0.9       1        3        head.weight",
    ]


def test_long_lists_of_names_are_cut() -> None:
    text = str(param_groups(nn.Sequential(*(nn.Linear(1, 1) for _ in range(40)))))
    assert max(map(len, text.splitlines())) < 120
    assert "… (+" in text


def test_copies_and_pickles() -> None:
    groups = param_groups(net(), lr=0.1)
    assert str(copy.deepcopy(groups)) == str(groups)
    assert str(pickle.loads(pickle.dumps(groups))) == str(groups)
