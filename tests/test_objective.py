import copy
import functools
import io
import math
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from torchobjectives.objective import BoundObjective, Objective
from torchobjectives.penalties import L1, L2, ElasticNet, GroupLasso, Penalty


class Weighted(nn.Module):
    """A loss that takes weight and mask, as this library's do."""

    def forward(
        self, y_pred: Tensor, y_true: Tensor, *, weight: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        values = (y_pred - y_true) ** 2
        w = torch.ones_like(values) if weight is None else weight
        w = w if mask is None else w * mask
        return (w * values).sum() / w.sum()


class Learnable(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.log_scale = nn.Parameter(torch.tensor(0.5))

    def forward(self, y_pred: Tensor, y_true: Tensor) -> Tensor:
        return F.mse_loss(y_pred, y_true) * torch.exp(-self.log_scale) + self.log_scale


class Doubled(Penalty):
    name = "doubled"

    def value(self, model: nn.Module) -> Tensor:
        return 2 * model.get_parameter("weight").sum()


class SumOfSquares(Penalty):
    def value(self, model: nn.Module) -> Tensor:
        return model.get_parameter("weight").square().sum()


class PlainPenalty:
    def value(self, model: nn.Module) -> Tensor:
        return model.get_parameter("weight").sum()


def net() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(3, 1)


def batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(5, 3, generator=generator), torch.randn(5, 1, generator=generator)


def test_the_sum_and_its_terms() -> None:
    model, (x, y_true) = net(), batch()
    objective = Objective(nn.MSELoss(), penalties=[L1(0.1), L2(0.2), ElasticNet(0.3, 0.5), GroupLasso(0.4)])
    y_pred = model(x)
    value = objective(y_pred, y_true, model=model)
    w = model.weight.detach().numpy().astype(float).ravel()
    wanted = {
        "loss": F.mse_loss(y_pred, y_true).item(),
        "l1": 0.1 * abs(w).sum(),
        "l2": 0.1 * (w**2).sum(),
        "elastic_net": 0.3 * (0.5 * abs(w).sum() + 0.25 * (w**2).sum()),
        "group_lasso": 0.4 * abs(w).sum(),
    }
    assert list(objective.terms) == list(wanted)
    for name, term in objective.terms.items():
        assert term.item() == pytest.approx(wanted[name], rel=1e-6)
        assert not term.requires_grad
    assert value.ndim == 0
    assert value.item() == pytest.approx(sum(wanted.values()), rel=1e-6)
    value.backward()
    reference = copy.deepcopy(model)
    reference.zero_grad()
    loss = F.mse_loss(reference(x), y_true)
    ratio = 0.1 + 0.15 + 0.4
    (loss + ratio * reference.weight.abs().sum() + 0.175 * reference.weight.square().sum()).backward()
    assert model.weight.grad is not None
    assert reference.weight.grad is not None
    assert torch.allclose(model.weight.grad, reference.weight.grad, rtol=1e-5)


def test_a_loss_alone_needs_no_model() -> None:
    x, y_true = batch()
    objective = Objective(F.mse_loss)
    assert dict(objective.terms) == {}
    y_pred = net()(x)
    assert objective(y_pred, y_true).item() == F.mse_loss(y_pred, y_true).item()
    assert objective(y_pred, y_true, model=net()).item() == F.mse_loss(y_pred, y_true).item()
    assert list(objective.terms) == ["loss"]


def test_penalties_without_model() -> None:
    x, y_true = batch()
    with pytest.raises(ValueError, match=r"has penalties \(l1, l2\) and got no model.*objective.bind\(model\)"):
        Objective(nn.MSELoss(), [L1(0.1), L2(0.1)])(net()(x), y_true)


def test_terms_are_read_only_and_survive_in_place_division() -> None:
    model, (x, y_true) = net(), batch()
    objective = Objective(nn.MSELoss())
    value = objective(model(x), y_true)
    before = value.item()
    value /= 4
    assert objective.terms["loss"].item() == before
    with pytest.raises(TypeError):
        objective.terms["loss"] = value
    with pytest.raises(AttributeError):
        objective.terms = {}


def test_a_module_dict_of_losses_is_a_dict_of_losses() -> None:
    x, y_true = batch()
    y_pred = net()(x)
    objective = Objective(nn.ModuleDict({"main": nn.MSELoss()}))
    assert objective({"main": y_pred}, {"main": y_true}).item() == F.mse_loss(y_pred, y_true).item()
    assert list(objective.terms) == ["main"]


def test_under_functional_transforms() -> None:
    model, (x, y_true) = net(), batch()
    bound = Objective(nn.MSELoss(), [L2(0.1)]).bind(model)

    class Whole(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model, self.criterion = model, bound

        def forward(self, x: Tensor, y_true: Tensor) -> Tensor:
            return self.criterion(self.model(x), y_true)

    whole = Whole()
    parameters = {name: tensor.detach() for name, tensor in whole.named_parameters()}
    got = torch.func.grad(lambda p: torch.func.functional_call(whole, p, (x, y_true)))(parameters)
    whole(x, y_true).backward()
    for name, tensor in whole.named_parameters():
        assert torch.allclose(got[name], tensor.grad)
    torch.func.grad(lambda p: torch.func.functional_call(whole, p, (x, y_true)))(parameters)
    assert not bound.terms, "what ends with the transform is kept"


def test_second_penalties_of_a_name() -> None:
    model, (x, y_true) = net(), batch()
    objective = Objective(nn.MSELoss(), [L1(0.1), L2(0.1), L1(0.2, on="bias"), L1(0.3), Doubled(), PlainPenalty()])
    objective(model(x), y_true, model=model)
    assert list(objective.terms) == ["loss", "l1", "l2", "l1_2", "l1_3", "doubled", "plain_penalty"]
    assert list(objective.penalties) == list(objective.terms)[1:]
    assert list(Objective(nn.MSELoss(), [SumOfSquares()]).penalties) == ["sum_of_squares"]
    assert objective.penalties["l1_2"] == L1(0.2, on="bias")
    assert objective.terms["doubled"].item() == pytest.approx(2 * objective.terms["plain_penalty"].item())


def two_losses(**options: Any) -> Objective:
    return Objective({"main": Weighted(), "aux": nn.L1Loss()}, term_weights={"aux": 0.1}, **options)


def test_named_losses() -> None:
    model, (x, y_true) = net(), batch()
    y_pred = {"main": model(x), "aux": 2 * model(x)}
    targets = {"aux": y_true, "main": y_true + 1}
    objective = two_losses(penalties=[L2(0.5)])
    value = objective(y_pred, targets, model=model)
    main = F.mse_loss(y_pred["main"], targets["main"])
    aux = 0.1 * F.l1_loss(y_pred["aux"], targets["aux"])
    assert list(objective.terms) == ["main", "aux", "l2"]
    assert objective.terms["main"].item() == pytest.approx(main.item())
    assert objective.terms["aux"].item() == pytest.approx(aux.item())
    assert value.item() == pytest.approx((main + aux + L2(0.5).value(model)).item())
    assert dict(objective.term_weights) == {"main": 1.0, "aux": 0.1}


def test_weight_and_mask_reach_the_loss() -> None:
    model, (x, y_true) = net(), batch()
    weight = torch.tensor([[1.0], [2], [0], [1], [1]])
    mask = torch.tensor([[True], [True], [True], [False], [True]])
    y_pred = model(x)
    wanted = Weighted()(y_pred, y_true, weight=weight, mask=mask).item()
    assert Objective(Weighted())(y_pred, y_true, weight=weight, mask=mask).item() == wanted
    assert Objective(Weighted()).bind(model)(y_pred, y_true, weight=weight, mask=mask).item() == wanted
    two = two_losses()
    y_preds, y_trues = {"main": y_pred, "aux": y_pred}, {"main": y_true, "aux": y_true}
    two(y_preds, y_trues, weight={"main": weight}, mask={"main": mask, "aux": None})
    assert two.terms["main"].item() == wanted


def test_a_loss_that_takes_no_weight_says_so() -> None:
    x, _ = batch()
    with pytest.raises(TypeError, match=r"loss of term 'loss', MSELoss\(\), takes no weight"):
        Objective(nn.MSELoss())(x, x, weight=torch.ones(5))
    with pytest.raises(TypeError, match="term 'aux', L1Loss\\(\\), takes no mask"):
        two_losses()({"main": x, "aux": x}, {"main": x, "aux": x}, mask={"aux": x > 0})


@pytest.mark.parametrize(
    "loss",
    [
        nn.MSELoss(),
        F.mse_loss,
        functools.partial(F.huber_loss, delta=2.0),
        lambda p, t: ((p - t) ** 2).mean(),
    ],
)
def test_anything_callable_is_a_loss(loss: Callable[..., Tensor]) -> None:
    model, (x, y_true) = net(), batch()
    objective = Objective(loss, [L1(0.1)])
    wanted = loss(model(x), y_true) + L1(0.1).value(model)
    assert objective(model(x), y_true, model=model).item() == wanted.item()


@pytest.mark.parametrize(
    ("loss", "message"),
    [
        (
            nn.MSELoss(reduction="none"),
            r"'loss' must be a scalar tensor, got a tensor of shape \(5, 3\): give the loss reduction=",
        ),
        (lambda p, t: 0.5, r"got a float: return the tensor itself, without .item\(\)"),
        (lambda p, t: None, "got a NoneType: return the loss alone"),
        (lambda p, t: (p - t).mean().reshape(1), r"shape \(1,\)"),
    ],
)
def test_a_term_must_be_a_scalar(loss: Callable[..., Any], message: str) -> None:
    x, _ = batch()
    with pytest.raises(ValueError, match=message):
        Objective(loss)(x, x)
    with pytest.raises(ValueError, match=message.replace("'loss'", "'aux'")):
        Objective({"main": nn.MSELoss(), "aux": loss})({"main": x, "aux": x}, {"main": x, "aux": x})


def test_a_penalty_must_be_a_scalar() -> None:
    class Wrong(Penalty):
        name = "wrong"

        def value(self, model: nn.Module) -> Tensor:
            return model.get_parameter("weight")

    x, _ = batch()
    with pytest.raises(ValueError, match=r"term 'wrong' must be a scalar tensor, got a tensor of shape \(1, 3\)"):
        Objective(nn.MSELoss(), [Wrong()])(x, x, model=net())


@pytest.mark.parametrize(
    ("y_pred", "y_true", "options", "message"),
    [
        ({"main"}, {"main", "aux"}, {}, r"y_pred has nothing for \['aux'\]"),
        ({"main", "aux"}, {"main", "aus"}, {}, "y_true has the unknown name 'aus'. Did you mean 'aux'"),
        ({"main", "aux", "third"}, {"main", "aux"}, {}, "unknown name 'third'. Known: 'main', 'aux'"),
        ({"main", "aux"}, {"main", "aux"}, {"weight": {"mian"}}, "weight has .* 'mian'. Did you mean 'main'"),
        ({"main", "aux"}, {"main", "aux"}, {"mask": {"loss"}}, "mask has the unknown name 'loss'"),
    ],
)
def test_wrong_names(y_pred: set[str], y_true: set[str], options: dict[str, set[str]], message: str) -> None:
    x, _ = batch()
    with pytest.raises(ValueError, match=message):
        two_losses()(
            dict.fromkeys(y_pred, x),
            dict.fromkeys(y_true, x),
            **{key: dict.fromkeys(names, x) for key, names in options.items()},
        )


def test_named_losses_want_dicts() -> None:
    x, _ = batch()
    with pytest.raises(TypeError, match=r"y_pred must be a dict with the names .*\['main', 'aux'\], got Tensor"):
        two_losses()(x, {"main": x, "aux": x})
    with pytest.raises(TypeError, match="weight must be a dict"):
        two_losses()({"main": x, "aux": x}, {"main": x, "aux": x}, weight=x)


@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (lambda: Objective({}), ValueError, "at least one loss"),
        (lambda: Objective(nn.MSELoss), TypeError, r"pass MSELoss\(\), an instance"),
        (lambda: Objective("mse"), TypeError, "must be callable"),
        (lambda: Objective({"a": None}), TypeError, "term 'a' must be callable"),
        (lambda: Objective({3: nn.MSELoss()}), TypeError, "must be a string"),
        (lambda: Objective({"a.b": nn.MSELoss()}), ValueError, "'a.b' cannot name a term"),
        (lambda: Objective({"": nn.MSELoss()}), ValueError, "cannot name a term"),
        (lambda: Objective({"_modules": nn.MSELoss()}), ValueError, "'_modules' cannot name a term"),
        (lambda: Objective({"keys": nn.MSELoss()}), ValueError, "'keys' cannot name a term"),
        (lambda: Objective(nn.MSELoss(), L1(0.1)), TypeError, "put it in brackets"),
        (lambda: Objective(nn.MSELoss(), [L1]), TypeError, r"object with value\(model\)"),
        (lambda: Objective(nn.MSELoss(), [0.1]), TypeError, r"object with value\(model\)"),
        (
            lambda: Objective({"l1": nn.L1Loss()}, [L1(0.1)]),
            ValueError,
            "'l1' names both a loss and a penalty",
        ),
        (lambda: Objective({"l1_2": nn.L1Loss()}, [L1(0.1), L1(0.1)]), ValueError, "'l1_2' names both"),
        (lambda: Objective(nn.MSELoss(), term_weights={"los": 1}), ValueError, "Did you mean 'loss'"),
        (
            lambda: Objective(nn.MSELoss(), [L1(0.1)], {"l1": 1}),
            ValueError,
            "term_weights has the unknown name 'l1'",
        ),
        (
            lambda: Objective(nn.MSELoss(), term_weights={"loss": math.nan}),
            ValueError,
            r"term_weights\['loss'\]",
        ),
        (lambda: Objective(nn.MSELoss(), term_weights={"loss": "1"}), TypeError, "has type str, wanted"),
        (lambda: Objective(nn.MSELoss(), term_weights=[1]), TypeError, "term_weights must be a dict"),
        (lambda: Objective(nn.MSELoss()).bind([]), TypeError, "model must be a torch.nn.Module"),
    ],
)
def test_wrong_construction(build: Callable[[], Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        build()


def test_learnable_losses_are_found_and_the_model_is_not() -> None:
    model = net()
    objective = Objective({"a": Learnable(), "b": nn.MSELoss()}, [L1(0.1)])
    bound = objective.bind(model)
    own = [objective.get_parameter("losses.a.log_scale")]
    for module in (objective, bound):
        assert list(module.parameters()) == own
        assert len(module.state_dict()) == 1
    x, y_true = batch()
    y_pred = model(x)
    bound({"a": y_pred, "b": y_pred}, {"a": y_true, "b": y_true}).backward()
    assert own[0].grad is not None
    twin = Objective({"a": Learnable(), "b": nn.MSELoss()})
    with torch.no_grad():
        own[0].fill_(3.0)
    twin.load_state_dict(objective.state_dict())
    assert twin.get_parameter("losses.a.log_scale").item() == 3.0


def test_what_a_module_behind_a_partial_or_a_method_learns_is_found() -> None:
    for wrap in (functools.partial, lambda loss: loss.forward):
        loss = Learnable()
        objective = Objective(wrap(loss))
        assert [p is loss.log_scale for p in objective.parameters()] == [True]
        x, y_true = batch()
        objective(x, y_true + 0 * x).backward()
        assert loss.log_scale.grad is not None


def test_bound_is_the_objective_of_its_model() -> None:
    model, (x, y_true) = net(), batch()
    objective = Objective(nn.MSELoss(), [L1(0.1)])
    bound = objective.bind(model)
    y_pred = model(x)
    assert bound(y_pred, y_true).item() == objective(y_pred, y_true, model=model).item()
    assert bound.terms == objective.terms
    assert str(bound) == str(objective)
    with torch.no_grad():
        model.weight.mul_(2)
    bound(y_pred, y_true)
    assert bound.terms["l1"].item() == pytest.approx(L1(0.1).value(model).item())


def test_bound_inside_its_model() -> None:
    """The usual place for a criterion, and the one where owning would double everything or never end."""
    model, (x, y_true) = net(), batch()
    names, state = [n for n, _ in model.named_parameters()], list(model.state_dict())
    model.criterion = Objective(nn.MSELoss(), [L1(0.1)]).bind(model)
    assert [n for n, _ in model.named_parameters()] == names
    assert list(model.state_dict()) == state
    assert len(repr(model)) < 500
    model.double().float().eval().requires_grad_(True)
    for twin in (copy.deepcopy(model), pickle.loads(pickle.dumps(model))):
        with torch.no_grad():
            twin.weight.zero_()
        twin.criterion(twin(x), y_true)
        assert twin.criterion.terms["l1"].item() == 0
        model.criterion(model(x), y_true)
        assert model.criterion.terms["l1"].item() > 0


def test_copies_of_bound() -> None:
    model, (x, y_true) = net(), batch()
    bound = Objective(Learnable(), [L1(0.1)]).bind(model)
    value = bound(model(x), y_true).item()
    alone = copy.deepcopy(bound)
    assert alone(model(x), y_true).item() == value
    assert alone.get_parameter("objective.losses.loss.log_scale") is not bound.get_parameter(
        "objective.losses.loss.log_scale"
    )
    with torch.no_grad():
        model.weight.zero_()
    alone(model(x), y_true)
    assert alone.terms["l1"].item() == 0  # still this model, not a forgotten copy of it

    together = copy.deepcopy({"model": model, "bound": bound})
    with torch.no_grad():
        together["model"].weight.fill_(1.0)
    together["bound"](together["model"](x), y_true)
    assert together["bound"].terms["l1"].item() == pytest.approx(0.3)

    # The copy of the criterion may be made before the model's.
    for order in (("bound", "model"), ("model", "bound")):
        pair = {"model": net(), "bound": None}
        pair["bound"] = Objective(nn.MSELoss(), [L1(0.1)]).bind(pair["model"])
        twin = copy.deepcopy(copy.deepcopy({key: pair[key] for key in order}))
        with torch.no_grad():
            twin["model"].weight.zero_()
        twin["bound"](twin["model"](x), y_true).backward()
        assert twin["bound"].terms["l1"].item() == 0
        assert pair["model"].weight.grad is None

    restored = pickle.loads(pickle.dumps(bound))
    assert isinstance(restored, BoundObjective)
    restored(model(x), y_true)
    assert restored.terms["l1"].item() == 0


@pytest.fixture
def process_group(tmp_path: Path) -> Iterator[None]:
    torch.distributed.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    torch.distributed.destroy_process_group()


@pytest.mark.usefixtures("process_group")
@pytest.mark.filterwarnings("ignore")
def test_distributed_data_parallel() -> None:
    model, (x, y_true) = net(), batch()
    plain = copy.deepcopy(model)
    objective = Objective(nn.MSELoss(), [L1(0.1), L2(0.2, on="*.bias")])
    model.criterion = objective.bind(model)
    parallel = nn.parallel.DistributedDataParallel(model)
    for criterion in (model.criterion, objective.bind(parallel)):
        parallel.zero_grad()
        criterion(parallel(x), y_true).backward()
        plain.zero_grad()
        objective(plain(x), y_true, model=plain).backward()
        for one, other in zip(model.parameters(), plain.parameters(), strict=True):
            assert one.grad is not None
            assert other.grad is not None
            assert torch.allclose(one.grad, other.grad)
    wrapped = nn.parallel.DistributedDataParallel(Objective(Learnable(), [L1(0.1)]).bind(plain))
    assert len(list(wrapped.parameters())) == 1
    wrapped(plain(x), y_true).backward()


@pytest.mark.parametrize("way", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_objective_copies_and_pickles(way: Callable[[Objective], Objective]) -> None:
    model, (x, y_true) = net(), batch()
    objective = Objective({"a": Learnable(), "b": F.mse_loss}, [L1(0.1), Doubled()], {"b": 0.5})
    y = ({"a": model(x), "b": model(x)}, {"a": y_true, "b": y_true})
    value = objective(*y, model=model).item()
    twin = way(objective)
    assert twin(*y, model=model).item() == value
    assert str(twin) == str(objective)
    assert not twin.terms.keys() ^ objective.terms.keys()
    stream = io.BytesIO()
    torch.save(objective.state_dict(), stream)
    assert stream.tell() > 0


def test_to_moves_what_losses_learn_and_leaves_the_bound_model() -> None:
    model = net()
    bound = Objective(Learnable(), [L1(0.1)]).bind(model)
    bound.to(torch.float64)
    assert [p.dtype for p in bound.parameters()] == [torch.float64]
    assert model.weight.dtype == torch.float32


def test_float32_penalty_beside_a_half_loss() -> None:
    model = net().to(torch.bfloat16)
    x, y_true = (part.to(torch.bfloat16) for part in batch())
    objective = Objective(nn.MSELoss(), [L1(1e-4)])
    value = objective(model(x), y_true, model=model)
    assert objective.terms["loss"].dtype == torch.bfloat16
    assert value.dtype == torch.float32
    assert value.item() == pytest.approx(sum(term.item() for term in objective.terms.values()))
    value.backward()


def test_a_penalty_that_is_a_module_is_found() -> None:
    class Anchored(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.strength = nn.Parameter(torch.tensor(0.5))

        def value(self, model: nn.Module) -> Tensor:
            return self.strength * model.get_parameter("weight").square().sum()

    objective = Objective(nn.MSELoss(), [Anchored()])
    assert len(list(objective.parameters())) == 1
    model, (x, y_true) = net(), batch()
    objective(model(x), y_true, model=model)
    assert list(objective.terms) == ["loss", "anchored"]


@pytest.mark.parametrize("bound", [False, True])
def test_compiled_without_a_break(bound: bool) -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4), nn.Linear(4, 1))
    x, y_true = batch()
    penalties = [L1(0.1), L2(0.2), GroupLasso(0.3, on="*.weight")]
    objective = Objective({"a": Learnable(), "b": F.mse_loss}, penalties, {"b": 0.5})

    def step(x: Tensor, y_true: Tensor) -> Tensor:
        y_pred = model(x)
        predictions, targets = {"a": y_pred, "b": y_pred}, {"a": y_true, "b": y_true}
        if bound:
            return bound_objective(predictions, targets)
        return objective(predictions, targets, model=model)

    bound_objective = objective.bind(model)
    wanted = step(x, y_true)
    terms = dict(objective.terms)
    gradients = torch.autograd.grad(wanted, list(model.parameters()))
    compiled = torch.compile(step, fullgraph=True, backend="aot_eager")
    value = compiled(x, y_true)
    assert value.item() == pytest.approx(wanted.item(), rel=1e-6)
    assert {name: term.item() for name, term in objective.terms.items()} == pytest.approx(
        {name: term.item() for name, term in terms.items()}, rel=1e-6
    )
    for got, expected in zip(torch.autograd.grad(value, list(model.parameters())), gradients, strict=True):
        assert torch.allclose(got, expected, rtol=1e-5, atol=1e-7)


def test_the_module_itself_compiles() -> None:
    model, (x, y_true) = net(), batch()
    objective = Objective(Weighted(), [L1(0.1)])
    compiled = torch.compile(objective, fullgraph=True, backend="aot_eager")
    y_pred, weight = model(x).detach().requires_grad_(), torch.ones(5, 1)
    value = compiled(y_pred, y_true, model=model, weight=weight)
    assert value.item() == pytest.approx(objective(y_pred, y_true, model=model, weight=weight).item())
    compiled_bound = torch.compile(objective.bind(model), fullgraph=True, backend="aot_eager")
    assert compiled_bound(y_pred, y_true, weight=weight).item() == pytest.approx(value.item())


def test_formula() -> None:
    objective = Objective(nn.HuberLoss(delta=2.0), [L1(1e-4), L2(1e-3)])
    assert objective.formula() == "HuberLoss() + 0.0001·Σ|w| + ½·0.001·Σw²"
    assert str(objective) == objective.formula() == objective.bind(net()).formula()
    partial = functools.partial(F.huber_loss, delta=2.0)
    named = Objective({"a": F.mse_loss, "b": partial}, [PlainPenalty(), L1(0.1)], {"b": 0.5})
    assert str(named) == "mse_loss + 0.5·huber_loss(delta=2.0) + PlainPenalty() + 0.1·Σ|w|"
    nested = Objective(nn.Sequential(nn.Flatten(), nn.Identity()))
    assert "\n" not in str(nested)


def test_training_shrinks_what_the_penalty_speaks_of() -> None:
    torch.manual_seed(0)
    x = torch.randn(64, 4)
    y_true = x[:, :1] * 2
    weights = {}
    for coefficient in (0.0, 1.0):
        model = nn.Linear(4, 1)
        criterion = Objective(nn.MSELoss(), [L2(coefficient)]).bind(model)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        for _ in range(100):
            optimizer.zero_grad()
            criterion(model(x), y_true).backward()
            optimizer.step()
        weights[coefficient] = model.weight.norm().item()
    assert weights[1.0] < 0.8 * weights[0.0]
