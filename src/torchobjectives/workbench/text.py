"""Names from the user's file, fit to be shown."""

import unicodedata

# Marks that turn the direction of what follows, out of the name into the page.
DIRECTION = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
LINES = frozenset("\n\t")


def visible(text: str) -> str:
    r"""Show characters that act instead of being seen: a terminal's ESC as ␛, a change of direction by its number.

    Line ends and tabs stay.

    >>> visible("a\x1b[31m\x00"), visible("\u202egpj.exe"), visible("naïve")
    ('a␛[31m␀', '⟨U+202E⟩gpj.exe', 'naïve')
    """
    return "".join(map(_visible, text))


def _visible(character: str) -> str:
    if character in LINES or (character.isprintable() and character not in DIRECTION):
        return character
    code = ord(character)
    if code < 0x20:
        return chr(0x2400 + code)
    if code == 0x7F:
        return "␡"
    acts = unicodedata.category(character) in ("Cc", "Cs", "Zl", "Zp") or character in DIRECTION
    return f"⟨U+{code:04X}⟩" if acts else character


def cut(name: str, most: int = 300) -> str:
    """Return a name that is at most so many characters wide, and something to see where it has none.

    >>> cut("label", 20), cut("a column whose name is a sentence", 20), cut(" ")
    ('label', 'a column whose name…', '(blank)')
    >>> cut("数据集的名字很长", 10)
    '数据集的…'
    """
    text = " ".join(visible(name).split()) or "(blank)"
    if width(text) <= most:
        return text
    text = text[:most]
    while width(text) >= most:
        text = text[:-1]
    return text.rstrip() + "…"


def width(text: str) -> int:
    """Count characters, those of double width (Chinese, Japanese, Korean) twice."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)


def number(value: float | None) -> str:
    """Write a number for a person; a dash where there is none.

    >>> number(0.12345678), number(None)
    ('0.1235', '–')
    """
    return "–" if value is None else f"{value:.4g}"
