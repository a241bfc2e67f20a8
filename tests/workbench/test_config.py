import tomllib
from math import inf
from pathlib import Path
from typing import Any

import pytest

from torchobjectives.workbench.config import RunConfig
from torchobjectives.workbench.errors import InputError
from torchobjectives.workbench.objectives import parse_loss


def test_toml_round_trip() -> None:
    config = RunConfig(data=Path("a b/people.csv"), target='the "label"', loss="focal_loss gamma=2", l1=1e-4, lr=0.5)
    assert RunConfig.from_toml(config.to_toml()) == config
    assert tomllib.loads(config.to_toml())["l1"] == 1e-4


def test_command_repeats_the_run() -> None:
    config = RunConfig(data=Path("a b.csv"), target="y", loss="focal_loss gamma=2", l1=1e-4, overwrite=True)
    assert config.command == (
        "torchobjectives fit 'a b.csv' --target y --loss 'focal_loss gamma=2' --l1 0.0001 --overwrite"
    )
    assert RunConfig(dataset="wine").command == "torchobjectives fit --dataset wine"


def test_unknown_and_wrong_keys_are_named() -> None:
    with pytest.raises(InputError, match=r"no option 'epoch'\. Did you mean 'epochs'"):
        RunConfig.from_toml('dataset = "wine"\nepoch = 3\n')
    with pytest.raises(InputError, match="--epochs 0: wanted a number greater than or equal to 1"):
        RunConfig.from_toml('dataset = "wine"\nepochs = 0\n')
    with pytest.raises(InputError, match="not TOML"):
        RunConfig.from_toml("dataset = wine")


def test_defaults_follow_from_what_is_given() -> None:
    config = RunConfig(data=Path("deep/people.csv"), target="y")
    assert config.folder == Path("runs/people")
    assert config.hidden_sizes == [64, 32]
    assert config.learning_rate == 1e-3
    linear = RunConfig(dataset="wine", model="linear", optimizer="sgd")
    assert (linear.name, linear.hidden_sizes, linear.learning_rate) == ("wine", [], 0.1)
    assert RunConfig(dataset="wine", lr=0.5).learning_rate == 0.5


@pytest.mark.parametrize(
    ("text", "given"),
    [
        ("focal_loss", {}),
        (" focal_loss  gamma=2 alpha=0.75 ", {"gamma": 2, "alpha": 0.75}),
        ("x a=-1e-3 b=+inf c=-inf d=None", {"a": -1e-3, "b": inf, "c": -inf, "d": None}),
        ("x a=true b=False c=TRUE", {"a": True, "b": False, "c": True}),
        ("x cutoffs=[2]", {"cutoffs": [2]}),
        ("x cutoffs=[2, 5, 8] div_value=4.0", {"cutoffs": [2, 5, 8], "div_value": 4.0}),
        ("x size=(3, 4)", {"size": (3, 4)}),
        ("""x link="probit" mode='a b' absent=skip""", {"link": "probit", "mode": "a b", "absent": "skip"}),
        ("x a = 2 b =3", {"a": 2, "b": 3}),
    ],
)
def test_parse_loss(text: str, given: dict[str, Any]) -> None:
    name, found = parse_loss(text)
    assert (name, found) == (text.split()[0], given)
    assert [type(value) for value in found.values()] == [type(value) for value in given.values()]
