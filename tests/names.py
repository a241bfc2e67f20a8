"""Write the names of the public face from the table of exports: ``./dev python -m tests.names``.

The lazy root needs every name once more for type checkers, and ``functional`` every function; ``PUBLIC`` in
tests/test_public.py freezes them. tests/test_public.py compares all three with the table.
"""

from __future__ import annotations

import re
import textwrap
from pathlib import Path

from torchobjectives import _exports

ROOT = Path(__file__).resolve().parent.parent


def imports(homes: dict[str, str]) -> str:
    """Names by module, as type checkers count them public: ``name as name``."""
    modules: dict[str, list[str]] = {}
    for name, module in homes.items():
        modules.setdefault(module, []).append(name)
    blocks = (
        f"from torchobjectives.{module} import (\n" + "".join(f"    {n} as {n},\n" for n in sorted(names)) + ")\n"
        for module, names in sorted(modules.items())
    )
    return "".join(blocks)


def listed(names: list[str]) -> str:
    """The names as ``__all__``."""
    return "__all__ = [\n" + "".join(f'    "{name}",\n' for name in names) + "]\n"


def rewrite(path: str, begin: str, end: str, text: str) -> None:
    """Put a text between two marks of a file, which stay."""
    file = ROOT / path
    pattern = rf"(?<={re.escape(begin)}).*?(?={re.escape(end)})"
    old = file.read_text(encoding="utf-8")
    file.write_text(re.sub(pattern, lambda _: text, old, count=1, flags=re.DOTALL), encoding="utf-8")


def main() -> None:
    """Write all three places."""
    functions = {
        name: f"losses.{family}" for family, pairs in _exports.FAMILIES.items() for _, name in pairs if name is not None
    }
    (ROOT / "src/torchobjectives/functional.py").write_text(
        f'"""Every loss function under one import: names only."""\n\n{imports(functions)}\n{listed(sorted(functions))}',
        encoding="utf-8",
    )
    root = "src/torchobjectives/__init__.py"
    rewrite(root, "workbench as workbench,\n    )\n", "\n__version__", textwrap.indent(imports(_exports.HOMES), "    "))
    rewrite(root, '__version__ = "', "\n\n\n_MODULES", _version() + listed(sorted(_exports.HOMES)).rstrip("\n"))
    names = textwrap.fill(" ".join(sorted(_exports.HOMES)), 119, initial_indent="    ", subsequent_indent="    ")
    rewrite("tests/test_public.py", 'PUBLIC = """\n', '\n"""', names)


def _version() -> str:
    text = (ROOT / "src/torchobjectives/__init__.py").read_text(encoding="utf-8")
    found = re.search(r'__version__ = "([^"]+)"', text)
    assert found is not None
    return f'{found[1]}"\n\n'


if __name__ == "__main__":
    main()
