import contextlib
import io
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from torchobjectives import Loss, Spec, _exports, cli
from torchobjectives._registry import loss_class
from torchobjectives.workbench import curves, docstrings, drawing, finding, samples, slices, varying
from torchobjectives.workbench.errors import InputError

NAMES = sorted(_exports.LOSSES)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def said(capsys: pytest.CaptureFixture[str], *arguments: str, code: int = 0) -> str:
    """What a command prints; a failure is one line, and leaves no file behind."""
    if not code:
        cli.main(arguments)
        return capsys.readouterr().out
    before = {path: path.read_bytes() for path in Path().iterdir()}
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    printed = capsys.readouterr()
    assert (stopped.value.code, printed.out) == (code, "")
    assert printed.err.startswith("torchobjectives: ")
    assert printed.err.count("\n") == 1
    assert {path: path.read_bytes() for path in Path().iterdir()} == before
    return printed.err


def test_list_names_every_loss_in_80_columns(capsys: pytest.CaptureFixture[str]) -> None:
    lines = said(capsys, "list").splitlines()
    assert max(map(len, lines)) <= 80
    assert not any("\x1b" in line for line in lines)
    rows = {line.split()[0]: line.split()[1:] for line in lines if line and not line.startswith(" ")}
    for name in NAMES:
        spec = loss_class(name).spec
        assert rows[name] == [spec.task, spec.y_pred.replace("_", "-"), spec.y_true]
    assert all(any(word in line for line in lines) for word in ("Lin et al.", "doi:10.1214/aoms/1177703732"))


def listed(text: str) -> set[str]:
    return {line.split()[0] for line in text.splitlines()[2:-1] if line and not line.startswith(" ")}


def test_list_keeps_a_task(capsys: pytest.CaptureFixture[str]) -> None:
    found = listed(said(capsys, "list", "--task", "segmentation"))
    assert found == {name for name in NAMES if loss_class(name).spec.task == "segmentation"}
    error = said(capsys, "list", "--task", "multclass", code=2)
    assert all(task in error for task in ("multclass", "regression", "binary", "multiclass", "segmentation"))


@pytest.mark.parametrize(
    ("words", "name"),
    [
        ("noisy", "symmetric_cross_entropy_loss"),  # family
        ("FocalLoss", "focal_loss"),  # class
        ("charoenphakdee nothing", None),
        ("barron 1701.03077", "barron_loss"),  # paper, two words
        ("ADAPTIVE softmax", "adaptive_log_softmax_loss"),  # headline, any case
    ],
)
def test_list_searches(words: str, name: str | None, capsys: pytest.CaptureFixture[str]) -> None:
    if name is None:
        assert repr(words) in said(capsys, "list", "--search", words, code=1)
    else:
        found = listed(said(capsys, "list", "--search", words))
        assert name in found
        assert found < set(NAMES)


def test_nothing_found_names_what_is_near(capsys: pytest.CaptureFixture[str]) -> None:
    assert "'noisy'" in said(capsys, "list", "--search", "nosiy", code=1)
    assert "for the task binary" in said(capsys, "list", "--search", "zzz", "--task", "binary", code=1)


def test_show_tells_all_parts(capsys: pytest.CaptureFixture[str]) -> None:
    text = said(capsys, "show", "ghmr_loss", "--no-picture")
    parts = ["\\ell", "Shapes", "y_pred: ", "Hyper-parameters", "mu (default 0.02): ", "Laws and guarantees"]
    parts += ["not micro_batch", "kept: permutation", "Elsewhere", "Paper", "Li, Liu and Wang 2019", "Example"]
    places = [text.index(part) for part in parts]
    assert places == sorted(places)
    assert ":math:" not in text
    assert "``" not in text
    assert not list(Path().iterdir())
    assert "must be given" in said(capsys, "show", "AdaptiveLogSoftmaxLoss", "--no-picture")


def test_show_tells_use_and_claims(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    spec = Spec(task="regression", y_pred="real", y_true="real", claims=("convex",), use="Fits.", avoid="Tails: other.")
    monkeypatch.setattr(loss_class("huber_loss"), "spec", spec)
    text = said(capsys, "show", "huber_loss", "--no-picture")
    assert all(
        part in text for part in ("Use it for\n    Fits.", "Not for\n    Tails: other.", "convex: convex in y_pred")
    )


@pytest.mark.parametrize("name", NAMES)
def test_the_printed_example_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    program = said(capsys, "show", name, "--no-picture").split("\nExample\n")[1]
    lines = [line.removeprefix("    ") for line in program.splitlines()]
    assert max(map(len, lines)) < 80
    with torch.random.fork_rng(devices=[]), contextlib.redirect_stdout(io.StringIO()) as output:
        exec("\n".join(lines), {"__name__": "__main__"})
    words = output.getvalue().split()
    assert words[0] == "loss"
    assert torch.isfinite(torch.tensor([float(words[1].rstrip(",")), float(words[-1])])).all()


@pytest.mark.parametrize("name", NAMES)
def test_every_loss_has_a_curve_and_its_slope(name: str) -> None:
    picture = curves.picture(name)
    assert picture.axis
    assert len(picture.caption) > 20
    for panel in picture.panels:
        for curve in panel.curves:
            positions, values, slopes = (torch.tensor(n) for n in (curve.positions, curve.values, curve.slopes))
            assert torch.isfinite(values).all()
            # The slope adds up to the rise, except where jumps are part of the definition, or slopes are detached.
            exempt = loss_class(name).spec.exemptions
            if not {"gradcheck", "duplication"} & set(exempt) and name != "nnpu_loss":
                rise = torch.trapezoid(slopes, positions)
                assert rise == pytest.approx(
                    float(values[-1] - values[0]), abs=0.05 * float(values.max() - values.min())
                )


def test_a_line_per_value(monkeypatch: pytest.MonkeyPatch) -> None:
    picture = curves.picture("focal_loss", varying.Variation("gamma", (0.0, 2.0)))
    (panel,) = picture.panels
    at_zero = [curve.values[len(curve.values) // 2] for curve in panel.curves]
    assert at_zero == pytest.approx([0.6931, 0.6931 / 4], rel=1e-3)
    assert [curve.label for curve in panel.curves] == ["gamma=0.0", "gamma=2.0"]
    assert "one line per gamma" in picture.caption
    both = curves.picture("focal_loss", varying.Variation("alpha", (0.25, 0.75)))
    assert [panel.title for panel in both.panels] == ["y_true = 1", "y_true = 0"]


def test_lines_differ_without_colour() -> None:
    styles = [{k: v for k, v in curves.line_style(place).items() if k != "color"} for place in range(14)]
    assert all(one != other for place, one in enumerate(styles) for other in styles[:place])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("focal_los",), ["'focal_los'", "'focal_loss'"]),
        (("focal_loss", "--vary", "gama=1"), ["'gama'", "'gamma'"]),
        (("focal_loss", "--vary", "gamma"), ["gamma=0,1,2,5"]),
        (("focal_loss", "--vary", "gamma=1,two"), ["two is not a number"]),
        (("focal_loss", "--vary", "gamma=1,"), ["nothing is not a number"]),
        (("focal_loss", "--vary", "gamma=-2"), ["gamma=-2", ">= 0"]),
        (("focal_loss", "--vary", "gamma=1,1.0"), ["twice"]),
        (("focal_loss", "--vary", "gamma=1,2,3,4,5,6,7"), ["7 values"]),
        (("focal_loss", "--vary", "reduction=1"), ["does not show reduction", "gamma"]),
        (("dice_loss", "--vary", "squared=2"), ["neither true nor false"]),
        (("dice_loss", "--vary", "absent=skp"), ["absent=skp", "skip"]),
        (("mse_loss", "--vary", "x=1"), ["mse_loss has no hyper-parameter 'x'"]),
        (("focal_loss", "--out", "a.jpg"), ["a.jpg", ".png, .svg, .pdf"]),
        (("focal_loss", "--out", "no/a.png"), ["no folder no"]),
        (("focal_loss", "--out", "a.png", "--no-picture"), ["--no-picture and --out"]),
        (("focal_loss", "mse_loss"), ["mse_loss"]),
    ],
)
def test_wrong_wishes(arguments: tuple[str, ...], words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    error = said(capsys, "show", *arguments, code=2)
    assert all(word in error for word in words), error


@pytest.mark.parametrize(("suffix", "start"), [("png", b"\x89PNG"), ("svg", b"<?xml"), ("pdf", b"%PDF")])
def test_pictures_are_written_and_replaced(suffix: str, start: bytes, capsys: pytest.CaptureFixture[str]) -> None:
    wish = ("show", "huber_loss", "--out", f"h.{suffix}", "--vary", "delta=1,2")
    assert f"picture: h.{suffix}\n" in said(capsys, *wish)
    assert Path(f"h.{suffix}").read_bytes().startswith(start)
    assert f"picture: h.{suffix} (in place of an earlier one)\n" in said(capsys, *wish)
    Path(f"h.{suffix}").write_text("a thesis")
    assert "not drawn by this command" in said(capsys, *wish, code=2)
    assert [path.name for path in Path().iterdir()] == [f"h.{suffix}"]


def test_the_background_is_solid() -> None:
    from matplotlib.image import imread

    picture = curves.picture("mse_loss")
    content = drawing.draw_file(picture.paint, kind="png", size=picture.size, written_by="test")
    corner = imread(io.BytesIO(content), format="png")[0, 0]
    assert corner.tolist() == [1, 1, 1, 1]


def test_a_folder_that_cannot_be_written(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(finding, "_write", full)
    with pytest.raises(InputError, match=r"huber_loss\.png cannot be written \(No space left on device\)"):
        finding.show_loss("huber_loss")


def test_a_missing_matplotlib_is_one_line() -> None:
    code = (
        "import sys\nsys.modules['matplotlib'] = None\nfrom torchobjectives.cli import main\nmain(['show', 'mse_loss'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    advice = r'torchobjectives: matplotlib[.\w]* is not installed: pip install "torchobjectives\[workbench\]"\n'
    assert re.fullmatch(advice, done.stderr)


def test_a_reader_that_leaves_and_ctrl_c_are_quiet() -> None:
    command = [sys.executable, "-m", "torchobjectives"]
    piped = subprocess.Popen([*command, "list"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert piped.stdout is not None
    piped.stdout.close()
    _, error = piped.communicate(timeout=60)
    assert (piped.returncode, error) == (0, b"")
    stopped = subprocess.Popen([*command, "show", "ghmr_loss"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert stopped.stdout is not None
    stopped.stdout.readline()  # the words are there, the picture is being drawn
    time.sleep(0.05)
    stopped.send_signal(signal.SIGINT)
    _, error = stopped.communicate(timeout=60)
    assert (stopped.returncode, error) in ((130, b"torchobjectives: interrupted\n"), (0, b""))


def test_help_stays_cheap() -> None:
    code = (
        "import sys\nfrom torchobjectives.cli import main\n"
        "try:\n    main(['show', '--help'])\nfinally:\n"
        "    print('HEAVY', sorted({'torch', 'matplotlib', 'numpy', 'polars'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "--vary" in done.stdout
    assert "HEAVY []" in done.stdout


class Future(Loss):
    """A loss of a kind that is not there yet."""

    spec = Spec(task="regression", y_pred="unknown", y_true="unknown")
    knob: float

    @staticmethod
    def function(y_pred: Any, y_true: Any, *, knob: float) -> Any:
        return (y_pred - y_true) * knob


def test_what_is_not_known_is_named() -> None:
    with pytest.raises(LookupError, match="no sample value of knob"):
        samples.needed(Future)
    with pytest.raises(LookupError, match="takes unknown as y_true"):
        slices.slice_of(Future)


def test_a_docstring_is_read_part_by_part() -> None:
    text = (
        "One line.\n\n.. math:: a \\\\\n    b\n\nProse.\n\nArgs:\n    x: its\n        text.\n    y: z.\n\n"
        ">>> 1\n1\n\nSource: A,\nB.\n\nElsewhere: C."
    )
    read = docstrings.parse(text)
    assert (read.headline, read.formula, read.source, read.elsewhere) == ("One line.", "a \\\\\nb", "A, B.", "C.")
    assert read.arguments == {"x": "its text.", "y": "z."}
    assert "Prose." in read.body
    assert docstrings.parse("One line.").formula == ""
