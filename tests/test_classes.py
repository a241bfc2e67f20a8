"""The class forms: signatures, fields, state, copies, configurations, predictions."""

from __future__ import annotations

import copy
import inspect
import json
import math
import pickle
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import torchobjectives
from tests.cases import BY_NAME, CASES, Case, Variant, generator, grid
from tests.cases.base import HEAD
from torchobjectives import (
    AdaptiveLogSoftmaxLoss,
    BalancedSoftmaxLoss,
    BarronLoss,
    CosineSimilarityLoss,
    CrossEntropyLoss,
    DiceLoss,
    FocalLoss,
    ForwardCorrectionLoss,
    GHMCLoss,
    GHMRLoss,
    HuberLoss,
    LDAMLoss,
    LogitAdjustedLoss,
    Loss,
    MSELoss,
    NLLLoss,
    SymmetricCrossEntropyLoss,
    _exports,
    _registry,
    as_loss,
    from_config,
    functional,
    get,
    register,
)
from torchobjectives._link import IDENTITY
from torchobjectives._loss import FunctionLoss

GRID = [pytest.param(case, variant, id=name) for case, variant, name in grid()]
# State belongs to the call of the function and to the buffer of the class.
STATE = {"ghmc_loss": {"bin_counts"}, "ghmr_loss": {"bin_counts"}}
# A field that says how long the state is.
OF_STATE = {"seesaw_loss": {"num_classes"}}
POPULATION = {"weight", "mask", "reduction"}


def make(case: Case, variant: Variant) -> Loss:
    torch.manual_seed(0)
    return case.make(variant)


@pytest.mark.parametrize("case", [c for c in CASES if c.name != "adaptive_log_softmax_loss"], ids=lambda c: c.name)
def test_signatures_agree(case: Case) -> None:
    function = inspect.signature(getattr(functional, case.name)).parameters
    fields = case.loss_class.fields()
    assert list(function)[:2] == ["y_pred", "y_true"]
    hyper = {name: p for name, p in function.items() if name not in POPULATION | {"y_pred", "y_true"}}
    assert all(p.kind is p.KEYWORD_ONLY for name, p in function.items() if name not in ("y_pred", "y_true"))
    wanted = {name: p.default for name, p in hyper.items() if name not in STATE.get(case.name, ())}
    beside = {"reduction", *OF_STATE.get(case.name, ())}
    assert {name: f.default for name, f in fields.items() if name not in beside} == wanted
    assert {name: f.annotation for name, f in fields.items() if name not in beside} == {
        name: hyper[name].annotation for name in wanted
    }
    constructor = inspect.signature(case.loss_class).parameters
    assert list(constructor.items())[-1][0] == "reduction"
    of_state = dict.fromkeys(OF_STATE.get(case.name, ()))
    assert {name: p.default for name, p in constructor.items()} == of_state | wanted | {"reduction": "mean"}
    assert all(p.kind is p.KEYWORD_ONLY for p in constructor.values())


@pytest.mark.parametrize(("case", "variant"), GRID)
def test_class_equals_function(case: Case, variant: Variant) -> None:
    y_pred, y_true = variant.sample(generator(1), 4)
    w, mask = torch.rand(4, dtype=torch.float64), torch.tensor([True, False, True, True])
    for reduction in ("mean", "sum", "none"):
        loss = case.make(variant, reduction=reduction)
        if case.name == "adaptive_log_softmax_loss":
            torch.manual_seed(0)
            loss = case.make(variant, reduction=reduction).double()
        wanted = case.evaluate(variant)(y_pred, y_true, weight=w, mask=mask, reduction=reduction)
        torch.testing.assert_close(loss(y_pred, y_true, weight=w, mask=mask), wanted, rtol=1e-12, atol=0)


@pytest.mark.parametrize(("case", "variant"), GRID)
def test_copies_are_equal(case: Case, variant: Variant) -> None:
    loss = make(case, variant)
    y_pred, y_true = (v.float() if v.is_floating_point() else v for v in variant.sample(generator(1), 4))
    loss(y_pred, y_true)  # state, where there is some
    restored = make(case, variant)
    restored.load_state_dict(loss.state_dict())
    for other in (pickle.loads(pickle.dumps(loss)), copy.deepcopy(loss), restored):
        assert repr(other) == repr(loss)
        torch.testing.assert_close(other.eval()(y_pred, y_true), copy.deepcopy(loss).eval()(y_pred, y_true))
        for name, tensor in loss.state_dict().items():
            twin = other.state_dict()[name]
            assert torch.equal(twin, tensor)
            assert twin.dtype == tensor.dtype
            assert twin.data_ptr() != tensor.data_ptr() or not tensor.numel()


@pytest.mark.parametrize(("case", "variant"), GRID)
def test_configuration_round_trip(case: Case, variant: Variant) -> None:
    loss = make(case, variant)
    config = json.loads(json.dumps(loss.to_config()))
    assert config["name"] == case.name == loss.name
    again = from_config(config)
    assert repr(again) == repr(loss)
    assert type(again) is type(loss)
    for name, value in loss.values().items():
        if isinstance(value, Tensor):
            torch.testing.assert_close(getattr(again, name), value, rtol=0, atol=0)


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_moves_and_modes(case: Case) -> None:
    loss = make(case, case.variants[0])
    assert loss.to(torch.float64) is loss
    assert loss.half() is loss
    with torch.device("meta"):
        case.make(case.variants[0])
    meta = copy.deepcopy(loss).to("meta")
    assert all(t.device.type == "meta" for t in meta.state_dict().values())
    net = nn.ModuleDict({"criterion": make(case, case.variants[0])})
    for name, tensor in net.half().state_dict().items():
        exact = name.removeprefix("criterion.") in case.loss_class.float64_buffers
        assert tensor.dtype is (torch.float64 if exact else torch.float16)


def test_wrong_construction() -> None:
    table: list[tuple[Any, type[Exception], str]] = [
        (lambda: HuberLoss(1.0), TypeError, r"keyword arguments only.*HuberLoss\(delta="),  # type: ignore[misc]
        (lambda: HuberLoss(dleta=1.0), TypeError, "no hyper-parameter 'dleta'. Did you mean 'delta'"),  # type: ignore[call-arg]
        (lambda: HuberLoss(delta=-1.0), ValueError, r"delta is -1.0, wanted a finite number > 0"),
        (lambda: HuberLoss(delta=math.nan), ValueError, "delta is nan"),
        (lambda: HuberLoss(delta="1"), TypeError, "delta has type str"),  # type: ignore[arg-type]
        (lambda: HuberLoss(delta=True), TypeError, "delta has type bool"),
        (lambda: FocalLoss(gamma=-0.1), ValueError, "gamma"),
        (lambda: FocalLoss(alpha=1.5), ValueError, r"alpha is 1.5, wanted a number in \[0, 1\]"),
        (lambda: MSELoss(reduction="avg"), ValueError, "reduction is 'avg'"),  # type: ignore[arg-type]
        (lambda: GHMCLoss(bins=0), ValueError, "bins"),
        (lambda: GHMCLoss(bins=2.5), TypeError, "bins"),  # type: ignore[arg-type]
        (lambda: GHMRLoss(momentum=1.5), ValueError, "momentum"),
        (lambda: GHMRLoss(mu=0.0), ValueError, "mu"),
        (lambda: CrossEntropyLoss(class_weight=[1.0, -2.0]), ValueError, "class_weight"),
        (lambda: CrossEntropyLoss(label_smoothing=2.0), ValueError, "label_smoothing"),
        (lambda: BarronLoss(scale=0.0), ValueError, "scale"),
        (lambda: BarronLoss(alpha=math.nan), ValueError, "alpha"),
        (lambda: DiceLoss(sum_over="image"), ValueError, "sum_over"),  # type: ignore[arg-type]
        (lambda: DiceLoss(absent="skp"), ValueError, "Did you mean 'skip'"),  # type: ignore[arg-type]
        (lambda: AdaptiveLogSoftmaxLoss(**HEAD | {"cutoffs": [4, 2]}), ValueError, "cutoffs"),  # type: ignore[arg-type]
        (lambda: AdaptiveLogSoftmaxLoss(**HEAD | {"cutoffs": 2}), TypeError, r"such as \[2\]"),  # type: ignore[arg-type]
        (lambda: AdaptiveLogSoftmaxLoss(**HEAD | {"cutoffs": [6]}), ValueError, "cutoffs"),  # type: ignore[arg-type]
        (lambda: AdaptiveLogSoftmaxLoss(in_features=4, num_classes=5), TypeError, "needs cutoffs"),  # type: ignore[call-arg]
        (lambda: Loss(), TypeError, "abstract"),
        (lambda: HuberLoss(delta=nn.Parameter(torch.ones(()))), TypeError, r"delta has type Parameter|delta.item\(\)"),
        (
            lambda: HuberLoss(weight=torch.ones(3)),
            TypeError,
            r"weight with the call: loss\(y_pred, y_true, weight=...\)",
        ),
        (lambda: CrossEntropyLoss(weight=torch.ones(3)), TypeError, "For one weight per class: class_weight="),
        (lambda: FocalLoss(from_logits="no"), TypeError, "from_logits is 'no', wanted True or False"),
        (lambda: CrossEntropyLoss(class_weight="balanced"), TypeError, "class_weight is 'balanced', wanted a tensor"),
        (lambda: CosineSimilarityLoss(dim=None), TypeError, "dim has type NoneType"),
        (lambda: SymmetricCrossEntropyLoss(log_zero=4.0), ValueError, "log_zero is 4.0, wanted a finite number <= 0"),
        (lambda: BarronLoss(alpha=torch.ones(2), scale=torch.ones(3)), ValueError, r"\(2,\), \(3,\).*not broadcast"),
    ]
    for build, error, words in table:
        with pytest.raises(error, match=words):
            build()


@pytest.mark.parametrize("name", [c.name for c in CASES if c.reference is not None])
def test_the_function_checks_what_the_class_checks(name: str) -> None:
    """Each numeric hyper-parameter refuses NaN in both forms."""
    case = BY_NAME[name]
    y_pred, y_true = case.variants[0].sample(generator(0), 2)
    for field in case.loss_class.fields().values():
        if isinstance(field.default, float):
            with pytest.raises(ValueError, match=field.name):
                getattr(functional, name)(y_pred, y_true, **case.variants[0].hyper | {field.name: math.nan})
            with pytest.raises(ValueError, match=field.name):
                case.make(case.variants[0], **{field.name: math.nan})


def test_fields_are_buffers_parameters_or_numbers() -> None:
    alpha = nn.Parameter(torch.tensor(1.0))
    learned = BarronLoss(alpha=alpha, scale=torch.tensor([0.5, 2.0]))
    assert learned.alpha is alpha  # not cloned: the optimizer sees the caller's parameter
    assert dict(learned.named_parameters()) == {"alpha": alpha}
    assert list(dict(learned.named_buffers())) == ["scale"]
    learned(torch.zeros(3, 2), torch.ones(3, 2)).backward()
    assert alpha.grad is not None
    assert alpha.grad != 0
    fixed = BarronLoss(alpha=0.5)
    fixed.alpha = 1.5
    assert repr(fixed) == "BarronLoss(alpha=1.5, scale=1.0)"
    fixed.alpha = torch.tensor(1.0)
    assert "alpha" in dict(fixed.named_buffers())
    with pytest.raises(TypeError, match="alpha"):
        fixed.alpha = 2.0
    assert "class_weight" not in CrossEntropyLoss().state_dict()
    weighted = CrossEntropyLoss(class_weight=[1, 2, 4])
    assert weighted.double().class_weight.dtype is torch.float64  # type: ignore[union-attr]


def test_learnable_alpha_round_trips_as_a_parameter() -> None:
    again = from_config(BarronLoss(alpha=nn.Parameter(torch.tensor(0.5))).to_config())
    assert isinstance(again.alpha, nn.Parameter)


@pytest.mark.parametrize("number", [20, pytest.param(len(CASES), marks=pytest.mark.grid)])
@pytest.mark.parametrize("form", [pytest.param("class", marks=pytest.mark.grid), "function"])
def test_any_number_of_losses_compile_in_one_process(form: str, number: int) -> None:
    """torch.compile gives up after eight recompilations of one code object: each loss must have its own."""
    torch._dynamo.reset()
    for case in CASES[:number]:
        if "compile" in case.spec.exemptions:
            continue
        y_pred, y_true = case.variants[0].sample(generator(0), 4)
        variant, hyper = case.variants[0], {} if form == "class" else case.variants[0].hyper
        loss = case.make(variant) if form == "class" else case.evaluate(variant).func
        torch.compile(loss, fullgraph=True, backend="eager")(y_pred, y_true, **hyper)


def test_what_the_function_takes_the_class_takes() -> None:
    vectors = torch.randn(2, 3, 4, 5)
    for dim in (2, -3, 0):
        loss = CosineSimilarityLoss(dim=dim)
        torch.testing.assert_close(
            loss(vectors, vectors.flip(0)), functional.cosine_similarity_loss(vectors, vectors.flip(0), dim=dim)
        )
    barron = BarronLoss(alpha=torch.zeros(1), scale=torch.ones(3))
    assert barron(torch.zeros(4, 3), torch.zeros(4, 3)) == 0
    x, y_true = torch.randn(6, 3, dtype=torch.float64), torch.tensor([0, 1, 2, 2, 1, 0])
    for weights in ([0.1, 0.2, 0.7], np.array([0.1, 0.2, 0.7])):
        close = functional.cross_entropy_loss(x, y_true, class_weight=[0.1, 0.2, 0.7])
        torch.testing.assert_close(CrossEntropyLoss(class_weight=weights)(x, y_true), close, rtol=1e-14, atol=0)
    heads = AdaptiveLogSoftmaxLoss(**HEAD | {"cutoffs": np.array([2, 4])})
    assert heads.cutoffs == (2, 4)


def test_a_loss_shows_itself_where_its_values_cannot_be_read() -> None:
    assert "<float64 tensor of shape (2,)>" in repr(CrossEntropyLoss(class_weight=[1.0, 2.0]).to("meta"))


def test_defaults_are_not_shared_by_instances(monkeypatch: pytest.MonkeyPatch) -> None:
    class Scaled(Loss):
        scale: nn.Parameter = nn.Parameter(torch.ones(()))

        @staticmethod
        def function(y_pred: Tensor, y_true: Tensor, *, scale: Tensor) -> Tensor:
            return scale * (y_pred - y_true) ** 2

    assert Scaled().scale is not Scaled().scale
    monkeypatch.setattr(_registry, "_registered", {})
    register("scaled", as_loss(Scaled.function, scale=nn.Parameter(torch.ones(()))))
    assert get("scaled").scale is not get("scaled").scale


def test_counts_of_a_batch_that_is_refused_are_not_kept() -> None:
    loss = GHMCLoss()
    with pytest.raises(ValueError, match="y_true"):
        loss(torch.zeros(5, 2), torch.full((5, 2), 2.0))
    assert not loss.bin_counts.any()


def test_reduction_can_be_set() -> None:
    loss = MSELoss()
    loss.reduction = "none"
    assert loss(torch.ones(2, 3), torch.zeros(2, 3)).shape == (2, 3)
    loss.reduction = "men"  # type: ignore[assignment]
    with pytest.raises(ValueError, match="Did you mean 'mean'"):
        loss(torch.ones(2), torch.zeros(2))


# State ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["ghmc_loss", "ghmr_loss"])
def test_running_counts(name: str) -> None:
    case = BY_NAME[name]
    function = getattr(functional, name)
    first, second = (case.variants[0].sample(generator(seed), 6) for seed in (1, 2))
    mask = torch.tensor([True, True, True, False, True, True])
    loss = case.loss_class()
    counts = loss.get_buffer("bin_counts")
    assert not counts.any()
    assert counts.dtype is torch.float64

    torch.testing.assert_close(loss(*first, mask=mask), function(*first, mask=mask))
    assert counts.sum() == 10  # five live samples of two elements each
    stored = counts.clone()
    wanted = function(*second, bin_counts=stored)
    torch.testing.assert_close(loss(*second), wanted)
    torch.testing.assert_close(counts.sum(), torch.tensor(0.75 * 10 + 0.25 * 12, dtype=torch.float64))

    after = counts.clone()
    with torch.no_grad():
        loss.eval()(*first)
    assert torch.equal(counts, after)
    torch.testing.assert_close(loss(*first), function(*first, bin_counts=after, momentum=1.0))
    fresh = case.loss_class().eval()
    torch.testing.assert_close(fresh(*first), function(*first))
    assert not fresh.get_buffer("bin_counts").any()


def test_counts_are_never_changed_by_the_function() -> None:
    given = torch.full((30,), 2.0, dtype=torch.float64)
    y_pred, y_true = BY_NAME["ghmc_loss"].variants[0].sample(generator(0), 5)
    functional.ghmc_loss(y_pred, y_true, bin_counts=given)
    assert torch.equal(given, torch.full_like(given, 2.0))
    with pytest.raises(ValueError, match=r"bin_counts has shape \(30,\).*\(10,\)"):
        functional.ghmc_loss(y_pred, y_true, bins=10, bin_counts=given)


@pytest.mark.parametrize("name", ["ghmc_loss", "ghmr_loss"])
def test_a_batch_without_a_live_unit_leaves_the_counts(name: str) -> None:
    case = BY_NAME[name]
    loss = case.loss_class()
    y_pred, y_true = case.variants[0].sample(generator(0), 6)
    loss(y_pred, y_true)
    stored = loss.get_buffer("bin_counts").clone()
    for dead in ({"mask": torch.zeros(6, dtype=torch.bool)}, {"weight": torch.zeros(6)}):
        assert loss(y_pred, y_true, **dead) == 0
    assert loss(y_pred[:0], y_true[:0]) == 0
    assert torch.equal(loss.get_buffer("bin_counts"), stored)


@pytest.mark.parametrize("name", ["ghmc_loss", "ghmr_loss"])
def test_wrong_counts(name: str) -> None:
    y_pred, y_true = BY_NAME[name].variants[0].sample(generator(0), 5)
    evaluate = partial(getattr(functional, name), y_pred, y_true, bins=2)
    for counts, words in (
        ([-1.0, 3.0], r"bin_counts holds values from -1 to 3, wanted a finite number >= 0"),
        ([math.inf, 3.0], "bin_counts holds values from 3 to inf"),
        ([math.nan, 3.0], "bin_counts holds values from nan to nan"),
    ):
        with pytest.raises(ValueError, match=words):
            evaluate(bin_counts=torch.tensor(counts))
    with pytest.raises(TypeError, match="bin_counts has type list, wanted a tensor"):
        evaluate(bin_counts=[1.0, 2.0])
    with pytest.raises(TypeError, match="bin_counts has dtype bool"):
        evaluate(bin_counts=torch.tensor([True, False]))


def test_counts_under_compile_and_accumulated_backward() -> None:
    torch._dynamo.reset()
    plain, compiled = GHMCLoss(), GHMCLoss()
    run = torch.compile(compiled, fullgraph=True, backend="aot_eager")
    for seed in (1, 2):
        y_pred, y_true = BY_NAME["ghmc_loss"].variants[0].sample(generator(seed), 5)
        torch.testing.assert_close(run(y_pred, y_true), plain(y_pred, y_true))
        torch.testing.assert_close(compiled.bin_counts, plain.bin_counts)
    leaf = y_pred.requires_grad_()
    (plain(leaf, y_true) + plain(leaf, y_true)).backward()  # the second call writes counts the first one used
    assert leaf.grad is not None


def test_counts_survive_half() -> None:
    loss = GHMCLoss()
    loss.get_buffer("bin_counts").fill_(1e6 + 1 / 3)
    loss.half().to(torch.bfloat16).float()
    assert torch.equal(loss.get_buffer("bin_counts"), torch.full((30,), 1e6 + 1 / 3, dtype=torch.float64))


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (["a"], "class_weight is .*, wanted a tensor or a list of numbers"),
        ([1, None], "class_weight is .*, wanted a tensor or a list of numbers"),
        ([[1.0], [1.0, 2.0]], "class_weight is .*, wanted a tensor or a list of numbers"),
        ([torch.ones(2), torch.ones(2)], r"torch.stack\(class_weight\)"),
    ],
)
def test_what_is_no_list_of_numbers_is_named(value: Any, words: str) -> None:
    with pytest.raises(TypeError, match=words):
        CrossEntropyLoss(class_weight=value)


def test_cutoffs_of_any_kind() -> None:
    fields: dict[str, Any] = {"in_features": 16, "num_classes": 20, "div_value": 2.0}
    assert AdaptiveLogSoftmaxLoss(cutoffs=torch.tensor([5, 10]), **fields).cutoffs == (5, 10)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="cutoffs is None, wanted a list of whole numbers"):
        AdaptiveLogSoftmaxLoss(cutoffs=None, **fields)  # type: ignore[arg-type]


def test_calibration_by_another_number_of_classes() -> None:
    with pytest.raises(ValueError, match=r"class_weight has shape \(2,\), y_pred has 3 classes"):
        CrossEntropyLoss(class_weight=[1.0, 2.0]).predict(torch.zeros(4, 3), calibrated=True)


# Predictions -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_predict_and_num_outputs(case: Case) -> None:
    loss = make(case, case.variants[0])
    y_pred, _ = case.variants[0].sample(generator(0), 4)
    y_pred = y_pred.float()
    found = loss.predict(y_pred)
    if case.spec.task == "regression" and case.spec.link is not IDENTITY:
        # What each link gives is tested with the losses of its family.
        assert found.isfinite().all()
        assert loss.num_outputs() == (1 if case.unit_axis is None else y_pred.shape[case.unit_axis])
    elif case.spec.task == "regression":
        assert torch.equal(found, y_pred)
        assert loss.num_outputs() == 1
    elif case.spec.task == "binary":
        assert found.shape == y_pred.shape
        torch.testing.assert_close(found, torch.sigmoid(y_pred))
        assert loss.num_outputs() == loss.num_outputs(2) == 1
    elif case.name == "adaptive_log_softmax_loss":
        assert found.shape == (4, 6)
        assert loss.num_outputs(6) == 16
    else:
        torch.testing.assert_close(found.sum(1), torch.ones(4, *y_pred.shape[2:]))
        assert found.shape == y_pred.shape
        assert loss.num_outputs(5) == 5
        with pytest.raises(ValueError, match="number of classes"):
            loss.num_outputs()


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("case", CASES, ids=lambda c: c.name)
def test_half_predictions_are_computed_in_float32(case: Case, dtype: torch.dtype) -> None:
    for variant in case.variants:
        loss = make(case, variant)
        y_pred = variant.sample(generator(0), 4)[0].to(dtype)
        for calibrated in (False, True):
            try:
                wanted = loss.predict(y_pred.float(), calibrated=calibrated)
            except ValueError:
                assert calibrated
                continue
            found = loss.predict(y_pred, calibrated=calibrated)
            with torch.autocast("cpu", dtype=torch.bfloat16):
                under = loss.predict(y_pred, calibrated=calibrated)
            for got in (found, under):
                assert got.dtype is dtype
                torch.testing.assert_close(got, wanted.to(dtype), equal_nan=True)


def test_half_predictions_at_the_ends() -> None:
    for size in (3e4, 1e5):
        counts = [size, 10.0, 1.0]
        y_pred = torch.tensor([[1e4, -1e4, 0.0]], dtype=torch.float16)
        for loss in (
            LDAMLoss(class_counts=counts),
            BalancedSoftmaxLoss(class_counts=counts),
            LogitAdjustedLoss(class_counts=counts),
            ForwardCorrectionLoss(transition=[[0.9, 0.1, 0.0], [0.0, 1.0, 0.0], [0.3, 0.0, 0.7]]),
        ):
            for calibrated in (False, True):
                assert loss.predict(y_pred, calibrated=calibrated).isfinite().all()
    assert LDAMLoss(class_counts=[2.0, 1.0]).predict(torch.zeros(1, 2, device="meta", dtype=torch.float16)).is_meta


def test_predict_of_probabilities_and_calibration() -> None:
    p = torch.tensor([0.2, 0.9])
    assert torch.equal(FocalLoss(from_logits=False).predict(p), p)
    assert torch.equal(NLLLoss().predict(p.log()[None]).squeeze(0), p.log().exp())
    with pytest.raises(ValueError, match="calibrated"):
        GHMCLoss().predict(p, calibrated=True)
    assert torch.equal(MSELoss().predict(p, calibrated=True), p)


# The public face -------------------------------------------------------------------------------------------------


def test_names() -> None:
    for case in CASES:
        assert case.loss_class.__doc__
        assert repr(make(case, case.variants[0])).startswith(case.loss_class.__name__ + "(")
    families = {pair for pairs in _exports.FAMILIES.values() for pair in pairs}
    assert len(families) == len(CASES)


def test_final_classes_cannot_be_confused_with_user_functions() -> None:
    assert not any(issubclass(c.loss_class, FunctionLoss) for c in CASES)
    assert torchobjectives.MSELoss is MSELoss
