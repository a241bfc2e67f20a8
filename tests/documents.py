"""What the documents share with the code: python blocks to run, and parts that are copied from the source.

``./dev python -m tests.documents`` rewrites the copied parts of the READMEs and CONTRIBUTING.md; tests compare them.
"""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable
from pathlib import Path

import torchobjectives
from torchobjectives import _exports
from torchobjectives._fields import REQUIRED
from torchobjectives._link import REAL, Domain

ROOT = Path(__file__).resolve().parent.parent
PAGES = (
    ROOT / "README.md",
    ROOT / "README.zh-CN.md",
    *sorted((ROOT / "docs").glob("*.md")),
    ROOT / "docs/check/index.md",
)
TRANSLATED = {"README.md": "README.zh-CN.md", "docs/chapter.md": "docs/chapter.zh-CN.md"}


def python_blocks(text: str) -> list[tuple[str, str | None]]:
    """Every python block of a page, with the text block right below it: what the python block prints."""
    found = re.findall(r"^```python\n(.*?)^```\n(?:\n?^```text\n(.*?)^```$)?", text, re.MULTILINE | re.DOTALL)
    return [(code, printed or None) for code, printed in found]


ENGLISH = "| loss | hyper-parameters | y_pred | y_true | one value per |"
CHINESE = "| 损失函数 | 超参数 | y_pred | y_true | 取值单元 |"


def loss_table(header: str = ENGLISH) -> str:
    """The losses that exist, from the table of exports and their Specs."""
    rows = [header, "|---|---|---|---|---|"]
    for family, pairs in _exports.FAMILIES.items():
        rows.append(f"| **{family}** | | | | |")
        for class_name, function in pairs:
            loss = getattr(torchobjectives, class_name)
            fields = [f for f in loss.fields().values() if f.name != "reduction"]
            given = ", ".join(f"`{f.name}`" if f.default is REQUIRED else f"`{f.name}={f.default!r}`" for f in fields)
            name = f"`{class_name}`" + (f", `{function}`" if function else "")
            spec = loss.spec
            words = [
                ", ".join(spec.parameters) or _kind(spec.y_pred, spec.pred_domain),
                _kind(spec.y_true, spec.true_domain),
                spec.unit,
            ]
            rows.append(f"| {name} | {given} | " + " | ".join(words) + " |")
    return "\n".join(rows)


def _kind(word: str, domain: Domain) -> str:
    """What a tensor holds: of numbers that are not any, which."""
    return str(domain).removeprefix("numbers ") if word == "real" and domain != REAL else word.replace("_", "-")


def huber_source() -> str:
    """The function and the class, as they stand in the source."""
    function = inspect.getsource(inspect.unwrap(torchobjectives.huber_loss))
    return f"```python\n{function}\n\n{inspect.getsource(torchobjectives.HuberLoss)}```"


COPIED: dict[tuple[str, str], Callable[[], str]] = {
    ("README.md", "losses"): loss_table,
    ("README.zh-CN.md", "losses"): functools.partial(loss_table, CHINESE),
    ("CONTRIBUTING.md", "huber"): huber_source,
}


def _cut(text: str, name: str) -> tuple[str, str, str]:
    """A page before, inside and after the markers of a copied part."""
    before, _, rest = text.partition(f"<!-- {name}: begin -->\n")
    inside, _, after = rest.partition(f"\n<!-- {name}: end -->")
    return before, inside, after


def part(text: str, name: str) -> str:
    """What stands between the markers of a copied part."""
    return _cut(text, name)[1]


def main() -> None:
    """Rewrite every copied part."""
    for (file, name), source in COPIED.items():
        page = ROOT / file
        before, _, after = _cut(page.read_text(encoding="utf-8"), name)
        text = f"{before}<!-- {name}: begin -->\n{source()}\n<!-- {name}: end -->{after}"
        page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
