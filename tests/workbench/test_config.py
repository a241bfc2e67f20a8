import tomllib
from math import inf
from pathlib import Path
from typing import Any

import pytest

from torchobjectives.workbench.config import FitOptions, RunConfig, over, requested
from torchobjectives.workbench.errors import InputError
from torchobjectives.workbench.objectives import parse_loss


def test_toml_round_trip() -> None:
    config = RunConfig(data=Path("a b/people.csv"), target='the "label"', loss="focal_loss gamma=2", l1=1e-4, lr=0.5)
    assert RunConfig.from_toml(config.to_toml()) == config
    stored = tomllib.loads(config.to_toml())
    assert (stored["l1"], stored["loss"]) == (1e-4, "focal_loss gamma=2")
    assert not stored.keys() & {"overwrite", "resume", "config"}
    two = RunConfig(dataset="wine", loss=["a", "b"], overwrite=True)
    assert RunConfig.from_toml(two.to_toml()).loss == ["a", "b"]


def test_flags_go_over_a_stored_configuration(tmp_path: Path) -> None:
    stored = tmp_path / "config.toml"
    stored.write_text(RunConfig(dataset="wine", epochs=7, lr=0.5, out=Path("runs/w"), overwrite=True).to_toml())
    again = requested(None, FitOptions(config=stored, lr=0.25))
    assert (again.dataset, again.epochs, again.lr, again.overwrite) == ("wine", 7, 0.25, False)
    other = requested(Path("x.csv"), FitOptions(config=tmp_path, target="y"))
    assert (other.dataset, other.data, other.epochs) == (None, Path("x.csv"), 7)
    with pytest.raises(InputError, match=r"--config .*missing.toml: cannot be read \(No such file"):
        requested(None, FitOptions(config=tmp_path / "missing.toml"))
    stored.write_text("epoch = 3")
    with pytest.raises(InputError, match=r"--config .*: there is no option 'epoch'. Did you mean 'epochs'"):
        requested(None, FitOptions(config=stored))


def test_another_source_has_another_target() -> None:
    stored = {"data": "people.csv", "target": "label", "epochs": 7}
    assert over(stored, {"dataset": "wine"}) == {"dataset": "wine", "epochs": 7}
    assert over(stored, {"data": Path("other.csv")}) == {"data": Path("other.csv"), "epochs": 7}
    assert over(stored, {"data": Path("other.csv"), "target": "y"})["target"] == "y"
    for same in (Path("people.csv"), Path("people.csv").absolute()):
        assert over(stored, {"data": same})["target"] == "label"
    assert over({"dataset": "wine", "target": "alcohol"}, {"dataset": "digits"}) == {"dataset": "digits"}


def test_command_repeats_the_run() -> None:
    config = RunConfig(data=Path("a b.csv"), target="y", loss="focal_loss gamma=2", l1=1e-4, overwrite=True)
    assert config.command == "torchobjectives fit 'a b.csv' --target y --loss 'focal_loss gamma=2' --l1 0.0001"
    odd = RunConfig(data=Path("-f.csv"), target="--l1", loss=["mse_loss", "0.5 * l1_loss"])
    assert odd.command == "torchobjectives fit ./-f.csv --target=--l1 --loss mse_loss --loss '0.5 * l1_loss'"
    assert RunConfig(dataset="wine").command == "torchobjectives fit --dataset wine"


def test_unknown_and_wrong_keys_are_named() -> None:
    with pytest.raises(InputError, match=r"no option 'epoch'\. Did you mean 'epochs'"):
        RunConfig.from_toml('dataset = "wine"\nepoch = 3\n')
    with pytest.raises(InputError, match="--epochs 0: wanted a number greater than or equal to 1"):
        RunConfig.from_toml('dataset = "wine"\nepochs = 0\n')
    with pytest.raises(InputError, match=r"^data 3: wanted a path"):
        RunConfig.from_toml("data = 3\n")
    with pytest.raises(InputError, match=r"^--out 'a\\x00b': a NUL"):
        RunConfig.from_toml('dataset = "wine"\nout = "a\\u0000b"\n')
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
