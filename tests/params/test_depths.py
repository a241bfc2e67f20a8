"""Learning rates that fall from layer to layer; each model beside the depths that a person would read off it."""

import math
from collections.abc import Callable, Iterator

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import nn
from torch.nn.utils import parametrizations

from tests.params.zoo import Bare, LlamaRMSNorm, parameter
from torchobjectives import param_groups
from torchobjectives.params import ParameterGroups
from torchobjectives.params._roles import inventory
from torchobjectives.params.groups import prove_partition


class Block(nn.Module):
    """With what must not be taken apart: an MLP, experts, a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(2)
        self.mlp = nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))
        self.experts = nn.ModuleList([nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)) for _ in range(2)])
        self.gamma = parameter(2)


class Residual(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv1d(2, 2, 1)
        self.bn = nn.BatchNorm1d(2)
        self.shortcut = nn.Sequential(nn.Conv1d(2, 2, 1), nn.BatchNorm1d(2))


def vit() -> nn.Module:
    return Bare(
        cls_token=parameter(1, 1, 2),
        pos_embed=parameter(1, 3, 2),
        patch=nn.Sequential(nn.Conv1d(3, 2, 2), nn.BatchNorm1d(2), nn.Conv1d(2, 2, 1)),
        blocks=nn.ModuleList([Block(), Block(), Block()]),
        norm=nn.LayerNorm(2),
        head=nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)),
    )


def resnet() -> nn.Module:
    return Bare(
        conv1=nn.Conv1d(3, 2, 1),
        layer1=nn.Sequential(Residual(), Residual()),
        layer2=nn.Sequential(Residual(), Residual()),
        fc=nn.Linear(2, 2),
    )


def encoder_decoder() -> nn.Module:
    return Bare(
        shared=nn.Embedding(3, 2),
        encoder=Bare(block=nn.ModuleList([Block(), Block()]), final_norm=LlamaRMSNorm(weight=parameter(2))),
        decoder=Bare(embed=nn.Embedding(3, 2), block=nn.ModuleList([Block(), Block()]), final_norm=nn.LayerNorm(2)),
        lm_head=nn.Linear(2, 3),
    )


def mlp() -> nn.Module:
    return nn.Sequential(
        nn.BatchNorm1d(2), nn.Linear(2, 2), nn.BatchNorm1d(2), nn.ReLU(), nn.Linear(2, 2), nn.Linear(2, 1), nn.PReLU()
    )


def stages() -> nn.Module:
    """As torchvision's Swin and ConvNeXt: one flat sequence of stages."""
    return nn.Sequential(
        nn.Sequential(nn.Conv1d(3, 2, 1), nn.BatchNorm1d(2)),
        nn.Sequential(Block(), Block()),
        nn.Linear(2, 2),
        nn.Sequential(Block(), Block()),
    )


VIT = {"cls_token": 0, "pos_embed": 0, "patch": 0, "blocks.0": 1, "blocks.1": 2, "blocks.2": 3, "norm": 4, "head": 4}
MODELS: dict[str, tuple[Callable[[], nn.Module], dict[str, int]]] = {
    "vit": (vit, VIT),
    "resnet": (
        resnet,
        {"conv1": 0, "layer1.0": 1, "layer1.1": 2, "layer2.0": 3, "layer2.1": 4, "fc": 5},
    ),
    "encoder_decoder": (
        encoder_decoder,
        {
            **{"shared": 0, "decoder.embed": 0, "encoder.block.0": 1, "encoder.block.1": 2, "encoder.final_norm": 2},
            **{"decoder.block.0": 3, "decoder.block.1": 4, "decoder.final_norm": 5, "lm_head": 5},
        },
    ),
    "mlp": (mlp, {"0": 0, "1": 1, "2": 1, "4": 2, "5": 3, "6": 3}),
    "list_of_layers": (
        lambda: Bare(layers=nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)]), out=nn.Linear(2, 1)),
        {"layers.0": 1, "layers.1": 2, "out": 3},
    ),
    "vgg": (
        lambda: Bare(
            features=nn.Sequential(nn.Conv1d(2, 2, 1), nn.Conv1d(2, 2, 1)),
            classifier=nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)),
        ),
        {"features.0": 1, "features.1": 2, "classifier.0": 3, "classifier.1": 4},
    ),
    "backbone_and_head": (
        lambda: nn.Sequential(vit(), nn.Linear(2, 2)),
        {**{f"0.{path}": depth for path, depth in VIT.items()}, "1": 4},
    ),
    "backbone_and_large_head": (
        lambda: nn.Sequential(vit(), nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2))),
        {**{f"0.{path}": depth for path, depth in VIT.items() if depth < 4}, "0.norm": 3, "0.head": 3, "1": 4},
    ),
    "stages": (stages, {"0": 1, "1.0": 2, "1.1": 3, "2": 4, "3.0": 5, "3.1": 6}),
    "stages_of_one_block": (
        lambda: Bare(
            stem=nn.Conv1d(3, 2, 1),
            stages=nn.Sequential(nn.Sequential(Block()), nn.Sequential(Block(), Block()), nn.Sequential(Block())),
            last=nn.Sequential(Residual()),
            fc=nn.Linear(2, 1),
        ),
        {"stem": 0, "stages.0": 1, "stages.1.0": 2, "stages.1.1": 3, "stages.2": 4, "last": 5, "fc": 6},
    ),
    "one_block": (
        lambda: Bare(stem=nn.Conv1d(3, 2, 1), blocks=nn.ModuleList([Residual()]), norm=nn.LayerNorm(2)),
        {"stem": 0, "blocks": 1, "norm": 2},
    ),
    "another_block_between": (
        lambda: Bare(blocks=nn.ModuleList([Residual(), Block(), Residual()]), fc=nn.Linear(2, 1)),
        {"blocks.0": 1, "blocks.1": 2, "blocks.2": 3, "fc": 4},
    ),
    "sequences_as_blocks": (
        lambda: nn.Sequential(
            nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)), nn.Sequential(nn.Linear(2, 2)), nn.Linear(2, 1)
        ),
        {"0": 1, "1": 2, "2": 3},
    ),
    "transformer": (
        lambda: Bare(
            embed=nn.Embedding(3, 2),
            encoder=nn.TransformerEncoder(nn.TransformerEncoderLayer(2, 1, 2), 2, enable_nested_tensor=False),
            out=nn.Linear(2, 3),
        ),
        {"embed": 0, "encoder.layers.0": 1, "encoder.layers.1": 2, "out": 3},
    ),
    "parametrized": (
        lambda: nn.Sequential(*(parametrizations.weight_norm(nn.Linear(2, 2)) for _ in range(3))),
        {"0": 1, "1": 2, "2": 3},
    ),
    "parametrized_head": (
        lambda: Bare(
            body=nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)),
            head=nn.Sequential(*(parametrizations.weight_norm(nn.Linear(2, 2)) for _ in range(2))),
        ),
        {"body.0": 1, "body.1": 2, "head.0": 3, "head.1": 4},
    ),
    "tied_head": (
        lambda: tied(Bare(embed=nn.Embedding(2, 2), blocks=nn.Sequential(Block(), Block()), head=nn.Linear(2, 2))),
        {"embed": 0, "blocks.0": 1, "blocks.1": 2, "head": 3},
    ),
    "tables_in_a_list": (
        lambda: Bare(
            tables=nn.ModuleList([nn.Embedding(2, 2), nn.Embedding(2, 2)]),
            layers=nn.Sequential(nn.Linear(4, 2), nn.Linear(2, 1)),
        ),
        {"tables": 0, "layers.0": 1, "layers.1": 2},
    ),
}


def tied(model: nn.Module) -> nn.Module:
    model.head.weight = model.embed.weight  # type: ignore[union-attr]
    return model


def rates(groups: ParameterGroups) -> dict[str, float]:
    return {name: group["lr"] for group in groups for name, _ in group["params"]}


@pytest.mark.parametrize("wrap", [None, nn.DataParallel, lambda model: torch.compile(model, backend="eager")])
@pytest.mark.parametrize("name", MODELS)
def test_depths(name: str, wrap: Callable[[nn.Module], nn.Module] | None) -> None:
    build, wanted = MODELS[name]
    model = wrap(build()) if wrap else build()
    found = rates(param_groups(model, lr=1.0, layer_decay=0.5))
    assert found.keys() == dict(model.named_parameters()).keys()
    for path, rate in found.items():
        local = path.removeprefix("module.").removeprefix("_orig_mod.")
        depth = next(depth for start, depth in wanted.items() if f"{local}.".startswith(f"{start}."))
        assert rate == 0.5 ** (max(wanted.values()) - depth), path


def test_frozen_layers_count_and_get_no_group() -> None:
    model = vit()
    model.head.requires_grad_(False)
    model.norm.requires_grad_(False)
    found = rates(param_groups(model, lr=1.0, layer_decay=0.5))
    assert max(found.values()) == found["blocks.2.gamma"] == 0.5


def test_rules_and_decay_on_top() -> None:
    groups = param_groups(
        vit(), lr=1.0, weight_decay=0.1, layer_decay=0.5, rules=[("head.*", {"lr": 7.0}), ("norm.*", {"momentum": 0.5})]
    )
    found = rates(groups)
    assert found["head.0.weight"] == 7.0
    assert found["norm.weight"] == 1.0
    assert found["blocks.0.norm.weight"] == 0.125
    decays = {name: group["weight_decay"] for group in groups for name, _ in group["params"]}
    assert decays["blocks.0.mlp.0.weight"] == 0.1
    assert decays["blocks.0.mlp.0.bias"] == 0.0
    # Depths 0 to 3 with and without decay; the norm; the head with and without.
    assert len(groups) == 11


def test_a_factor_of_one_changes_nothing() -> None:
    assert str(param_groups(vit(), lr=0.1, layer_decay=1)) == str(param_groups(vit(), lr=0.1))


def test_schedulers_keep_the_ratios() -> None:
    optimizer = torch.optim.SGD(param_groups(mlp(), lr=1.0, layer_decay=0.5))
    schedulers = [
        torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 10),
        torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 0.5**step),
    ]
    for scheduler in schedulers:
        for _ in range(3):
            optimizer.step()
            scheduler.step()
        now = [group["lr"] for group in optimizer.param_groups]
        assert [rate / now[-1] for rate in now] == pytest.approx([0.125, 0.25, 0.5, 1.0])
        assert now[-1] < 1


def test_a_tensor_as_rate() -> None:
    groups = param_groups(vit(), lr=torch.tensor(1.0), layer_decay=0.5)
    assert [group["lr"].item() for group in groups] == [0.0625, 0.125, 0.25, 0.5, 1.0]


def test_long_rates_are_printed_short() -> None:
    text = str(param_groups(vit(), lr=1e-3, layer_decay=0.7))
    assert "0.0002401 " in text
    assert max(map(len, text.splitlines())) < 120


@pytest.mark.parametrize(
    ("model", "children"),
    [
        (Bare(conv=nn.Conv1d(2, 2, 1), fc=nn.Linear(2, 1), act=nn.ReLU()), "it has: conv, fc"),
        (nn.Sequential(nn.Linear(2, 2), nn.ReLU()), "it has: 0"),
        (nn.LSTM(2, 2, num_layers=2), "it has: no layers"),
        (nn.Sequential(Bare(conv=nn.Conv1d(2, 2, 1), fc=nn.Linear(2, 1))), "it has: 0"),
    ],
)
def test_a_model_without_a_sequence_of_layers(model: nn.Module, children: str) -> None:
    with pytest.raises(ValueError, match=f"{type(model).__name__} has no nn.Sequential.*{children}.*leave layer_decay"):
        param_groups(model, lr=0.1, layer_decay=0.5)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"layer_decay": 0.5}, ValueError, "layer_decay multiplies lr: give param_groups the lr"),
        ({"lr": 1.0, "layer_decay": 0.0}, ValueError, r"layer_decay is 0.0, wanted a number in \(0, 1\]"),
        ({"lr": 1.0, "layer_decay": 1.5}, ValueError, r"layer_decay is 1.5"),
        ({"lr": 1.0, "layer_decay": math.nan}, ValueError, r"layer_decay is nan"),
        ({"lr": 1.0, "layer_decay": "0.5"}, TypeError, r"layer_decay has type str"),
    ],
)
def test_wrong_input(arguments: dict[str, float], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        param_groups(mlp(), **arguments)


_LEAVES = st.sampled_from(["linear", "conv", "norm", "embedding", "block", "attention", "prelu", "relu", "bare"])


def built(tree: object, shared: list[nn.Module]) -> nn.Module:
    """A module of nested lists of leaf names; ``shared`` collects leaves, of which some come twice or are frozen."""
    if isinstance(tree, tuple):
        kind, members = tree
        modules = [built(member, shared) for member in members]
        if kind == "dict":
            return nn.ModuleDict({f"m{index}": module for index, module in enumerate(modules)})
        return nn.Sequential(*modules) if kind == "sequence" else nn.ModuleList(modules)
    if tree == "again" and shared:
        return shared[0]
    leaf = {
        "linear": lambda: nn.Linear(2, 2),
        "conv": lambda: nn.Conv1d(2, 2, 1).requires_grad_(False),
        "norm": lambda: nn.LayerNorm(2),
        "embedding": lambda: nn.Embedding(2, 2),
        "block": Block,
        "attention": lambda: nn.MultiheadAttention(2, 1),
        "prelu": nn.PReLU,
        "bare": lambda: Bare(w=parameter(2, 2), bias=parameter(2)),
    }.get(str(tree), nn.ReLU)()
    shared.append(leaf)
    return leaf


_TREES = st.recursive(
    _LEAVES | st.just("again"),
    lambda inner: st.tuples(st.sampled_from(["sequence", "list", "dict"]), st.lists(inner, max_size=4)),
    max_leaves=10,
)


def options(groups: ParameterGroups) -> Iterator[tuple[tuple[str, object], ...]]:
    return (tuple(sorted((key, value) for key, value in group.items() if key != "params")) for group in groups)


@given(tree=_TREES, decay=st.sampled_from([None, 0.5, 0.9]))
@settings(deadline=None)
def test_each_parameter_is_in_one_group_of_its_own_options(tree: object, decay: float | None) -> None:
    model = nn.Sequential(built(tree, []), nn.Linear(2, 2), nn.Linear(2, 1))
    groups = param_groups(model, lr=1.0, weight_decay=0.1, layer_decay=decay)
    ids = [id(tensor) for group in groups for _, tensor in group["params"]]
    assert sorted(ids) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    assert len(set(options(groups))) == len(groups)
    found = rates(groups)
    assert found["2.weight"] == max(found.values()) == 1.0
    if decay:
        steps = {round(math.log(rate) / math.log(decay), 6) for rate in found.values()}
        assert all(step == int(step) >= 0 for step in steps)


def test_a_broken_partition_is_found() -> None:
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2).requires_grad_(False))
    entries = inventory(model)
    pairs = [(entry.name, entry.parameter) for entry in entries]
    prove_partition(ParameterGroups([{"params": pairs[:2]}]), entries)
    for groups, message in (
        ([{"params": pairs[:1]}], "trainable parameter '0.bias' is in no group"),
        ([{"params": pairs[:2]}, {"params": pairs[:1]}], r"trainable parameter '0.weight' is in groups \[0, 1\]"),
        ([{"params": pairs[:3]}], r"frozen or foreign parameter '1.weight' is in groups \[0\]"),
        ([{"params": [*pairs[:2], ("other", parameter(2))]}], r"foreign parameter 'other' is in groups \[0\]"),
    ):
        with pytest.raises(AssertionError, match=message):
            prove_partition(ParameterGroups(groups), entries)


def test_the_partition_is_proven_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("torchobjectives.params.groups._grouped", lambda options: ParameterGroups())
    with pytest.raises(AssertionError, match=r"'0.weight' is in no group: a defect"):
        param_groups(mlp())
