"""What is wrong with the input, said in one line to the person who gave it."""

from collections.abc import Iterable
from difflib import get_close_matches


class InputError(Exception):
    """The input cannot be used; the message names the culprit and the likely fix."""


def nearest(name: str, choices: Iterable[str]) -> str:
    """Return the end of a message about a name that does not exist: near names, or all of a few.

    >>> nearest("lable", ["label", "age"])
    'did you mean label?'
    >>> nearest("zzz", ["label", "age"])
    'there are: label, age'
    """
    known = list(choices)
    folded = {choice.casefold(): choice for choice in known}
    near = get_close_matches(name.casefold(), folded, n=3, cutoff=0.6)
    if near:
        return f"did you mean {' or '.join(folded[match] for match in near)}?"
    shown = known[:10]
    more = f" and {len(known) - len(shown)} more" if len(known) > len(shown) else ""
    return f"there are: {', '.join(shown)}{more}"
