"""Messages that name the culprit and the nearest right name, and the check of a plain number."""

import difflib
import math
from collections.abc import Iterable
from numbers import Real


def near(word: str, options: Iterable[str]) -> str:
    """``; did you mean 'a' or 'b'?``, or what there is when nothing is close."""
    names = list(dict.fromkeys(options))
    core = word.replace("*", "").strip(".").lower()
    scores = {name: _resemblance(core, name.lower()) for name in names}
    close = sorted((name for name in names if scores[name] >= 0.6), key=lambda name: -scores[name])
    if close:
        return f"; did you mean {' or '.join(map(repr, close[:3]))}?"
    shown = ", ".join(map(repr, names[:8])) or "nothing"
    return f"; there is {shown}{f' and {len(names) - 8} more' if len(names) > 8 else ''}"


def _resemblance(core: str, name: str) -> float:
    """How close a word is to a dotted name, to one of its ends, or to one of its parts."""
    parts = name.split(".")
    forms = [*(".".join(parts[i:]) for i in range(len(parts))), *parts]
    return max(difflib.SequenceMatcher(None, core, form).ratio() for form in forms)


def finite(name: str, value: object, *, low: float = -math.inf, high: float = math.inf) -> float:
    """``value`` as a plain number, once it is known to be finite and in ``[low, high]``."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r} of type {type(value).__name__}")
    number = value if isinstance(value, int) else float(value)
    if not math.isfinite(number) or not low <= number <= high:
        wanted = f" from {low:g} to {high:g}" if high < math.inf else f" ≥ {low:g}" if low > -math.inf else ""
        raise ValueError(f"{name} must be a finite number{wanted}, got {value!r}")
    return number
