import polars as pl
import pytest
import torch
from torch import nn

from torchobjectives import sparsity


def test_zeros_are_counted() -> None:
    model = nn.Sequential(nn.Conv1d(4, 6, 3, groups=2), nn.BatchNorm1d(6), nn.Embedding(5, 2), nn.Linear(3, 2))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.fill_(1.0)
        model[0].weight[:3, 1] = 0  # input channel 1, which feeds the first block of outputs
        model[0].weight[5] = 0
        model[2].weight[3] = 0
        model[3].weight[:, 0] = -0.0
        model[3].weight[0, 1] = 1e-30
        model[3].bias[0] = 0
    model[3].bias.requires_grad_(False)
    found = {row["parameter"]: row for row in sparsity(model)}
    columns = ("numbers", "zeros", "zero_inputs", "inputs", "zero_outputs", "outputs")
    assert {name: tuple(row[column] for column in columns) for name, row in found.items()} == {
        "0.weight": (36, 15, 1, 4, 1, 6),
        "0.bias": (6, 0, None, None, None, None),
        "1.weight": (6, 0, None, None, None, None),
        "1.bias": (6, 0, None, None, None, None),
        "2.weight": (10, 2, 1, 5, 0, 2),
        "3.weight": (6, 2, 1, 3, 0, 2),
        "3.bias": (2, 1, None, None, None, None),
    }
    whole = sparsity(model)
    assert (whole.zeros, whole.numbers) == (20, 72)
    assert whole.share == pytest.approx(20 / 72)
    assert str(whole).splitlines()[-1] == "20 of 72 numbers are 0: 27.8%"
    assert pl.DataFrame(whole)["zeros"].sum() == 20


def test_tied_tensors_count_once_and_nothing_is_nothing() -> None:
    table, head = nn.Embedding(4, 3), nn.Linear(3, 4, bias=False)
    head.weight = table.weight
    assert sparsity(nn.ModuleList([table, head])).numbers == 12
    assert sparsity(nn.ReLU()).share == 0
    assert str(sparsity(nn.ReLU())).endswith("0 of 0 numbers are 0: 0.0%")
    with pytest.raises(TypeError, match="must be a torch"):
        sparsity([nn.Linear(2, 2)])  # type: ignore[arg-type]
