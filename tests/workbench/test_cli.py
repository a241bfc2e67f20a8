import errno
import os
import shutil
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest
from filelock import FileLock

from torchobjectives import cli

FIT = ("fit", "people.csv", "--target", "label")
HEAVY = ("torch", "polars", "sklearn", "matplotlib", "lightning", "numpy", "skops", "jinja2")


def wrong(arguments: tuple[str, ...], capsys: pytest.CaptureFixture[str], code: int = 2) -> str:
    """Run what must fail; return what it says."""
    before = set(Path().rglob("*"))
    with pytest.raises(SystemExit) as stopped:
        cli.main(arguments)
    assert stopped.value.code == code
    assert {path for path in Path().rglob("*") if path.name != "runs"} == before
    said = capsys.readouterr().err
    assert said.startswith("torchobjectives: ")
    assert said.count("\n") == 1
    return said


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("fitt",), ["fitt", "fit"]),
        (("fit",), ["file", "--dataset"]),
        (("fit", "people.csv"), ["--target"]),
        (("fit", "peple.csv", "--target", "label"), ["no file peple.csv", "people.csv"]),
        (("fit", ".", "--target", "label"), ["not a file"]),
        (("fit", "", "--target", "label"), ["an empty name"]),
        (("fit", "/dev/null", "--target", "label"), ["'/dev/null' is no regular file, but a device or a pipe: name"]),
        (("fit", "a\0b.csv", "--target", "label"), ["the file 'a\\x00b.csv'", "NUL"]),
        (("fit", "people.csv", "--target", "lable"), ["'lable'", "'label'"]),
        (("fit", "people.csv", "--dataset", "wine", "--target", "label"), ["not both"]),
        (("fit", "--dataset", "wines"), ["wines", "wine"]),
        ((*FIT, "--epoch", "3"), ["--epoch", "--epochs"]),
        ((*FIT, "--epochs", "0"), ["--epochs 0", "1"]),
        ((*FIT, "--epochs", "1", "--epochs", "0"), ["--epochs is given more than once", "keep one"]),
        ((*FIT, "--epochs", "1.5"), ["--epochs 1.5", "whole number"]),
        ((*FIT, "--lr", "-1"), ["--lr -1", "greater than 0"]),
        ((*FIT, "--lr", "fast"), ["--lr fast", "number"]),
        ((*FIT, "--lr", "nan"), ["--lr nan", "finite"]),
        ((*FIT, "--l1", "-0.1"), ["--l1 -0.1", "0"]),
        ((*FIT, "--elastic-net", "-1"), ["--elastic-net -1", "0"]),
        ((*FIT, "--group-lasso", "much"), ["--group-lasso much", "number"]),
        ((*FIT, "--elastic-net", "1", "--l1-ratio", "2"), ["--l1-ratio 2", "1"]),
        ((*FIT, "--l1", "1", "--l1-ratio", "0.3"), ["--l1-ratio is about --elastic-net", "add it"]),
        ((*FIT, "--penalty-method", "loss"), ["--penalty-method is about penalties", "--l1"]),
        ((*FIT, "--l1", "1", "--penalty-method", "prox"), ["prox", "'proximal'"]),
        ((*FIT, "--l1", "1", "--penalty-on", "first"), ["first", "first-layer"]),
        ((*FIT, "--polish", "9"), ["--polish is about penalties"]),
        ((*FIT, "--l1", "1", "--polish", "9", "--dropout", "0.1"), ["--polish", "--dropout", "drop one"]),
        ((*FIT, "--l1", "1", "--polish", "9", "--penalty-method", "loss"), ["--polish", "--penalty-method loss"]),
        ((*FIT, "--valid", "1"), ["--valid 1", "less than 1"]),
        ((*FIT, "--valid", "0.001"), ["--valid 0.001", "80 rows"]),
        ((*FIT, "--hidden", "64,x"), ["--hidden 64,x", "64,32"]),
        ((*FIT, "--batch-size", "0"), ["--batch-size 0"]),
        ((*FIT, "--seed", "-1"), ["--seed -1"]),
        ((*FIT, "--optimizer", "adan"), ["adan", "'adam'"]),
        ((*FIT, "--model", "liner"), ["liner", "'linear'"]),
        ((*FIT, "--device", "gpu"), ["gpu", "'cpu'"]),
        ((*FIT, "--task", "binry"), ["binry", "'binary'"]),
        ((*FIT, "--task", "regression"), ["'label'", "text", "--task binary"]),
        (("fit", "people.csv", "--target", "level", "--task", "binary"), ["'level'", "3", "--task multiclass"]),
        (("fit", "people.csv", "--target", "income", "--task", "multiclass"), ["'income'", "fractional"]),
        (("fit", "people.csv", "--target", "since"), ["'since'", "Date"]),
        ((*FIT, "--loss", ""), ["--loss", "name"]),
        ((*FIT, "--loss", "focal_los"), ["focal_los", "focal_loss"]),
        ((*FIT, "--loss", "focal_loss gama=2"), ["'gama'", "'gamma'"]),
        ((*FIT, "--loss", "focal_loss gamma=-2"), ["gamma", "-2"]),
        ((*FIT, "--loss", "focal_loss gamma=two"), ["gamma"]),
        ((*FIT, "--loss", "focal_loss gamma="), ["gamma"]),
        ((*FIT, "--loss", "focal_loss gamma=1 gamma=2"), ["gamma", "twice"]),
        ((*FIT, "--loss", "focal_loss 2"), ["focal_loss 2", "gamma=2"]),
        ((*FIT, "--loss", "focal_loss from_logits=False"), ["from_logits"]),
        ((*FIT, "--loss", "focal_loss reduction=none"), ["reduction"]),
        ((*FIT, "--loss", "mse_loss"), ["mse_loss", "regression", "binary_cross_entropy_loss"]),
        ((*FIT, "--loss", "cross_entropy_loss"), ["cross_entropy_loss", "--task multiclass"]),
        ((*FIT, "--loss", "dice_loss"), ["dice_loss", "segmentation", "binary_cross_entropy_loss"]),
        (("fit", "--dataset", "diabetes", "--loss", "focal_loss"), ["focal_loss", "mse_loss"]),
        (("fit", "--dataset", "diabetes", "--loss", "cosine_similarity_loss"), ["vectors", "mse_loss"]),
        (("fit", "--dataset", "wine", "--loss", "adaptive_log_softmax_loss"), ["cutoffs"]),
        ((*FIT, "second.csv"), ["second.csv", "one file"]),
        ((*FIT, "--learning-rate", "1"), ["--learning-rate", "--lr"]),
        ((*FIT, "--loss", "focal_loss gamma"), ["gamma has no value"]),
        ((*FIT, "--loss", "focal_loss self=3"), ["no hyper-parameter 'self'"]),
        ((*FIT, "--loss", "focal_loss gamma=" + "-" * 5000 + "1"), ["gamma has type str"]),
        ((*FIT, "--loss", "1.2.3 * focal_loss"), ["1.2.3 is no number"]),
        ((*FIT, "--loss", "1e400 * focal_loss"), ["1e400 * focal_loss", "the factor is inf"]),
        ((*FIT, "--loss", "nan * focal_loss"), ["the factor is nan"]),
        ((*FIT, "--loss=-1 * focal_loss"), ["the factor is -1, wanted a finite number greater than 0"]),
        ((*FIT, "--loss", "focal_loss", "--loss", "0 * ghmc_loss"), ["the factor is 0", "left out"]),
        ((*FIT, "--loss", "focal_loss * 2"), ["focal_loss is no number", "0.5 * NAME"]),
        ((*FIT, "--loss", "* focal_loss"), ["no factor in front"]),
        ((*FIT, "--loss", "focal\nloss"), ['--loss "focal loss"', "name"]),
        ((*FIT, "--loss", "2*"), ['--loss "2*"', "name"]),
        ((*FIT, "--loss", "2 focal_loss"), ["a factor is followed by *: 2 * focal_loss"]),
        ((*FIT, "--loss", "focal_loss", "--loss", "cross_entropy_loss"), ["cross_entropy_loss", "--task multiclass"]),
        ((*FIT, "--loss", "barron_loss alpha=inf", "--task", "regression"), ["'label'"]),
        ((*FIT, "--hidden", "9999999"), ["--hidden 9999999", "999999"]),
        ((*FIT, "--dropout", "1"), ["--dropout 1", "less than 1"]),
        ((*FIT, "--patience", "0"), ["--patience 0"]),
        ((*FIT, "--monitor", "roc_acu"), ["roc_acu", "'roc_auc'"]),
        ((*FIT, "--monitor", ""), ['--monitor ""', "no such term or metric"]),
        ((*FIT, "--monitor", "l1"), ["--monitor l1", "no such term or metric"]),
        ((*FIT, "--precision", "8-bit"), ["8-bit", "32-true"]),
        ((*FIT, "--log", "tensorbord"), ["tensorbord", "'tensorboard'"]),
        ((*FIT, "--devices", "0"), ["--devices 0"]),
        ((*FIT, "--batch-size", "9" * 30), ["--batch-size"]),
        ((*FIT, "--config", "nowhere.toml"), ["--config nowhere.toml", "No such file"]),
        (("fit", "--resume"), ["--resume needs --out"]),
        (("fit", "--resume", "--out", "nowhere"), ["no interrupted run at nowhere"]),
        ((*FIT, "--resume", "--overwrite", "--out", "x"), ["no interrupted run at x"]),
        (
            (
                *FIT,
                "--class-weight",
                "balanced",
                "--task",
                "multiclass",
                "--loss",
                "cross_entropy_loss class_weight=[1,2]",
            ),
            ["both weigh the classes"],
        ),
        (("fit", "people.csv", "--target", "income", "--class-weight", "balanced"), ["--class-weight", "regression"]),
        (("fit", "people.csv", "--target", "level", "--pos-weight", "balanced"), ["--pos-weight", "multiclass"]),
        (
            (*FIT, "--pos-weight", "balanced", "--loss", "focal_loss"),
            ["has no pos_weight", "binary_cross_entropy_loss"],
        ),
        (
            ("fit", "--dataset", "wine", "--loss", "adaptive_log_softmax_loss cutoffs=[1] num_classes=8"),
            ["predictions of shape (36, 8), wanted (36, 3)"],
        ),
        (("fit", "people.csv", "--target", "income", "--loss", "barron_loss alpha=inf"), ["inf before any training"]),
        ((*FIT, "--out", "people.csv"), ["people.csv", "--out"]),
        ((*FIT, "--out", "people.csv/run"), ["people.csv/run", "write"]),
        ((*FIT, "--lr", "1e30", "--epochs", "1", "--out", "diverged"), ["diverged", "--lr"]),
        ((*FIT, "--lr", "1e30", "--epochs", "3", "--monitor", "roc_auc"), ["diverged", "--lr"]),
    ],
)
def test_wrong_flags(
    csv: Path, arguments: tuple[str, ...], words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    said = wrong(arguments, capsys)
    assert all(word in said for word in words), said


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", ["empty"]),
        ("a,y\n", ["no rows"]),
        ("y\n" + "1\n0\n" * 9, ["no column"]),
        ("a,y\n" + "1,1\n2,1\n" * 9, ["'y'", "constant"]),
        ("a,y\n" + "1,NaN\n2,1\n3,0\n" * 5, ["'y'", "missing in 5 of 15", "row 1,"]),
        ("a,y\n" + "1,\n" * 9, ["'y'", "missing", "all"]),
        ("a,y\n" + "1,inf\n2,1.5\n3,2.5\n" * 5, ["'y'", "infinite"]),
        ("a,y\n" + "inf,1\n2,0\n" * 9, ["'a'", "infinite"]),
        ("a,y\n" + "1e308,1\n-1e308,0\n3,1\n" * 9, ["too large"]),
        ("a,y\n" + "1,b\n2,c\n" * 9 + "3,d\n", ["'d'", "one row"]),
        ("a,y\n1,1\n2,0\n", ["2 rows", "too few"]),
        ("a,y\n1,2\n3,4,5\n6,7\n", ["table.csv", "fields"]),
        ("a;b\n1;2\n3;4\n", ["'y'", "'a'"]),
    ],
)
def test_wrong_tables(content: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    Path("table.csv").write_text(content)
    said = wrong(("fit", "table.csv", "--target", "y"), capsys)
    assert all(word in said for word in words), said


def test_wrong_files(capsys: pytest.CaptureFixture[str]) -> None:
    Path("binary.csv").write_bytes(bytes(range(256)) * 4)
    Path("cut.parquet").write_bytes(b"PAR1abc")
    Path("notes.txt").write_text("a,y\n")
    pl.DataFrame({"a": [[1], [2]] * 9, "y": [0, 1] * 9}).write_parquet("lists.parquet")
    for name, word in (
        ("binary.csv", "no text"),
        ("cut.parquet", "cut.parquet"),
        ("notes.txt", "no rows"),
        ("lists.parquet", "'a' holds List"),
    ):
        assert word in wrong(("fit", name, "--target", "y"), capsys)


def test_a_taken_folder_is_never_touched_unless_it_is_a_run(csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("mine").mkdir()
    Path("mine/novel.txt").write_text("chapter one")
    assert "no earlier run" in wrong((*FIT, "--out", "mine", "--overwrite"), capsys)
    cli.main((*FIT, "--epochs", "1", "--out", "run"))
    assert capsys.readouterr().out.endswith("report: run/report.html\n")
    assert "--overwrite" in wrong((*FIT, "--out", "run"), capsys)
    Path("run.partial").mkdir()
    Path("run.partial/novel.txt").write_text("chapter two")
    assert "no unfinished run" in wrong((*FIT, "--out", "run", "--overwrite"), capsys)
    Path("run.partial/novel.txt").rename("run.partial/config.toml")
    assert "no unfinished run" in wrong((*FIT, "--out", "run", "--overwrite"), capsys)
    shutil.copy("run/config.toml", "run.partial/config.toml")
    cli.main((*FIT, "--epochs", "1", "--out", "run", "--overwrite"))
    assert not Path("run.partial").exists()
    Path("run/thesis.tex").write_text("chapter three")
    assert "'thesis.tex', which no fit wrote" in wrong((*FIT, "--out", "run", "--overwrite"), capsys)
    Path("run/thesis.tex").unlink()
    cli.main(("predict", "run", "people.csv", "--out", "run/mine.csv"))
    capsys.readouterr()
    said = wrong((*FIT, "--out", "run", "--overwrite"), capsys)
    assert "'mine.csv', which no fit wrote and would be deleted: move it" in said
    Path("run/mine.csv").unlink()
    cli.main(("predict", "run", "people.csv"))
    capsys.readouterr()
    Path("link").symlink_to("run")
    assert "is a link" in wrong((*FIT, "--out", "link", "--overwrite"), capsys)
    shutil.copy("people.csv", "run/people.csv")
    inside = ("fit", "run/people.csv", "--target", "label", "--out", "run", "--overwrite")
    assert "lies in it" in wrong(inside, capsys)
    Path("run/people.csv").unlink()


@pytest.mark.parametrize("out", ["~/x", "a::b", "file://y", ".", "/", "..", "a" * 300, "x/../.."])
def test_no_place_for_a_run(csv: Path, out: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert "--out" in wrong((*FIT, "--epochs", "1", "--out", out), capsys)


def test_what_appears_under_the_name_meanwhile_is_not_replaced(
    csv: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def write(path: Path, run: object) -> None:
        path.write_text("report")
        Path("run").mkdir()
        Path("run/novel.txt").write_text("chapter one")

    monkeypatch.setattr("torchobjectives.workbench.report.write", write)
    with pytest.raises(SystemExit):
        cli.main((*FIT, "--epochs", "1", "--out", "run"))
    assert "the finished run is in run.partial" in capsys.readouterr().err
    assert Path("run/novel.txt").read_text() == "chapter one"
    assert Path("run.partial/model.pt").exists()


def test_a_run_being_written_is_left_alone(csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main((*FIT, "--epochs", "1", "--out", "old"))
    Path("run.partial").mkdir()
    shutil.copy("old/config.toml", "run.partial/config.toml")
    with FileLock("run.partial/.lock"):
        assert "being written by another run" in wrong((*FIT, "--out", "run", "--overwrite"), capsys)


def test_a_full_disk_is_one_line(
    csv: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("torchobjectives.workbench.report.write", full)
    with pytest.raises(SystemExit) as stopped:
        cli.main((*FIT, "--epochs", "1", "--out", "run"))
    assert stopped.value.code == 2
    assert (
        "no space left on the device of run.partial: make room, then continue with --resume" in capsys.readouterr().err
    )
    monkeypatch.undo()
    os.chdir(csv.parent)
    cli.main(("fit", "--resume", "--out", "run"))
    assert Path("run/report.html").exists()


@pytest.mark.grid
def test_output_that_cannot_be_shown_does_not_stop_a_run(csv: Path) -> None:
    arguments = [sys.executable, "-m", "torchobjectives", *FIT, "--epochs", "1", "--l1", "1e-3"]
    done = subprocess.run(
        [*arguments, "--out", "ascii"],
        capture_output=True,
        env={**os.environ, "PYTHONIOENCODING": "ascii"},
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    piped = subprocess.Popen([*arguments, "--out", "piped"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert piped.stdout is not None
    piped.stdout.close()
    _, said = piped.communicate(timeout=300)
    assert (piped.returncode, said) == (0, b"")
    assert Path("piped/report.html").exists()


@pytest.mark.grid
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_output_that_cannot_be_written_does_not_lose_a_run(csv: Path) -> None:
    def run(*flags: str) -> tuple[int, str]:
        with open("/dev/full", "w") as full:
            arguments = [sys.executable, "-m", "torchobjectives", *FIT, "--epochs", "1", "--out", "run", *flags]
            done = subprocess.run(arguments, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
        return done.returncode, done.stderr

    said = "the output could not be written (No space left on device); the run is done, its report: run/report.html"
    assert run() == (1, f"torchobjectives: {said}\n")
    assert Path("run/report.html").exists()
    code, error = run("--overwrite", "--lr", "1e30")
    assert (code, error.count("\n")) == (2, 1)
    assert "diverged" in error


def test_the_output_says_what_was_chosen(csv: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli.main((*FIT, "--epochs", "2", "--l1", "1e-4", "--l2", "1e-3"))
    said = capsys.readouterr()
    assert not said.err
    for words in (
        "80 rows (64 training, 16 validation)",
        "binary: target 'label', text, 2 distinct values, classes no, yes (positive: yes)",
        "whole numbers with at most 20 distinct values are classes",
        "the default for binary",
        "0.0001·Σ|w|",
        "train_l1",
        "train_l2",
        "roc_auc",
        "report: runs/people/report.html",
    ):
        assert words in said.out


def python(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *arguments], capture_output=True, text=True, check=False)


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys\nfrom torchobjectives.cli import main\n"
        "try:\n    main(['fit', '--help'])\nfinally:\n"
        f"    print('HEAVY', sorted(set({HEAVY}) & set(sys.modules)))"
    )
    done = python("-c", code)
    assert "--weight-decay" in done.stdout
    assert "HEAVY []" in done.stdout


@pytest.mark.parametrize(
    "module",
    ["cyclopts", *(pytest.param(name, marks=pytest.mark.grid) for name in ("pydantic", "polars", "lightning"))],
)
def test_a_missing_extra_is_one_line(module: str) -> None:
    code = (
        f"import sys\nsys.modules[{module!r}] = None\n"
        "from torchobjectives.cli import main\nmain(['fit', '--dataset', 'wine'])"
    )
    done = python("-c", code)
    assert done.returncode == 1
    assert done.stderr == f'torchobjectives: {module} is not installed: pip install "torchobjectives[workbench]"\n'
