"""What every loss must do, as small functions that raise when it does not.

A property takes a :class:`Subject` and knows nothing of pytest: the contract tests run them over all losses, the
mutant tests show that each can fail.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

import pytest
import torch
from torch import Generator, Tensor
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils import _pytree as pytree

from tests.cases import Case, Variant, generator
from torchobjectives._link import REAL, Domain
from torchobjectives._reduction import TOTALS

F64 = torch.float64
HALVES = (torch.float16, torch.bfloat16)
DTYPES = (torch.float64, torch.float32, *HALVES)


@dataclass(frozen=True)
class Subject:
    """A loss in the contract, and how to draw inputs for it."""

    evaluate: Callable[..., Tensor]
    sample: Callable[[Generator, int], tuple[Tensor, Tensor]]
    unit_axis: int | None = None
    kind: str = "unit"
    y_pred: str = "real"
    # What the legal values of y_pred and y_true are, where not any.
    pred_domain: Domain = REAL
    true_domain: Domain = REAL
    # Predictions this large and no larger are promised to be finite.
    extremes: tuple[float, ...] = (30.0, 300.0, 1e4)
    hyper: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, case: Case, variant: Variant) -> Subject:
        holds: str = case.spec.y_pred
        if variant.hyper.get("from_logits") is False:
            holds = "probabilities"
        return cls(
            case.evaluate(variant),
            variant.sample,
            case.axis_of(variant),
            case.kind,
            holds,
            case.spec.pred_domain,
            case.spec.true_domain,
            case.extremes,
            dict(variant.hyper),
        )

    def __call__(self, y_pred: Tensor, y_true: Tensor, **population: Any) -> Tensor:
        return self.evaluate(y_pred, y_true, **population)

    def unit_shape(self, y_pred: Tensor) -> tuple[int, ...]:
        shape = list(y_pred.shape)
        if self.unit_axis is not None:
            del shape[self.unit_axis]
        return tuple(shape)


def close(a: Tensor, b: Tensor, rtol: float = 1e-9) -> None:
    torch.testing.assert_close(a, b, rtol=rtol, atol=1e-12, equal_nan=False)


def with_slope(loss: Callable[..., Tensor], y_pred: Tensor, *rest: Tensor, **population: Any) -> tuple[Tensor, Tensor]:
    """The value and the gradient of its sum with respect to y_pred; the graph must reach y_pred."""
    leaf = y_pred.detach().clone().requires_grad_()
    value = loss(leaf, *rest, **population)
    (slope,) = torch.autograd.grad(value.sum(), leaf)
    return value.detach(), slope


def spoiled(y_true: Tensor, dead: Tensor) -> Tensor:
    """y_true with nonsense wherever ``dead`` (along the leading axes) is True."""
    out = y_true.clone()
    out[dead] = float("nan") if out.is_floating_point() else -7
    return out


# Laws of reduction ---------------------------------------------------------------------------------------------


def permutation(s: Subject, rng: Generator) -> None:
    y_pred, y_true = s.sample(rng, 5)
    w = torch.rand(5, generator=rng, dtype=F64)
    order = torch.randperm(5, generator=rng)
    for reduction in ("mean", "sum"):
        close(
            s(y_pred, y_true, weight=w, reduction=reduction),
            s(y_pred[order], y_true[order], weight=w[order], reduction=reduction),
        )
    if s.kind != "batch":
        close(s(y_pred, y_true, reduction="none")[order], s(y_pred[order], y_true[order], reduction="none"))


def sums(s: Subject, rng: Generator) -> None:
    y_pred, y_true = s.sample(rng, 4)
    shape = s.unit_shape(y_pred)
    w = torch.rand(shape, generator=rng, dtype=F64)
    w[0] = 0
    for population in ({}, {"weight": w}, {"mask": w > 0.3}):
        none = s(y_pred, y_true, reduction="none", **population)
        assert none.shape == (() if s.kind == "batch" else shape), f"none has shape {none.shape}, units {shape}"
        close(s(y_pred, y_true, reduction="sum", **population), none.sum())


def duplication(s: Subject, rng: Generator) -> None:
    y_pred, y_true = s.sample(rng, 4)
    w = torch.tensor([1.0, 2.0, 3.0, 1.0], dtype=F64)
    times = w.long()
    twice = s(y_pred.repeat_interleave(times, 0), y_true.repeat_interleave(times, 0))
    close(s(y_pred, y_true, weight=w), twice)


def removal(s: Subject, rng: Generator) -> None:
    y_pred, y_true = s.sample(rng, 5)
    live = torch.tensor([True, False, True, True, False])
    w = torch.rand(5, generator=rng, dtype=F64) + 0.1
    bad_pred, bad_true = y_pred.clone(), spoiled(y_true, ~live)
    bad_pred[~live] = float("nan")
    for reduction in ("mean", "sum"):
        wanted, slope = with_slope(s, y_pred[live], y_true[live], weight=w[live], reduction=reduction)
        for population in (
            {"weight": w * live},
            {"weight": w, "mask": live},
            {"weight": torch.where(live, w, float("nan")), "mask": live},
        ):
            value, found = with_slope(s, bad_pred, bad_true, **population, reduction=reduction)
            close(value, wanted)
            close(found[live], slope)
            assert not found[~live].any(), "a dead slot has a slope"
    if s.kind != "batch":
        none = s(bad_pred, bad_true, mask=live, reduction="none")
        assert not none[~live].any(), "a dead slot has a value"


def scaling(s: Subject, rng: Generator) -> None:
    y_pred, y_true = s.sample(rng, 4)
    w = torch.rand(4, generator=rng, dtype=F64) + 0.1
    for factor in (1e-6, 7.0, 1e6):
        close(s(y_pred, y_true, weight=factor * w), s(y_pred, y_true, weight=w))


def micro_batch(s: Subject, rng: Generator) -> None:
    y_pred, y_true = s.sample(rng, 6)
    w = torch.rand(6, generator=rng, dtype=F64)
    total = mass = torch.zeros((), dtype=F64)
    for part in (slice(0, 1), slice(1, 4), slice(4, 6)):
        both = s(y_pred[part], y_true[part], weight=w[part], reduction=TOTALS)
        total, mass = total + both[0], mass + both[1]
    close(total / mass, s(y_pred, y_true, weight=w))


LAWS: dict[str, Callable[[Subject, Generator], None]] = {
    "permutation": permutation,
    "sum": sums,
    "duplication": duplication,
    "removal": removal,
    "scaling": scaling,
    "micro_batch": micro_batch,
}


# Degenerate input ----------------------------------------------------------------------------------------------


def degenerate_inputs(s: Subject) -> Iterator[tuple[str, Tensor, Tensor, dict[str, Any]]]:
    """Name, y_pred, y_true and population of every degenerate batch (float64)."""
    y_pred, y_true = s.sample(generator(3), 4)
    nobody = torch.zeros(4, dtype=torch.bool)
    yield "empty", y_pred[:0], y_true[:0], {}
    yield "empty, weighted", y_pred[:0], y_true[:0], {"weight": torch.ones(0, dtype=F64)}
    yield "one", y_pred[:1], y_true[:1], {}
    yield "all dead", torch.full_like(y_pred, float("nan")), spoiled(y_true, ~nobody), {"mask": nobody}
    yield "all of weight 0", y_pred, y_true, {"weight": torch.zeros(4, dtype=F64)}
    some = torch.tensor([True, False, True, False])
    spoiled_pred = torch.where(some.reshape(-1, *(1,) * (y_pred.ndim - 1)), y_pred, float("nan"))
    yield "NaN under the mask", spoiled_pred, y_true, {"mask": some}
    low, high = legal(s.true_domain, y_true, 0.0), legal(s.true_domain, y_true, 1.0)
    yield "one class absent", y_pred, low, {}
    yield "all the other class", y_pred, high, {}
    zeros = legal(s.pred_domain, y_pred, 0.0)
    yield "zeros", zeros, y_true, {}
    yield "zeros on zeros", zeros, low, {}
    yield from extreme_inputs(s, y_pred, y_true)


def legal(domain: Domain, like: Tensor, value: float) -> Tensor:
    """A tensor of one value, or of the legal one nearest to it."""
    if value <= domain.low:
        value = domain.low + (1e-3 if domain.open_low else 0.0)
    return torch.full_like(like, min(value, domain.high))


def extreme_inputs(s: Subject, y_pred: Tensor, y_true: Tensor) -> Iterator[tuple[str, Tensor, Tensor, dict[str, Any]]]:
    sign = torch.where(y_pred > y_pred.mean(), 1.0, -1.0).to(F64)
    if s.y_pred == "probabilities":
        yield "certain", (sign + 1) / 2, y_true, {}
        yield "certain, other way", (1 - sign) / 2, y_true, {}
        return
    if s.y_pred == "log_probabilities":
        for size in (30.0, 1e4):
            yield f"extreme {size:g}", torch.log_softmax(size * sign, 1), y_true, {}
        return
    bounded = s.pred_domain.low > -float("inf")
    if s.hyper.get("alpha") != float("inf"):
        for size in s.extremes:
            for name, values in (("", size * sign), (", other way", -size * sign)):
                if bounded:
                    values = torch.where(values > 0, values, legal(s.pred_domain, values, 0.0))
                yield f"extreme {size:g}{name}", values, y_true, {}
    if s.y_pred in ("real", "vectors"):
        yield "prediction = truth", y_true.to(y_pred.dtype), y_true, {}
        largest = max(s.extremes) * sign.abs() if bounded else max(s.extremes) * sign
        yield "both extreme", largest, largest, {}
    elif s.y_pred == "logits" and y_true.shape == y_pred.shape:
        yield "right and certain", 1e4 * (2.0 * y_true.round() - 1), y_true.round(), {}


def degenerate(s: Subject, dtype: torch.dtype) -> None:
    """Value and slope are finite, and dead batches are 0 with a slope of 0."""
    for name, y_pred, y_true, population in degenerate_inputs(s):
        p, t = y_pred.to(dtype), y_true.to(dtype) if y_true.is_floating_point() else y_true
        exact, exact_slope = with_slope(s, p.double(), t.double() if t.is_floating_point() else t, **population)
        value, slope = with_slope(s, p, t, **population)
        assert value.dtype == dtype, f"{name}: {value.dtype} out for {dtype} in"
        for what, got, true in (("value", value, exact), ("slope", slope, exact_slope)):
            assert true.isfinite().all(), f"{name}: {what} in float64 {true}"
            fits = true.abs() <= torch.finfo(dtype).max
            assert not got.isnan().any(), f"{name}: {what} is NaN"
            assert got[fits].isfinite().all(), f"{name}: {what} {got}"
        if name.startswith(("empty", "all dead", "all of weight 0")):
            assert value == 0, f"{name}: {value}, wanted 0"
            assert not slope.any(), f"{name}: slope {slope}"


def hides_no_nan(s: Subject) -> None:
    y_pred, y_true = s.sample(generator(4), 4)
    y_pred[1] = float("nan")
    for reduction in ("mean", "sum"):
        assert s(y_pred, y_true, reduction=reduction).isnan(), "NaN in a live slot has vanished"
    if s.kind != "batch":
        none = s(y_pred, y_true, reduction="none")
        assert none[1].isnan().any(), "NaN in a live slot has vanished"


# Autograd, compiler, dtypes --------------------------------------------------------------------------------------


def gradcheck(s: Subject) -> None:
    y_pred, y_true = s.sample(generator(5), 3)
    w = torch.tensor([1.0, 0.0, 2.5], dtype=F64)
    for reduction in ("mean", "none"):
        torch.autograd.gradcheck(
            lambda p: s(p, y_true, weight=w, reduction=reduction),  # noqa: B023
            y_pred.requires_grad_(),
        )


def gradgradcheck(s: Subject) -> None:
    y_pred, y_true = s.sample(generator(6), 3)
    torch.autograd.gradgradcheck(lambda p: s(p, y_true), y_pred.requires_grad_())


def func_grad(s: Subject) -> None:
    y_pred, y_true = s.sample(generator(7), 3)
    w = torch.tensor([1.0, 0.0, 2.5], dtype=F64)
    _, slope = with_slope(s, y_pred, y_true, weight=w)
    close(torch.func.grad(lambda p: s(p, y_true, weight=w))(y_pred), slope)
    tangent = torch.ones_like(y_pred)
    _, along = torch.func.jvp(lambda p: s(p, y_true, weight=w), (y_pred,), (tangent,))
    close(along, (slope * tangent).sum())


def vmap(s: Subject) -> None:
    batches = [s.sample(generator(seed), 3) for seed in (8, 9)]
    y_pred, y_true = (torch.stack(column) for column in zip(*batches, strict=True))
    w = torch.tensor([1.0, 0.0, 2.5], dtype=F64)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "There is a performance drop")
        for reduction in ("mean", "none"):
            found = torch.vmap(lambda p, t: s(p, t, weight=w, reduction=reduction))(y_pred, y_true)  # noqa: B023
            close(found, torch.stack([s(p, t, weight=w, reduction=reduction) for p, t in batches]))
        slopes = torch.vmap(torch.func.grad(lambda p, t: s(p, t, mask=w > 0)))(y_pred, y_true)
    close(slopes, torch.stack([with_slope(s, p, t, mask=w > 0)[1] for p, t in batches]))


def vmap_over_samples(s: Subject) -> None:
    """One sample at a time, without a batch axis, is the batch of that one sample: a class index is a scalar."""
    y_pred, y_true = s.sample(generator(14), 5)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "There is a performance drop")
        values = torch.vmap(s)(y_pred, y_true)
        slopes = torch.vmap(torch.func.grad(s))(y_pred, y_true)
    for i in range(5):
        wanted, slope = with_slope(s, y_pred[i : i + 1], y_true[i : i + 1])
        close(values[i], wanted)
        close(slopes[i], slope[0])


def compiles(s: Subject, backend: str) -> None:
    torch._dynamo.reset()
    compiled = torch.compile(lambda p, t, w: s(p, t, weight=w), fullgraph=True, dynamic=True, backend=backend)
    for n in (4, 7, 0, 1):
        y_pred, y_true = s.sample(generator(n), n)
        w = torch.rand(n, generator=generator(n), dtype=F64).round(decimals=1)
        for got, wanted in zip(
            with_slope(compiled, y_pred, y_true, w), with_slope(s, y_pred, y_true, weight=w), strict=True
        ):
            close(got, wanted, rtol=1e-7)
    plain = torch.compile(lambda p, t: s(p, t), fullgraph=True, dynamic=True, backend=backend)
    for n in (4, 0):
        y_pred, y_true = s.sample(generator(n), n)
        close(plain(y_pred, y_true), s(y_pred, y_true), rtol=1e-7)


def dtypes(s: Subject) -> None:
    y_pred, y_true = s.sample(generator(10), 6)
    if s.y_pred == "log_probabilities":
        y_pred = y_pred.half().double()
    for dtype in DTYPES:
        p, t = y_pred.to(dtype), y_true.to(dtype) if y_true.is_floating_point() else y_true
        value, slope = with_slope(s, p, t)
        assert value.dtype == dtype, f"{value.dtype} out for {dtype} in"
        wide_t = t.float() if t.is_floating_point() and dtype in HALVES else t
        wide = s(p.float() if dtype in HALVES else p, wide_t)
        # Half inputs are computed in float32 from the start: only the result is rounded.
        assert torch.equal(value, wide.to(dtype).detach()), f"{dtype}: {value}, in float32 {wide}"
        assert slope.dtype == dtype, f"slope {slope.dtype} for {dtype}"
        with torch.autocast("cpu", dtype=torch.bfloat16):
            under = s(p, t)
        wanted = torch.float32 if dtype in HALVES else dtype
        assert under.dtype == wanted, f"autocast: {under.dtype} out for {dtype} in"
        assert torch.equal(under, wide), f"autocast changes {wide} to {under}"


def pure(s: Subject) -> None:
    y_pred, y_true = s.sample(generator(11), 4)
    w, mask = torch.ones(4, dtype=F64), torch.tensor([True, True, False, True])
    inputs = [y_pred, y_true, w, mask, *(v for v in s.hyper.values() if isinstance(v, Tensor))]
    before = [(x.clone(), x._version) for x in inputs]
    state = torch.get_rng_state()
    # Without a mask too: dead slots are filled in copies, which would shield the inputs.
    for population in ({}, {"weight": w, "mask": mask}):
        first = s(y_pred, y_true, **population)
        with torch.no_grad():
            assert not s(y_pred, y_true, **population).requires_grad
            assert not torch.is_grad_enabled(), "the grad mode has changed"
        assert torch.equal(torch.get_rng_state(), state), "the random state has changed"
        for x, (old, version) in zip(inputs, before, strict=True):
            assert torch.equal(x, old), "an input has changed"
            assert x._version == version, "an input has been written to"
        assert torch.equal(first, s(y_pred, y_true, **population)), "the second call differs from the first"


def reads_nothing(s: Subject, evaluate_with: Callable[[dict[str, Any]], Callable[..., Tensor]]) -> None:
    """The loss works where no value can be read: on fake tensors."""
    y_pred, y_true = s.sample(generator(12), 4)
    with FakeTensorMode() as mode:
        fake: Callable[[Any], Any] = lambda x: mode.from_tensor(x) if isinstance(x, Tensor) else x  # noqa: E731
        loss = evaluate_with(pytree.tree_map(fake, s.hyper))
        p, t, w, m = map(fake, (y_pred, y_true, torch.ones(4, dtype=F64), torch.ones(4, dtype=torch.bool)))
        leaf = p.detach().requires_grad_()
        value = loss(leaf, t, weight=w, mask=m)
        torch.autograd.grad(value, leaf)
        loss(leaf, t)


# Wrong input ---------------------------------------------------------------------------------------------------


def rejects_shapes(s: Subject) -> None:
    """Nothing broadcasts: a target or weight of another shape is a ValueError that shows both shapes."""
    y_pred, y_true = s.sample(generator(13), 4)
    wrong = [
        (y_pred, y_true.unsqueeze(-1), {}),
        (y_pred[:3], y_true, {}),
        (y_pred, y_true[:1], {}),
        (y_pred, y_true, {"weight": torch.ones(3, dtype=F64)}),
        (y_pred, y_true, {"weight": torch.ones(4, 1, 1, 1, 1, dtype=F64)}),
        (y_pred, y_true, {"mask": torch.ones(3, dtype=torch.bool)}),
    ]
    for p, t, population in wrong:
        _raises(ValueError, s, p, t, "(", **population)
    _raises(ValueError, s, y_pred, y_true, "weight", weight=torch.tensor([1.0, -1.0, 1.0, 1.0]))
    _raises(ValueError, s, y_pred, y_true, "weight", weight=torch.tensor([1.0, float("nan"), 1.0, 1.0]))
    _raises(TypeError, s, y_pred, y_true, "mask", mask=torch.ones(4))
    _raises(TypeError, s, y_pred.long(), y_true, "y_pred")
    _raises(ValueError, s, y_pred, y_true, "reduction", reduction="men")
    _raises(TypeError, s, y_pred.tolist(), y_true, "y_pred")


def _raises(error: type[Exception], s: Subject, p: Any, t: Any, words: str, **population: Any) -> None:
    with pytest.raises(error) as caught:
        s(p, t, **population)
    assert words in str(caught.value), f"the message does not speak of {words!r}: {caught.value}"
    assert len(str(caught.value)) < 400


def with_evaluate(s: Subject, evaluate: Callable[..., Tensor]) -> Subject:
    return replace(s, evaluate=evaluate)
