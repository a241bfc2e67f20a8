import dataclasses
import pickle

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations

from tests.params.zoo import ZOO, Bare, parameter
from torchobjectives import parameter_table, select
from torchobjectives.params import ParameterRow


@pytest.mark.parametrize("name", ZOO)
@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_the_rows_are_the_partition(name: str) -> None:
    build, roles = ZOO[name]
    model = build()
    table = parameter_table(model)
    assert {row.name: row.role for row in table} == roles
    assert [row.name for row in table] == [name for name, _ in model.named_parameters()]
    assert len(str(table).splitlines()) == len(roles) + 1


def test_the_whole_zoo_in_one_model() -> None:
    builds = {name: build for name, (build, _) in ZOO.items() if not name.startswith("lazy")}
    model = nn.ModuleDict({name: build() for name, build in builds.items()})
    table = parameter_table(model)
    assert {row.name: row.role for row in table} == {
        f"{name}.{local}": role for name in builds for local, role in ZOO[name][1].items()
    }
    assert len(table) > 40


def test_a_row() -> None:
    model = Bare(
        table=nn.Embedding(4, 3),
        head=nn.Linear(3, 4, bias=False),
        norm=nn.LayerNorm(3, bias=False).requires_grad_(False),
        temperature=nn.Parameter(torch.tensor(1.0)),
        projection=select.mark(parametrizations.weight_norm(nn.Linear(3, 2, bias=False))),
    )
    model.head.weight = model.table.weight
    assert list(parameter_table(model)) == [
        ParameterRow("temperature", (), "scale", "Bare", True, (), None),
        ParameterRow("table.weight", (4, 3), "embedding", "Embedding", True, ("head.weight",), None),
        ParameterRow("norm.weight", (3,), "norm_scale", "LayerNorm", False, (), None),
        *(
            ParameterRow(f"projection.parametrizations.weight.original{i}", shape, role, "Linear", True, (), mark)
            for i, shape, role, mark in [(0, (2, 1), "scale", "unregularized"), (1, (2, 3), "weight", "unregularized")]
        ),
    ]


def test_printed() -> None:
    model = Bare(w=parameter(2, 3), lin=nn.Linear(3, 1).requires_grad_(False))
    lines = str(parameter_table(select.mark(model, "w"))).splitlines()
    assert lines == [
        "name        shape  role    owner   trainable  tied to  mark",
        "w           2×3    weight  Bare    yes        -        unregularized",
        "lin.weight  1×3    weight  Linear  frozen     -        -",
        "lin.bias    1      bias    Linear  frozen     -        -",
    ]


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_shapes_that_are_not_known_or_empty() -> None:
    assert parameter_table(nn.LazyLinear(2))[0].shape is None
    assert "not yet known" in str(parameter_table(nn.LazyLinear(2)))
    assert "scalar" in str(parameter_table(Bare(t=nn.Parameter(torch.tensor(1.0)))))
    assert str(parameter_table(nn.ReLU())) == "name  shape  role  owner  trainable  tied to  mark"


def test_names_under_wrappers() -> None:
    table = parameter_table(torch.compile(nn.DataParallel(nn.Linear(2, 1)), backend="eager"))
    assert [row.name for row in table] == ["_orig_mod.module.weight", "_orig_mod.module.bias"]
    assert {row.owner for row in table} == {"Linear"}
    root = parameter_table(parametrizations.spectral_norm(nn.Linear(2, 1)))
    assert {row.owner for row in root} == {"Linear"}


def test_rows_are_values() -> None:
    table = parameter_table(nn.Linear(2, 1))
    assert pickle.loads(pickle.dumps(table)) == table
    with pytest.raises(dataclasses.FrozenInstanceError):
        table[0].name = "other"  # type: ignore[misc]
    with pytest.raises(TypeError, match=r"must be a torch.nn.Module, got OrderedDict"):
        parameter_table(nn.Linear(2, 1).state_dict())  # type: ignore[arg-type]
