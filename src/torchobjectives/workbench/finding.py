"""The verbs that find a loss: a table of all, and all about one."""

import os
import sys
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import NamedTemporaryFile

from rich.console import Console

from torchobjectives import Loss, Spec, _exports
from torchobjectives._fields import REQUIRED
from torchobjectives._registry import loss_class
from torchobjectives._spec import CLAIMS, GUARANTEES, LAWS
from torchobjectives._validate import near
from torchobjectives.workbench import docstrings, samples, varying
from torchobjectives.workbench.errors import InputError
from torchobjectives.workbench.quiet import Quiet
from torchobjectives.workbench.text import visible

NOTHING_FOUND = 1
PICTURES = ("png", "svg", "pdf")
# Stands inside each picture, so that a later one may take its place, and nothing else loses it.
WRITTEN_BY = "torchobjectives show"
WIDEST = 100
KEPT = "kept"


@dataclass(frozen=True)
class Entry:
    """A loss of the library, and what is known of it."""

    name: str
    family: str
    kind: type[Loss]

    @property
    def spec(self) -> Spec:
        """The facts of the loss."""
        return self.kind.spec

    @property
    def documentation(self) -> docstrings.Documentation:
        """What its docstring says."""
        return docstrings.read(self.kind)

    @property
    def searched(self) -> str:
        """The text in which a search looks."""
        words = (
            self.name,
            self.kind.__name__,
            self.family,
            self.spec.use,
            self.spec.paper,
            self.documentation.headline,
        )
        return " ".join(words).lower()


def entries() -> Iterator[Entry]:
    """Every loss of the library, family by family."""
    for name, (_, module) in _exports.LOSSES.items():
        yield Entry(name, module.removeprefix("losses."), loss_class(name))


def entry(name: str) -> Entry:
    """One loss, by the name of its function or of its class.

    Raises:
        InputError: there is none.
    """
    for known, (class_name, module) in _exports.LOSSES.items():
        if name in (known, class_name):
            return Entry(known, module.removeprefix("losses."), loss_class(known))
    raise InputError(f"there is no loss {name!r}. {near(name, _exports.LOSSES)} torchobjectives list shows all")


def list_losses(task: str | None, search: str | None, *, console: Console | None = None) -> int:
    """Print the losses for a task and of a search; return the exit code."""
    console = console or Quiet()
    found = list(entries())
    tasks = list(dict.fromkeys(one.spec.task for one in found))
    if task is not None:
        if task not in tasks:
            raise InputError(f"--task {task}: there is no such task; the tasks are {', '.join(tasks)}")
        found = [one for one in found if one.spec.task == task]
    words = (search or "").lower().split()
    matching = [one for one in found if all(word in one.searched for word in words)]
    if not matching:
        _say_that_nothing_is_found(str(search), found, task)
        return NOTHING_FOUND
    _print(console, _table(matching))
    return 0


def _say_that_nothing_is_found(search: str, among: list[Entry], task: str | None) -> None:
    # Families are named by what people look for; whoever misspells one of them means it.
    known = [*dict.fromkeys(one.family for one in among), *(one.name for one in among)]
    hint = near(search, known)
    hint = hint if hint.startswith("Did you mean") else "A shorter word finds more; without --search all are listed."
    where = f" for the task {task}" if task else ""
    print(f"torchobjectives: no loss{where} speaks of {visible(search)!r}. {hint}", file=sys.stderr)


def _table(found: list[Entry]) -> Iterator[str]:
    """Three columns that fit a narrow terminal, and below each row the sentences that no column could hold."""
    header = ("name", "task", "y_pred", "y_true")
    rows = [(one.name, one.spec.task, _word(one.spec.y_pred), _word(one.spec.y_true)) for one in found]
    widths = [max(len(row[column]) for row in (header, *rows)) for column in range(4)]
    yield _row(header, widths)
    yield "─" * (sum(widths) + 6)
    for one, row in zip(found, rows, strict=True):
        yield _row(row, widths)
        for text in (one.spec.use or one.documentation.headline, one.spec.paper):
            yield from textwrap.wrap(text, 78, initial_indent="    ", subsequent_indent="    ", break_long_words=False)
    yield ""
    count = "1 loss" if len(found) == 1 else f"{len(found)} losses"
    yield f"{count}. More about one: torchobjectives show {found[0].name}"


def _word(kind: str) -> str:
    return kind.replace("_", "-")


def _row(cells: tuple[str, ...], widths: list[int]) -> str:
    return "  ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)).rstrip()


def show_loss(
    name: str,
    *,
    vary: str | None = None,
    out: Path | None = None,
    picture: bool = True,
    console: Console | None = None,
) -> None:
    """Print what is known of a loss, and write a picture of it."""
    console = console or Quiet()
    found = entry(name)
    if not picture and (vary is not None or out is not None):
        raise InputError(f"--no-picture and {'--vary' if vary is not None else '--out'}: drop one of them")
    variation = None if vary is None else varying.parse(visible(vary), found.name, found.kind)
    target = _target(found.name, out) if picture else None
    width = min(WIDEST, console.width)
    _print(console, _description(found, width))
    if target is not None:
        where, caption = _drawn(found.name, variation, target)
        _print(console, _section(where, [caption], width))


def _description(found: Entry, width: int) -> Iterator[str]:
    spec, said = found.spec, found.documentation
    yield f"{found.name}: {docstrings.readable(said.headline)}"
    yield f"family {found.family}, task {spec.task}; class {found.kind.__name__}"
    yield ""
    bodies = (said.body, docstrings.of_family(found.kind))
    yield from _paragraphs(docstrings.readable("\n\n".join(filter(None, bodies))), width)
    yield from _section("Shapes", _shapes(spec, said.arguments), width)
    yield from _section("Hyper-parameters", _hyper_parameters(found), width)
    yield from _section("Use it for", [spec.use], width)
    yield from _section("Not for", [spec.avoid], width)
    yield from _section("Claims", [f"{claim}: {CLAIMS[claim]}" for claim in spec.claims], width)
    yield from _section("Laws and guarantees", _laws(spec), width)
    yield from _section("Elsewhere", [docstrings.readable(said.elsewhere)], width)
    yield from _section("Paper", [spec.paper, docstrings.readable(said.source)], width)
    yield from ("", "Example")
    yield from (f"    {line}".rstrip() for line in example(found).splitlines())


def example(found: Entry) -> str:
    """A program to copy; it states the hyper-parameter that a picture of the loss varies."""
    stated = varying.VARIATIONS.get(found.name)
    fields = found.kind.fields()
    shown = (
        {} if stated is None or fields[stated.name].default is REQUIRED else {stated.name: fields[stated.name].default}
    )
    return samples.example(found.kind, **shown)


def _shapes(spec: Spec, arguments: dict[str, str]) -> Iterator[str]:
    for side in ("y_pred", "y_true"):
        text = docstrings.readable(arguments.get(side, samples.holds(spec, side)))
        yield f"{side}: {text}"
    yield "one value per batch" if spec.unit == "batch" else f"one value per {spec.unit}"
    yield f"link: {spec.link.name} (what predict does to y_pred)"


def _hyper_parameters(found: Entry) -> Iterator[str]:
    for f in found.kind.fields().values():
        if f.name == "reduction":
            continue
        text = docstrings.readable(found.documentation.arguments.get(f.name, "of the class alone"))
        default = "must be given" if f.default is REQUIRED else f"default {f.default!r}"
        yield f"{f.name} ({default}): {text}"


def _laws(spec: Spec) -> Iterator[str]:
    rules = {**LAWS, **GUARANTEES}
    for law, reason in spec.exemptions.items():
        yield f"not {law} ({rules[law]}): {reason}"
    yield f"{KEPT}: {', '.join(law for law in rules if law not in spec.exemptions)}"


def _section(title: str, items: Iterable[str], width: int) -> Iterator[str]:
    """A heading and its items; nothing where there is none to say."""
    texts = [item for item in items if item]
    if texts:
        yield from ("", title)
    for text in texts:
        yield from textwrap.wrap(text, width, initial_indent="    ", subsequent_indent="      ", break_long_words=False)


def _paragraphs(text: str, width: int) -> Iterator[str]:
    """A text whose formulas, which are indented, keep their lines."""
    for number, paragraph in enumerate(text.split("\n\n")):
        if number:
            yield ""
        if paragraph.startswith("    "):
            yield from paragraph.splitlines()
        else:
            yield from textwrap.wrap(" ".join(paragraph.split()), width, break_long_words=False)


def _target(name: str, out: Path | None) -> Path:
    """Where the picture goes; what is there and was not drawn by this command stays."""
    target = out or Path(f"{name}.png")
    if target.suffix.lower().lstrip(".") not in PICTURES:
        raise InputError(f"--out {target}: a picture is a file that ends in .{', .'.join(PICTURES)}")
    if target.is_dir():
        raise InputError(f"--out {target}: that is a folder; name a file in it, such as {target / name}.png")
    if not target.absolute().parent.is_dir():
        raise InputError(f"--out {target}: there is no folder {target.parent}; make it first")
    try:
        if target.exists() and WRITTEN_BY.encode() not in target.read_bytes():
            raise InputError(f"{target} is there already and was not drawn by this command: name another with --out")
    except OSError as error:
        raise InputError(f"{target} is there already and cannot be read ({error.strerror})") from error
    return target


def _drawn(name: str, variation: varying.Variation | None, target: Path) -> tuple[str, str]:
    """Draw a loss into a file; return where, and what is seen there."""
    from torchobjectives.workbench import curves, drawing

    try:
        picture = curves.picture(name, variation)
    except LookupError as reason:
        return "no picture", str(reason.args[0])
    kind = target.suffix.lower().lstrip(".")
    content = drawing.draw_file(picture.paint, kind=kind, size=picture.size, written_by=WRITTEN_BY)
    replaced = " (in place of an earlier one)" if target.exists() else ""
    try:
        _write(content, target)
    except OSError as error:
        raise InputError(f"{target} cannot be written ({error.strerror}): name another place with --out") from error
    return f"picture: {visible(str(target))}{replaced}", picture.caption


def _write(content: bytes, target: Path) -> None:
    """Write all of a file or nothing."""
    with NamedTemporaryFile(dir=target.absolute().parent, prefix=f".{target.name}", delete=False) as file:
        partial = Path(file.name)
        try:
            file.write(content)
            file.flush()
            # The rights of any new file, not the private ones of a temporary.
            mask = os.umask(0)
            os.umask(mask)
            os.chmod(partial, 0o666 & ~mask)
            os.replace(partial, target)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise


def _print(console: Console, lines: Iterable[str]) -> None:
    """Print lines as they are: no colour, no marks, no breaks."""
    console.print("\n".join(lines), soft_wrap=True, highlight=False, markup=False, emoji=False)
