from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
import torch
from torch import Tensor, nn

from torchobjectives import (
    L1,
    L2,
    BinaryCrossEntropyLoss,
    CrossEntropyLoss,
    GroupLasso,
    HuberLoss,
    MSELoss,
    Objective,
    select_features,
)

TRUE = [0, 4, 9]


def correlated(rows: int = 200, seed: int = 0) -> tuple[Tensor, Tensor]:
    """12 features, of which three matter; those after them follow them with a correlation of 0.6."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randn(rows, 12, generator=generator, dtype=torch.float64)
    for place in TRUE:
        x[:, place + 1] = 0.6 * x[:, place] + 0.8 * x[:, place + 1]
    signal = 2 * x[:, 0] - 1.5 * x[:, 4] + x[:, 9]
    # Features in other units say the same.
    return x * torch.logspace(-2, 2, 12, dtype=torch.float64), signal + torch.randn(rows, generator=generator).double()


def test_the_features_that_matter_are_found() -> None:
    x, y_true = correlated()
    found = select_features(x, y_true, MSELoss(), resamples=20)
    assert found.support_.nonzero().flatten().tolist() == TRUE
    assert sorted(found.ranking_.tolist()) == list(range(1, 13))
    assert found.ranking_[TRUE].max() == 3
    assert found.frequencies_[TRUE].min() == 1
    assert found.chosen_per_resample_ == pytest.approx(float(found.frequencies_.sum()))
    assert found.chosen_per_resample_ <= 3
    assert found.expected_false_ == pytest.approx(found.chosen_per_resample_**2 / (0.2 * 12))
    best = found.table()[0]
    assert (best["rank"], best["selected"], best["feature"]) == (1, True, "x0")
    assert pl.DataFrame(found.table()).height == 12


def test_noise_alone_selects_next_to_nothing() -> None:
    """On average over data sets the false selections stay below the bound that is stated."""
    false, bounds = [], []
    for seed in range(4):
        x = torch.randn(100, 12, generator=torch.Generator().manual_seed(seed))
        y_true = torch.randn(100, generator=torch.Generator().manual_seed(100 + seed))
        found = select_features(x, y_true, MSELoss(), resamples=10, threshold=0.9)
        false.append(int(found.support_.sum()))
        bounds.append(found.expected_false_)
    assert np.mean(false) <= np.mean(bounds) <= 1


def test_the_seed_decides_and_nothing_else() -> None:
    x, y_true = correlated(60)
    first = select_features(x, y_true, MSELoss(), resamples=6, per_resample=5, seed=1)
    state = torch.get_rng_state()
    again = select_features(x, y_true, MSELoss(), resamples=6, per_resample=5, seed=1)
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.equal(first.frequencies_, again.frequencies_)
    assert torch.equal(first.weights_, again.weights_)
    other = select_features(x, y_true, MSELoss(), resamples=6, per_resample=5, seed=2)
    assert not torch.equal(first.frequencies_, other.frequencies_)


@pytest.mark.parametrize("kind", ["binary", "classes", "columns", "huber", "objective"])
def test_other_targets_and_losses(kind: str) -> None:
    x, y_true = correlated(160)
    target: Any = y_true
    loss: Any = {"binary": BinaryCrossEntropyLoss(), "classes": CrossEntropyLoss(), "huber": HuberLoss()}.get(kind)
    match kind:
        case "binary":
            target = (y_true > 0).long()
        case "classes":
            target = (y_true > -1).long() + (y_true > 1)
        case "columns":
            target, loss = torch.stack([y_true, -y_true], 1), MSELoss()
        case "objective":
            loss = Objective(MSELoss(), [L1(0.5), L2(0.01)])
    found = select_features(x.numpy(), target.numpy(), loss, resamples=10)
    assert found.support_.nonzero().flatten().tolist() == TRUE
    if kind == "objective":
        assert found.coefficient_ == 0.5


@pytest.mark.grid
def test_a_network_of_ones_own() -> None:
    x, y_true = correlated(160)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(12, 6), nn.Tanh(), nn.Linear(6, 1))
    before = [parameter.clone() for parameter in model.parameters()]
    objective = Objective(MSELoss(), [GroupLasso(0.3, on="0.weight"), L2(0.01, on="2.weight")])
    found = select_features(x.float(), y_true.float()[:, None], objective, model=model, resamples=4)
    assert set(found.support_.nonzero().flatten().tolist()) >= set(TRUE)
    assert found.support_.sum() <= 6
    assert all(torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))


def test_a_constant_feature_is_not_chosen() -> None:
    x, y_true = correlated(80)
    x[:, 2] = 0.1
    found = select_features(x, y_true, MSELoss(), resamples=6)
    assert found.frequencies_[2] == 0
    assert torch.isfinite(found.weights_).all()


@pytest.mark.parametrize("size", [1e-25, 1e25])
def test_the_unit_of_single_precision_does_not_matter(size: float) -> None:
    """The squares of such numbers are 0 or infinite in float32."""
    x, y_true = correlated(80)
    x = x.float() / x.float().std(0)
    wanted = select_features(x, y_true, MSELoss(), resamples=4)
    assert wanted.support_[0]
    x[:, TRUE] *= size
    found = select_features(x, y_true, MSELoss(), resamples=4)
    assert torch.equal(found.frequencies_, wanted.frequencies_)
    assert torch.allclose(found.weights_, wanted.weights_, rtol=1e-4, atol=1e-6)


def test_a_data_frame_brings_the_names() -> None:
    x, y_true = correlated(80)
    frame = pl.DataFrame(x.numpy(), schema=list("abcdefghijkl"))
    found = select_features(frame, pl.Series(y_true.numpy()), MSELoss(), resamples=4)
    assert found.names == tuple("abcdefghijkl")
    wanted = select_features(x, y_true, MSELoss(), resamples=4)
    assert wanted.names[0] == "x0"
    assert torch.allclose(found.weights_, wanted.weights_)
    with pytest.raises(TypeError, match="x holds what is no number"):
        select_features(frame.with_columns(a=pl.lit("text")), y_true, MSELoss())


def test_the_picture(tmp_path: Path) -> None:
    x, y_true = correlated(80)
    names = [f"_{letter}" for letter in "abcdefghijkl"]
    found = select_features(x, y_true, MSELoss(), resamples=4, names=names)
    (axes,) = found.plot(tmp_path / "features.png").axes
    bars = [bar.get_width() for bar in axes.patches]
    assert bars == sorted(found.frequencies_.tolist(), reverse=True)
    assert axes.get_yticklabels()[0].get_text().endswith(found.table()[0]["feature"])
    assert (tmp_path / "features.png").read_bytes().startswith(b"\x89PNG")


def test_wrong_inputs() -> None:
    x, y_true = correlated(20)
    loss = MSELoss()
    for wrong, message in (
        ((x[:, 0], y_true), "wanted \\(N, P\\)"),
        ((x, y_true[:10]), "20 rows and y_true 10"),
        ((x[:3], y_true[:3]), "at least 4 rows"),
        ((x[:, :1], y_true), "2 features"),
        ((x.where(x < 1, torch.nan), y_true), "x holds NaN or infinite"),
        ((x, y_true.where(y_true < 1, torch.inf)), "y_true holds NaN or infinite"),
    ):
        with pytest.raises(ValueError, match=message):
            select_features(*wrong, loss)
    given: list[tuple[dict[str, Any], str]] = [
        ({"threshold": 0.5}, "threshold"),
        ({"resamples": 3}, "an even number"),
        ({"per_resample": 12}, "fewer than the 12"),
        ({"names": ["a"]}, "1 entries for 12"),
        ({"model": nn.Linear(7, 1).double()}, "does not take the 12 features"),
        ({"model": nn.ReLU()}, "no layer with weights"),
    ]
    for keywords, message in given:
        with pytest.raises(ValueError, match=message):
            select_features(x, y_true, loss, **keywords)
    with pytest.raises(ValueError, match="takes classes: wanted whole numbers"):
        select_features(x, (y_true > 0).double(), CrossEntropyLoss())
    with pytest.raises(TypeError, match="complex"):
        select_features(x * 1j, y_true, loss)
    with pytest.raises(TypeError, match="which is copied"):
        select_features(x, y_true, loss, model=lambda: nn.Linear(12, 1))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no penalty that makes weights 0"):
        select_features(x, y_true, Objective(loss, [L2(0.1)]))
    with pytest.raises(TypeError, match="must be callable"):
        select_features(x, y_true, "mse")
    deep = nn.Sequential(nn.Linear(12, 2), nn.Linear(2, 1)).double()
    with pytest.raises(ValueError, match=r"does not speak of '0\.weight'"):
        select_features(x, y_true[:, None], Objective(loss, [L1(0.1, on="1.weight")]), model=deep)
