"""Which operation made a number that is not finite, forward or backward, and what to write in its place."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from torchobjectives.check._stops import graph_of, nodes
from torchobjectives.check._subject import SEED, Subject, surroundings
from torchobjectives.check._trace import Call, Place, Trace, has, is_foreign, is_not_finite, located, makes

# These put an infinity where somebody wants one, as a mask.
FILLS = frozenset(
    {"masked_fill", "masked_fill_", "full", "full_like", "new_full", "fill_", "tensor", "where", "new_tensor", "pad"}
    | {"index_fill", "index_fill_"}
)
LOGS = ("log", "log2", "log10", "log1p", "log_")
POWERS = ("pow", "__pow__", "pow_", "float_power", "__rpow__")
DIVISIONS = ("div", "true_divide", "__truediv__", "divide", "__rtruediv__", "reciprocal", "div_", "__rdiv__", "__div__")
MINUS = ("rsub", "__rsub__", "sub", "__sub__")
NORMS = ("norm", "vector_norm")
# What grows beyond any number; where these overflow, the number may be that large in truth.
GROWING = ("exp", "exp2", "expm1", "cosh", "sinh", "square", "sum", "mul", "__mul__", "matmul", "mm", "bmm", "prod")
GROWING_TOO = ("add", "__add__", "mean", "mse_loss", "exp_", "__matmul__", "einsum", "norm", "var", "std", "cumsum")
POLYNOMIAL = tuple(name for name in (*GROWING, *GROWING_TOO) if "exp" not in name and not name.endswith("h")) + POWERS


@dataclass(frozen=True)
class Culprit:
    """The operation that made the first number that is not finite."""

    name: str
    """As the operation is called forward: log, sqrt."""
    said: str
    """As it is written: log(sigmoid(...))."""
    place: Place | None
    fix: str
    sources: frozenset[str] = frozenset()
    where: bool = False
    """Whether torch.where hides it in the value."""
    applied_to_y_pred: bool = False

    @property
    def grows(self) -> bool:
        """Whether it is one of which the result may be too large in truth."""
        return self.name in GROWING or self.name in GROWING_TOO or self.name in POWERS

    @property
    def at(self) -> str:
        """Where it is, for a sentence."""
        return located(self.place)


def forward_culprit(subject: Subject, y_pred: Tensor, y_true: Tensor | None = None) -> Culprit | None:
    """The first operation that makes, of finite numbers, one that is not."""
    trace = subject.traced(y_pred, subject.y_true if y_true is None else y_true)
    made = [call for call in trace.calls if makes(is_not_finite, call) and call.name not in FILLS]
    if not made:
        return None
    # An infinity may be masked afterwards; what cannot be is not a number.
    later = any(has(Tensor.isnan, call.outputs) for call in trace.calls)
    call = made[0]
    if later and not has(Tensor.isnan, call.outputs) and len(made) > 1 and _masked(trace, call):
        call = made[1]
    return _described(call, trace)


def _masked(trace: Trace, call: Call) -> bool:
    """Whether what a call made goes into a mask."""
    made = {id(tensor) for tensor in call.outputs}
    return any(
        other.name in ("where", "masked_fill") and any(id(tensor) in made for tensor in other.inputs)
        for other in trace.calls
    )


def _maker(trace: Trace, tensor: Tensor) -> Call | None:
    """The call that made a tensor."""
    made = (call for call in trace.calls if any(output is tensor for output in call.outputs))
    return next((call for call in made if not any(tensor is other for other in call.inputs)), None)


def _described(call: Call, trace: Trace) -> Culprit:
    chain, tensor = [call.name], call.inputs[0] if call.inputs else None
    # Of a quotient it is what it divides by that is at fault.
    if call.name in DIVISIONS and len(call.inputs) > 1:
        tensor = call.inputs[1]
    while tensor is not None and len(chain) < 4:
        maker = _maker(trace, tensor)
        if maker is None:
            break
        chain.append(maker.name)
        tensor = maker.inputs[0] if maker.inputs else None
    applied = bool(call.inputs) and call.inputs[0] is trace.sources["y_pred"]
    return Culprit(call.name, _said(chain), call.place, advice(chain), call.sources, applied_to_y_pred=applied)


def _said(chain: list[str]) -> str:
    first, inner = chain[0].strip("_"), chain[1].strip("_") if len(chain) > 1 else ""
    if inner in ("rsub", "sub") and len(chain) > 2:
        return f"{first}(... - {chain[2].strip('_')}(...))"
    return f"{first}({inner}(...))" if inner else f"{first}(...)"


def advice(chain: list[str]) -> str:
    """What to write in place of an operation, given what it is applied to, and that in turn."""
    name, inner = chain[0], chain[1:]
    if name in LOGS:
        return _advice_on_log(inner)
    if name in ("sqrt", "sqrt_", "rsqrt"):
        return "The square root has no slope at 0: torch.sqrt(x + 1e-8), or the squared form."
    if name in NORMS:
        return "The norm has no slope at 0: torch.sqrt((x * x).sum(dim) + 1e-8), or the squared form."
    if name in POWERS:
        return "A power below 1 has no finite slope at 0: keep its base away from it, x.clamp(min=1e-6) ** gamma."
    if name in DIVISIONS and any(n in NORMS or n == "sqrt" for n in chain):
        return "0 / 0 of a row of zeros: F.normalize(x, dim=-1), or x / x.norm(dim=-1, keepdim=True).clamp(min=1e-6)."
    if name in DIVISIONS:
        return "Keep the denominator away from 0: a / b.clamp(min=1e-6), or (a + eps) / (b + eps)."
    if name in ("acos", "arccos", "asin", "arcsin", "atanh", "acosh"):
        return f"torch.{name} has no finite slope at its ends: x.clamp(-1 + 1e-6, 1 - 1e-6) first."
    if name in ("logit", "special_logit"):
        return "torch.logit(p, eps=1e-6), or pass logits."
    if name in ("exp", "exp_", "expm1", "exp2"):
        return (
            "exp overflows beyond 88 in float32: torch.logsumexp, F.log_softmax or F.softplus do not; otherwise bound "
            "the exponent, x.clamp(max=30).exp()."
        )
    if name in ("cosh", "sinh"):
        return "log(cosh(x)) without overflow: x + F.softplus(-2 * x) - math.log(2)."
    if name == "sum":
        return "x.mean() in place of a sum that is divided afterwards: it does not leave the range of x."
    if name in ("std", "var"):
        return "The standard deviation has no slope where all are equal: torch.sqrt(x.var() + 1e-8)."
    return "Keep what goes into it finite: clamp it first, or use the form in torch.nn.functional that is stable."


def _advice_on_log(inner: list[str]) -> str:
    depth = inner[:3]
    if any(name in ("sigmoid", "sigmoid_") for name in depth):
        return (
            "Sigmoid is exactly 0 or 1 there: F.logsigmoid(z) for log(sigmoid(z)), F.logsigmoid(-z) for "
            "log(1 - sigmoid(z)), or F.binary_cross_entropy_with_logits."
        )
    if "softmax" in depth:
        return "Softmax is exactly 0 there: F.log_softmax(z, dim=1), or F.cross_entropy on the logits."
    if "cosh" in depth:
        return "log(cosh(x)) without overflow: x + F.softplus(-2 * x) - math.log(2)."
    if "exp" in depth:
        return "torch.logsumexp(z, dim=1) for log(exp(z).sum(1)); F.softplus(z) for log(1 + exp(z))."
    return "log(0) is -inf: x.clamp(min=1e-7).log(), or torch.xlogy(y, x) for y * log(x) with y = 0."


# Nodes of the graph are called after what they undo.
SPELT = {"Norm": "norm", "LinalgVectorNorm": "norm", "Pow": "pow", "Div": "div", "EuclideanDist": "cdist"}


def backward_culprit(subject: Subject, y_pred: Tensor) -> Culprit | None:
    """The first operation of which the backward pass makes, of finite numbers, some that are not."""
    graph = graph_of(subject, y_pred, places=True)
    if graph is None:
        return None
    given, value = graph
    broken: list[object] = []

    def watch(node: object) -> object:
        def seen(inputs: tuple[Tensor | None, ...], outputs: tuple[Tensor | None, ...]) -> None:
            if _finite(outputs) and not _finite(inputs):
                broken.append(node)

        return seen

    everything = list(nodes(value))
    handles = [node.register_hook(watch(node)) for node in everything]
    with surroundings(SEED, y_pred):
        try:
            torch.autograd.grad(value, [given], allow_unused=True)
        except Exception:
            return None
        finally:
            for handle in handles:
                handle.remove()
    # An infinite slope becomes nan where it meets a 0, which is a step later: the first is the cause.
    if not broken:
        return None
    node = broken[0]
    name = _spelt(node)
    chain = [name, *_before(node)]
    where = any(_spelt(other) == "where" for other in everything)
    fix = advice(chain)
    if name in POWERS and getattr(node, "_saved_exponent", None) == 0.5:
        fix = "The square root has no slope at 0: (x + 1e-8) ** 0.5, or the squared form."
    if where:
        fix = (
            "torch.where does not protect the backward pass: make the input of "
            f"{name} safe first, safe = torch.where(mask, x, 1.0), and then choose. {fix}"
        )
    return Culprit(name, _said(chain), _place_of(node), fix, where=where)


def _spelt(node: object) -> str:
    name = str(getattr(node, "name", lambda: "")()).rpartition("::")[2].rstrip("0123456789").removesuffix("Backward")
    if name in SPELT:
        return SPELT[name]
    return "".join(("_" if at and letter.isupper() else "") + letter.lower() for at, letter in enumerate(name))


def _before(node: object) -> list[str]:
    found: list[str] = []
    while len(found) < 3:
        following = [n for n, _ in getattr(node, "next_functions", ()) if n is not None]
        if not following or _spelt(following[0]) == "accumulate_grad":
            break
        node = following[0]
        found.append(_spelt(node))
    return found


def _finite(tensors: tuple[Tensor | None, ...]) -> bool:
    return all(tensor is None or bool(tensor.isfinite().all()) for tensor in tensors)


def _place_of(node: object) -> Place | None:
    """The line of somebody's that made a node: the last of its traceback, which is text."""
    for entry in reversed(getattr(node, "metadata", {}).get("traceback_", ())):
        head, _, text = str(entry).strip().partition("\n")
        parts = head.split('"')
        if len(parts) < 3 or not is_foreign(parts[1]):
            continue
        line = parts[2].split("line ")[-1].split(",")[0]
        return Place(parts[1], int(line) if line.isdigit() else 0, text.strip().partition("\n")[0])
    return None
