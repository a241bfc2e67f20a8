import copy
import math
import pickle
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor, nn
from torch.nn.utils import parametrizations

from tests.params.zoo import Bare, parameter
from torchobjectives import Objective
from torchobjectives.params import select
from torchobjectives.penalties import L1, L2, ElasticNet, GroupLasso, Penalty

PENALTIES = [L1(0.3), L2(0.3), ElasticNet(0.3, 0.25), GroupLasso(0.3)]
by_name = pytest.mark.parametrize("penalty", PENALTIES, ids=lambda penalty: penalty.name)


def mixed() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv1d(4, 6, 3, groups=2), nn.BatchNorm1d(6), nn.Linear(3, 2), nn.PReLU(), nn.Bilinear(2, 3, 2)
    ).double()


# References: plain loops over plain numbers.


def numbers(model: nn.Module, names: list[str]) -> list[float]:
    return [float(x) for name in names for x in model.get_parameter(name).detach().double().numpy().ravel()]


def reference(penalty: Penalty, weights: list[float]) -> float:
    absolute = squared = 0.0
    for w in weights:
        absolute += abs(w)
        squared += w * w
    match penalty:
        case L1():
            return penalty.coefficient * absolute
        case L2():
            return 0.5 * penalty.coefficient * squared
        case ElasticNet():
            r = penalty.l1_ratio
            return penalty.coefficient * (r * absolute + (1 - r) / 2 * squared)
    raise AssertionError(penalty)


@pytest.mark.parametrize("penalty", PENALTIES[:3], ids=lambda penalty: penalty.name)
def test_values_are_the_stated_sums(penalty: Penalty) -> None:
    model = mixed()
    wanted = reference(penalty, numbers(model, ["0.weight", "2.weight", "4.weight"]))
    assert penalty.value(model).item() == pytest.approx(wanted, rel=1e-14)


@given(
    weights=st.lists(st.floats(-10, 10, allow_subnormal=False), min_size=1, max_size=12),
    coefficient=st.floats(0, 10),
    ratio=st.floats(0, 1),
)
@settings(deadline=None)
def test_values_on_any_numbers(weights: list[float], coefficient: float, ratio: float) -> None:
    model = nn.Linear(len(weights), 1).double()
    with torch.no_grad():
        model.weight.copy_(torch.tensor([weights], dtype=torch.float64))
    for penalty in (L1(coefficient), L2(coefficient), ElasticNet(coefficient, ratio)):
        value = penalty.value(model)
        assert value.item() == pytest.approx(reference(penalty, weights), rel=1e-12, abs=1e-300)
        (gradient,) = torch.autograd.grad(value, model.weight)
        for w, slope in zip(weights, gradient[0].tolist(), strict=True):
            sign = float(w > 0) - float(w < 0)
            wanted = {
                "l1": coefficient * sign,
                "l2": coefficient * w,
                "elastic_net": coefficient * (ratio * sign + (1 - ratio) * w),
            }[penalty.name]
            assert slope == pytest.approx(wanted, rel=1e-12, abs=1e-300)
    # A length squares its weights, so those below the root of the smallest double count as 0.
    one_each = GroupLasso(coefficient).value(model).item()
    assert one_each == pytest.approx(L1(coefficient).value(model).item(), rel=1e-12, abs=1e-150)


def lasso(groups: list[list[float]]) -> float:
    return sum(math.sqrt(len(group)) * math.sqrt(sum(w * w for w in group)) for group in groups)


def columns(w: np.ndarray) -> list[list[float]]:
    return [[w[i, j] for i in range(w.shape[0])] for j in range(w.shape[1])]


def conv_channels(w: np.ndarray, blocks: int) -> list[list[float]]:
    """What input channel c of a convolution multiplies, read off its definition."""
    out_block, in_block = w.shape[0] // blocks, w.shape[1]
    return [
        list(w[block * out_block : (block + 1) * out_block, channel].ravel())
        for block in range(blocks)
        for channel in range(in_block)
    ]


LAYERS: dict[str, tuple[Callable[[], nn.Module], str | None, Callable[[dict[str, np.ndarray]], list[list[float]]]]] = {
    "linear": (lambda: nn.Linear(3, 4), None, lambda w: columns(w["weight"])),
    "conv": (lambda: nn.Conv2d(3, 4, 2), None, lambda w: conv_channels(w["weight"], 1)),
    "grouped": (lambda: nn.Conv1d(4, 6, 3, groups=2), None, lambda w: conv_channels(w["weight"], 2)),
    "depthwise": (
        lambda: nn.Conv2d(3, 6, 2, groups=3),
        None,
        lambda w: conv_channels(w["weight"], 3),
    ),
    "transposed": (
        lambda: nn.ConvTranspose1d(3, 4, 2),
        None,
        lambda w: [list(c.ravel()) for c in w["weight"]],
    ),
    "transposed_grouped": (
        lambda: nn.ConvTranspose2d(4, 6, 2, groups=2),
        None,
        lambda w: [list(c.ravel()) for c in w["weight"]],
    ),
    "attention": (
        lambda: nn.MultiheadAttention(4, 2),
        None,
        lambda w: columns(w["in_proj_weight"]) + columns(w["out_proj.weight"]),
    ),
    "gru": (lambda: nn.GRU(3, 2), None, lambda w: columns(w["weight_ih_l0"]) + columns(w["weight_hh_l0"])),
    "bilinear": (
        lambda: nn.Bilinear(2, 3, 4),
        None,
        lambda w: [list(w["weight"][:, i, j]) for i in range(2) for j in range(3)],
    ),
    "stack": (
        lambda: Bare(experts=parameter(2, 3, 4)),
        None,
        lambda w: columns(w["experts"][0]) + columns(w["experts"][1]),
    ),
    "embedding": (lambda: nn.Embedding(4, 3), "*", lambda w: [list(row) for row in w["weight"]]),
    "bias": (lambda: nn.Linear(3, 4), "bias", lambda w: [[b] for b in w["bias"]]),
    "layer_scale": (lambda: Bare(gamma=parameter(4, 1)), "*", lambda w: [[g] for g in w["gamma"].ravel()]),
    "weight_norm": (
        lambda: parametrizations.weight_norm(nn.ConvTranspose1d(3, 4, 2)),
        None,
        lambda w: [list(c.ravel()) for c in w["parametrizations.weight.original1"]],
    ),
}


@pytest.mark.parametrize("name", LAYERS)
def test_groups_are_input_features(name: str) -> None:
    torch.manual_seed(1)
    build, on, groups = LAYERS[name]
    model = build().double()
    arrays = {key: tensor.detach().numpy() for key, tensor in model.named_parameters()}
    wanted = 0.3 * lasso(groups(arrays))
    assert GroupLasso(0.3, on=on).value(model).item() == pytest.approx(wanted, rel=1e-13)


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Linear(5, 4), (2, 5)),
        (nn.Conv1d(6, 4, 3, groups=2), (2, 6, 7)),
        (nn.ConvTranspose1d(6, 4, 3, groups=2), (2, 6, 7)),
        (nn.ConvTranspose2d(3, 4, 2), (2, 3, 4, 4)),
    ],
)
def test_a_zero_group_is_an_input_that_does_not_matter(layer: nn.Module, shape: tuple[int, ...]) -> None:
    """Silence input k by the penalty's own groups, and the output stops depending on it, and on it alone."""
    layer = copy.deepcopy(layer).double()
    weight = layer.get_parameter("weight")
    for k in range(shape[1]):
        x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
        # The layer's response to input k alone touches exactly the weights of k's group.
        only = torch.zeros(shape, dtype=torch.float64)
        only[:, k] = 1
        (used,) = torch.autograd.grad((layer(x * only) ** 2).sum(), weight)
        members = used != 0
        kept = weight.detach().clone()
        with torch.no_grad():
            weight.masked_fill_(~members, 0)
            alone = GroupLasso(1.0).value(layer).item()
            weight.copy_(kept)
        wanted = math.sqrt(int(members.sum())) * float(kept[members].norm())
        assert alone == pytest.approx(wanted, rel=1e-12)


@by_name
def test_gradient_at_zero_is_zero_to_second_order(penalty: Penalty) -> None:
    model = nn.Linear(3, 2).double()
    with torch.no_grad():
        model.weight.zero_()
        model.weight[:, 1] = torch.tensor([3.0, -4.0])
    (gradient,) = torch.autograd.grad(penalty.value(model), model.weight, create_graph=True)
    assert (gradient[:, [0, 2]] == 0).all()
    assert gradient.isfinite().all()
    if gradient.requires_grad:
        (second,) = torch.autograd.grad(gradient.square().sum(), model.weight, allow_unused=True)
        assert second is None or (second.isfinite().all() and (second[:, [0, 2]] == 0).all())


@by_name
def test_gradcheck(penalty: Penalty) -> None:
    model = mixed()
    weights = [tensor for _, tensor in select.weights()(model)]
    assert torch.autograd.gradcheck(lambda *_: penalty.value(model), weights)
    assert torch.autograd.gradgradcheck(lambda *_: penalty.value(model), weights)


@by_name
def test_tied_once_and_frozen_not_at_all(penalty: Penalty) -> None:
    one, other = nn.Linear(3, 3).double(), nn.Linear(3, 3).double()
    alone = penalty.value(one).item()
    other.weight = one.weight
    assert penalty.value(nn.Sequential(one, other)).item() == alone
    frozen = nn.Linear(3, 3).double().requires_grad_(False)
    assert penalty.value(nn.Sequential(one, frozen)).item() == alone


@by_name
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_weights_are_summed_in_float32(penalty: Penalty, dtype: torch.dtype) -> None:
    model = nn.Linear(1, 70_000, bias=False).to(dtype)
    with torch.no_grad():
        model.weight.fill_(1.5)
    value = penalty.value(model)
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(penalty.value(copy.deepcopy(model).double()).item(), rel=1e-5)
    value.backward()
    gradient = model.weight.grad
    assert gradient is not None
    assert gradient.dtype == dtype
    assert gradient.isfinite().all()


@by_name
def test_mixed_dtypes(penalty: Penalty) -> None:
    parts = [nn.Linear(3, 2).to(dtype) for dtype in (torch.bfloat16, torch.float32, torch.float64)]
    value = penalty.value(nn.Sequential(*parts))
    assert value.dtype == torch.float64
    assert value.item() == pytest.approx(sum(penalty.value(part).item() for part in parts), rel=1e-6)


def test_complex_weights() -> None:
    model = Bare(weight=nn.Parameter(torch.tensor([[3 + 4j, 0], [0, 0]], dtype=torch.complex128)))
    assert L1(1.0).value(model).item() == 5
    assert L2(1.0).value(model).item() == 12.5
    assert GroupLasso(1.0).value(model).item() == pytest.approx(math.sqrt(2) * 5)
    for penalty in PENALTIES:
        (gradient,) = torch.autograd.grad(penalty.value(model), model.get_parameter("weight"))
        assert torch.view_as_real(gradient).isfinite().all()


@pytest.mark.parametrize("build", [lambda: L1(0), lambda: L2(0.0), lambda: ElasticNet(0, 0.5), lambda: GroupLasso(0)])
def test_coefficient_zero_is_a_zero_with_graph(build: Callable[[], Penalty]) -> None:
    model = nn.Linear(3, 2)
    value = build().value(model)
    assert value.item() == 0
    (gradient,) = torch.autograd.grad(value, model.weight)
    assert (gradient == 0).all()


def test_elastic_net_contains_both() -> None:
    model = mixed()
    assert ElasticNet(0.3, 1).value(model).item() == pytest.approx(L1(0.3).value(model).item(), rel=1e-15)
    assert ElasticNet(0.3, 0).value(model).item() == pytest.approx(L2(0.3).value(model).item(), rel=1e-15)


def test_on() -> None:
    model = mixed()
    assert L1(1.0, on="2.bias").value(model).item() == pytest.approx(
        sum(map(abs, numbers(model, ["2.bias"]))), rel=1e-14
    )
    chosen = L1(1.0, on=select.matching("2.bias", "3.*")).value(model).item()
    assert chosen == pytest.approx(sum(map(abs, numbers(model, ["2.bias", "3.weight"]))), rel=1e-14)
    assert L2(1.0, on=select.weights()).value(model).item() == L2(1.0).value(model).item()


@by_name
def test_nothing_selected_says_what_there_is(penalty: Penalty) -> None:
    with pytest.raises(ValueError, match=r"selects nothing in BatchNorm1d; there is: 'weight' \(norm_scale\)"):
        penalty.value(nn.BatchNorm1d(3))
    with pytest.raises(ValueError, match="selects nothing in ReLU; there is: none"):
        penalty.value(nn.ReLU())


def test_half_complex_weights_keep_their_imaginary_part() -> None:
    model = nn.Linear(3, 4, dtype=torch.complex64)
    for penalty in (L1(1.0), L2(1.0), ElasticNet(1.0, 0.5), GroupLasso(1.0)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            half = copy.deepcopy(model).to(torch.complex32)
        torch.testing.assert_close(penalty.value(half), penalty.value(model), rtol=1e-3, atol=0)


def test_group_lasso_of_what_else_a_convolution_owns() -> None:
    layer = nn.Conv2d(4, 8, 3, groups=4)
    layer.lora_a = nn.Parameter(torch.ones(2, 36))
    assert GroupLasso(1.0, on="lora_a").value(layer).item() == pytest.approx(36 * 2)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert GroupLasso(1.0).value(nn.Conv1d(0, 3, 1)) == 0


@by_name
def test_frozen_alone_is_nothing_to_penalize(penalty: Penalty) -> None:
    frozen = nn.Linear(2, 1).requires_grad_(False)
    assert penalty.value(frozen) == 0
    objective = Objective(nn.MSELoss(), penalties=[penalty])
    assert objective(frozen(torch.ones(3, 2)), torch.ones(3, 1), model=frozen) == objective.terms["loss"]


@by_name
def test_functional_calls_train_what_they_are_given(penalty: Penalty) -> None:
    model = nn.Linear(3, 2)
    own = dict(model.named_parameters())

    def value(given: dict[str, torch.Tensor]) -> torch.Tensor:
        class Valued(nn.Module):
            def __init__(self) -> None:
                super().__init__()
                self.model = model

            def forward(self) -> torch.Tensor:
                return penalty.value(self.model)

        return torch.func.functional_call(Valued(), {f"model.{name}": t for name, t in given.items()}, ())

    slopes = torch.func.grad(value)({name: t.detach() for name, t in own.items()})
    (wanted,) = torch.autograd.grad(penalty.value(model), own["weight"])
    torch.testing.assert_close(slopes["weight"], wanted)
    assert not slopes["bias"].any()


@by_name
def test_lazy_model_asks_for_a_batch(penalty: Penalty) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = nn.LazyLinear(2)
    with pytest.raises(ValueError, match="'weight' has no shape yet; call the model once"):
        penalty.value(model)
    model(torch.zeros(1, 3))
    assert penalty.value(model).item() > 0


@by_name
def test_not_a_model(penalty: Penalty) -> None:
    with pytest.raises(TypeError, match=r"model must be a torch.nn.Module, got generator"):
        penalty.value(x for x in ())


@pytest.mark.parametrize("make", [L1, L2, GroupLasso, lambda c: ElasticNet(c, 0.5)])
def test_wrong_coefficients(make: Callable[[Any], Penalty]) -> None:
    for wrong in (-1e-9, math.nan, math.inf, -math.inf):
        with pytest.raises(ValueError, match=r"coefficient is .*, wanted a finite number >= 0"):
            make(wrong)
    for strange in ("0.1", None, True, [0.1], torch.tensor(0.1), 1j):
        with pytest.raises(TypeError, match=r"coefficient has type .*, wanted a finite number"):
            make(strange)


def test_wrong_ratio_and_on() -> None:
    for wrong in (-0.1, 1.1, math.nan):
        with pytest.raises(ValueError, match=r"l1_ratio is .*, wanted a number in \[0, 1\]"):
            ElasticNet(0.1, wrong)
    with pytest.raises(TypeError, match="l1_ratio has type"):
        ElasticNet(0.1, "half")
    with pytest.raises(TypeError, match="on must be a pattern"):
        L1(0.1, on=["a"])
    with pytest.raises(ValueError, match="must not be empty"):
        L1(0.1, on="")
    with pytest.raises(ValueError, match=r"'\*.wieght' matches no parameter. Did you mean 'weight'"):
        L1(0.1, on="*.wieght").value(nn.Linear(2, 1))


VARIANTS = [
    *PENALTIES,
    L1(1, on="*.head.*"),
    L2(1e-4, on=select.weights()),
    GroupLasso(np.float64(0.5), on=select.matching("a", "b")),
]


@pytest.mark.parametrize("penalty", VARIANTS, ids=repr)
def test_repr_pickle_and_copy_round_trip(penalty: Penalty) -> None:
    names = {"L1": L1, "L2": L2, "ElasticNet": ElasticNet, "GroupLasso": GroupLasso, "select": select}
    for twin in (eval(repr(penalty), names), pickle.loads(pickle.dumps(penalty)), copy.deepcopy(penalty)):
        assert twin == penalty
        assert repr(twin) == repr(penalty)


def test_penalties_do_not_change() -> None:
    with pytest.raises(AttributeError):
        L1(0.1).coefficient = 0.2


def test_formulas() -> None:
    assert repr(L1(1e-4)) == "L1(0.0001)"
    assert repr(ElasticNet(0.1, l1_ratio=0.5, on="*.head.*")) == "ElasticNet(0.1, 0.5, on='*.head.*')"
    assert [penalty.formula() for penalty in (L1(1e-4), L2(1e-3), ElasticNet(0.1, 0.5), GroupLasso(0.2))] == [
        "0.0001·Σ|w|",
        "½·0.001·Σw²",
        "0.1·(0.5·Σ|w| + 0.25·Σw²)",
        "0.2·Σ√|g|·‖w_g‖",
    ]
    assert L1(0.5, on="*.head.*").formula() == "0.5·Σ|w| [*.head.*]"


@pytest.mark.parametrize(
    "penalty",
    [
        pytest.param(penalty, id=penalty.name, marks=[] if isinstance(penalty, GroupLasso) else [pytest.mark.grid])
        for penalty in PENALTIES
    ],
)
def test_compiled_without_a_break(penalty: Penalty) -> None:
    model = mixed()
    compiled = torch.compile(penalty.value, fullgraph=True, backend="aot_eager")
    assert compiled(model).item() == penalty.value(model).item()
    gradients = torch.autograd.grad(compiled(model), [model[0].weight])
    assert torch.equal(gradients[0], torch.autograd.grad(penalty.value(model), [model[0].weight])[0])
    model[0].weight.requires_grad_(False)  # seen by the compiled one too
    assert compiled(model).item() == penalty.value(model).item()


@pytest.mark.parametrize("on", ["*.0.weight", select.matching("*.weight")])
def test_patterns_compile(on: Any) -> None:
    model = mixed()
    torch._dynamo.reset()  # every penalty is a compilation of one method
    compiled = torch.compile(L1(0.1, on=on).value, fullgraph=True, backend="aot_eager")
    assert compiled(model).item() == L1(0.1, on=on).value(model).item()


def test_weight_decay_of_sgd_is_l2() -> None:
    """The half in ½λΣw² is there so that λ is SGD's ``weight_decay``, to the last digit."""
    torch.manual_seed(0)
    x, y = torch.randn(8, 3, dtype=torch.float64), torch.randn(8, 1, dtype=torch.float64)
    one = nn.Linear(3, 1, bias=False).double()
    two = copy.deepcopy(one)
    first = torch.optim.SGD(one.parameters(), lr=0.1, momentum=0.9, weight_decay=0.2)
    second = torch.optim.SGD(two.parameters(), lr=0.1, momentum=0.9)
    for _ in range(20):
        for model, optimizer, penalty in ((one, first, 0.0), (two, second, 0.2)):
            optimizer.zero_grad()
            (nn.functional.mse_loss(model(x), y) + L2(penalty).value(model)).backward()
            optimizer.step()
    assert torch.allclose(one.weight, two.weight, rtol=0, atol=1e-14)


def test_a_penalty_of_ones_own() -> None:
    class SumToOne(Penalty):
        name = "sum_to_one"

        def value(self, model: nn.Module) -> Tensor:
            return (model.get_parameter("weight").sum() - 1) ** 2

    assert SumToOne().value(nn.Linear(2, 1)).ndim == 0
    assert "SumToOne" in SumToOne().formula()
    with pytest.raises(TypeError):
        Penalty()
