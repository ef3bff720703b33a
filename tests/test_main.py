"""``python -m fastbs`` from the command line's side: what is printed, written, and returned."""

import io
import os
import re
import struct
import subprocess
import sys

import numpy as np
import pytest

import fastbs as fb
import fastbs.__main__ as command
from fastbs.__main__ import main
from fastbs.tour.pictures import Pictures


def csv_text(n, target, header="length,width,kind"):
    """n rows of two informative features and the target of their sum."""
    rng = np.random.default_rng(3)
    X = rng.normal(size=(n, 2))
    return header + "\n" + "".join(f"{a:.6f},{b:.6f},{target(a + b)}\n" for a, b in X)


def classes_csv(n=120):
    return csv_text(n, lambda s: "tall" if s > 0 else "small")


def numbers_csv(n=200):
    return csv_text(n, lambda s: f"{100 + 20 * np.tanh(s):.4f}", header="length,width,price")


@pytest.fixture
def csv_file(tmp_path):
    """A function that writes bytes or text to a file and returns its path as a string."""

    def write(content, name="data.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return str(path)

    return write


def png_size(path):
    """(width, height) from the header of a PNG file."""
    head = path.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    return struct.unpack(">II", head[16:24])


def test_digits_end_to_end(capsys):
    assert main([]) == 0
    out, err = capsys.readouterr()
    assert err == ""  # no progress bar where there is no terminal
    accuracy = re.search(r"test accuracy (\d\.\d+) \((\d+) of 355\)", out)
    assert float(accuracy[1]) >= 0.95
    assert float(accuracy[1]) == pytest.approx(int(accuracy[2]) / 355, abs=1e-4)
    deviation = re.search(r"largest relative deviation (\S+): within 1e-11", out)
    assert float(deviation[1]) <= 1e-11
    for needed in ("64 → 32 → 16 → 10", "D =", "I − L =", "true \\ predicted", "the backslash", "total"):
        assert needed in out
    assert out.count("%") > 10
    assert max(map(len, out.splitlines())) <= 100


def test_same_seed_same_numbers(capsys):
    def result(*arguments):
        main(["--max-iterations", "2", *arguments])
        return re.search(r"loss \d.*", capsys.readouterr().out)[0]

    assert result() == result() == result("--seed", "0")
    assert result() != result("--seed", "1")
    assert result() != result("--penalty", "1000")


def test_csv_of_classes(csv_file, capsys):
    assert main([csv_file(classes_csv()), "--target", "kind", "--hidden", "6"]) == 0
    out, err = capsys.readouterr()
    assert err == ""
    assert "2 → 6 → 2" in out
    assert "96 to train on, 24 held out" in out or "97 to train on, 23 held out" in out
    assert float(re.search(r"test accuracy (\S+)", out)[1]) >= 0.9
    assert re.search(r"^  small +\d+ +[\d·]+ +\d+%$", out, re.MULTILINE)


def test_csv_of_numbers(csv_file, capsys):
    assert main([csv_file(numbers_csv()), "--target", "price", "--hidden", "8,4", "--seed", "5"]) == 0
    out = capsys.readouterr().out
    assert "160 to train on, 40 held out" in out
    rmse, r2 = re.search(r"this network +(\S+) +(\S+)", out).groups()
    baseline, no_r2 = re.search(r"always the mean +(\S+) +(\S+)", out).groups()
    assert float(r2) > 0.9 > 0.1 > float(no_r2)
    assert float(rmse) < 0.3 * float(baseline)


def test_pictures_of_digits(tmp_path, capsys):
    directory = tmp_path / "new" / "pictures"
    assert main(["--max-iterations", "3", "--plot", str(directory)]) == 0
    assert sorted(path.name for path in directory.iterdir()) == [
        "confusion.png", "digits.png", "loss.png", "system.png",
    ]  # fmt: skip
    out = capsys.readouterr().out
    for path in directory.iterdir():
        assert all(400 <= side <= 2000 for side in png_size(path))
        assert path.stat().st_size > 5000
        assert str(path) in out


def test_the_losses_at_the_end_stand_apart_and_the_axis_has_plain_numbers(tmp_path):
    pictures = Pictures(tmp_path)
    pictures.losses([(0.8, 0.9), (0.167, 0.169)])
    figure = pictures._figures["loss"]
    figure.canvas.draw()
    (ax,) = figure.axes
    assert [text.get_text() for text in ax.get_legend().texts] == [
        "training: 0.167 at the end", "held out: 0.169 at the end",
    ]  # fmt: skip
    labels = {label.get_text() for label in ax.get_yticklabels(which="both")} - {""}
    assert {"0.2", "0.6"} <= labels
    assert not any("times" in label for label in labels)


@pytest.mark.parametrize(
    ("text", "target", "picture"),
    [(classes_csv(), "kind", "confusion.png"), (numbers_csv(), "price", "predictions.png")],
    ids=["classes", "numbers"],
)
def test_pictures_of_a_table(csv_file, tmp_path, text, target, picture):
    directory = tmp_path / "pictures"
    directory.mkdir()
    (directory / "loss.png").write_text("an old picture")
    (directory / "mine.txt").write_text("stays")
    arguments = ["--target", target, "--max-iterations", "5", "--hidden", "3", "--plot", str(directory)]
    assert main([csv_file(text), *arguments]) == 0
    names = {path.name for path in directory.iterdir()}
    assert names == {"loss.png", "system.png", picture, "mine.txt"}
    assert all(400 <= side <= 2000 for name in names - {"mine.txt"} for side in png_size(directory / name))


GOOD = classes_csv(40).splitlines()


def with_line(number, text):
    """A good file with its line ``number`` (counted from 1) replaced."""
    return "\n".join([*GOOD[: number - 1], text, *GOOD[number:]]) + "\n"


FILE_ERRORS = {
    "empty": ("", r"the file is empty"),
    "blank": ("\n \n\n", r"the file is empty"),
    "an empty cell": ('""\n', r"the file is empty"),
    "only a byte order mark": (b"\xef\xbb\xbf", r"the file is empty"),
    "header only": ("length,width,kind\n", r"has a header but no rows"),
    "no header": ("1,2,3\n4,5,6\n", r"first line must name the columns; got only numbers, 1, 2, 3"),
    "one column": ("kind\na\nb\n", r"at least two columns.*comma, semicolon, tab; got 'kind'"),
    "unnamed column": (with_line(1, "length,,kind"), r"column 2 of the header has no name"),
    "same name twice": (with_line(1, "length,kind,kind"), r"must differ; 'kind' is there 2 times"),
    "too few fields": (with_line(7, "1,tall"), r"line 7: 2 fields, but the header has 3"),
    "too many fields": (with_line(7, "1,2,tall,4"), r"line 7: 4 fields, but the header has 3"),
    "missing feature": (
        with_line(5, "1,,tall"),
        r"line 5, column 'width': missing value '' \(1 in the file\)",
    ),
    "missing target": (with_line(9, "1,2, NA "), r"line 9, column 'kind': missing value 'NA'"),
    "text feature": (
        with_line(6, "1,wide,tall"),
        r"line 6, column 'width': must be a number; got 'wide' \(enc",
    ),
    "decimal comma": (
        with_line(6, '1,"2,5",tall'),
        r"line 6, column 'width': .*got '2,5' \(write a decimal point",
    ),
    "underscore": (with_line(6, "1,1_000,tall"), r"line 6, column 'width': must be a number; got '1_000'"),
    "infinite feature": (
        with_line(6, "-inf,1,tall"),
        r"line 6, column 'length': .*up to 1e\+100; got '-inf'",
    ),
    "huge feature": (with_line(6, "1e200,1,tall"), r"line 6, column 'length': .*up to 1e\+100; got '1e200'"),
    "open quote": (with_line(6, '1,"2,tall'), r"line \d+: not a CSV file: unexpected end of data"),
    "not UTF-8": (with_line(6, "1,2,gro\xdf").encode("latin-1"), r"line 6: must be UTF-8; got the byte 0xdf"),
    "too few rows": ("\n".join(GOOD[:13]), r"12 rows are too few; at least 20"),
    "one class": (
        re.sub("small", "tall", "\n".join(GOOD)),
        r"column 'kind': the target must vary; all 40 .*'tall'",
    ),
    "a class for each row": (
        "a,b,kind\n" + "".join(f"1,{k},n{k}\n" for k in range(30)),
        r"column 'kind': 30 different classes in 30 rows are too many; at least 5 rows",
    ),
    "one bad number": (
        "a,b,kind\n" + "".join(f"1,{k},{k + 0.5}\n" for k in range(30)) + "1,2,oops\n",
        r"line 32, column 'kind': 'oops' is not a number, but most of the column are",
    ),
    "no feature varies": (
        "a,b,kind\n" + "".join(f"1,2,{'xy'[k % 2]}\n" for k in range(30)),
        r"no feature varies: each of 2 columns",
    ),
    "a deviation that underflows": (
        "a,b,kind\n" + "".join(f"{k},{k}e-320,{'xy'[k % 2]}\n" for k in range(30)),
        r"column 'b': the numbers differ by too little",
    ),
    "bytes of a spreadsheet": (
        b"PK\x03\x04\x14\x00\x06\x00\x08\x00\x00\x00!\x00\xd3 ",
        r"line 1: must be UTF-8; got the byte 0xd3",
    ),
}


def one_line(capsys):
    """The only line that was printed, which is on stderr."""
    out, err = capsys.readouterr()
    assert out == ""
    assert err.endswith("\n")
    assert err.count("\n") == 1
    return err


@pytest.mark.parametrize(("content", "message"), FILE_ERRORS.values(), ids=FILE_ERRORS)
def test_file_errors(csv_file, tmp_path, capsys, content, message):
    path = csv_file(content)
    assert main([path, "--target", "kind", "--plot", str(tmp_path / "pictures")]) == 2
    err = one_line(capsys)
    assert err.startswith(f"fastbs: error: {path}: ")
    assert re.search(message, err)
    assert not (tmp_path / "pictures").exists()


def test_no_such_file(tmp_path, capsys):
    assert main([str(tmp_path / "none.csv"), "--target", "y"]) == 2
    assert re.search(r"none\.csv: cannot be read: No such file", one_line(capsys))
    assert main([str(tmp_path), "--target", "y"]) == 2
    assert "cannot be read" in one_line(capsys)


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("Kind", r"no column 'Kind'; the columns are 'length', 'width', 'kind'; did you mean 'kind'\?"),
        ("widht", r"no column 'widht'; .*; did you mean 'width'\?"),
        ("price", r"no column 'price'; the columns are 'length', 'width', 'kind'\n"),
    ],
)
def test_missing_target_column(csv_file, capsys, target, message):
    assert main([csv_file(classes_csv()), "--target", target]) == 2
    assert re.search(message, one_line(capsys))


def test_a_long_list_of_columns_is_cut(csv_file, capsys):
    header = ",".join(f"c{i}" for i in range(30))
    assert main([csv_file(header + "\n" + "1," * 29 + "1\n"), "--target", "nothing"]) == 2
    assert re.search(r"'c0', .*'c11' and 18 more$", one_line(capsys))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--hidden", "32,x"], r"--hidden: must be whole numbers from 1 to 100000, such as 32,16; got '32,x'"),
        (["--hidden", "0"], r"--hidden: must be whole numbers from 1 .*got '0'"),
        (["--hidden", ""], r"--hidden: must be whole numbers from 1 .*got ''"),
        (["--hidden", "9" * 30], r"--hidden: must be whole numbers from 1 .*got '9{30}'"),
        (["--seed", "-1"], r"--seed: must be a whole number, at least 0; got '-1'"),
        (["--seed", "1.5"], r"--seed: must be a whole number, at least 0; got '1.5'"),
        (["--max-iterations", "0"], r"--max-iterations: must be a whole number, at least 1; got '0'"),
        (["--penalty", "inf"], r"--penalty: must be a number, at least 0; got 'inf'"),
        (["--penalty", "nan"], r"--penalty: must be a number, at least 0; got 'nan'"),
        (["--colour"], r"unrecognized arguments: --colour"),
        (["--target", "y"], r"--target and --task are for a file of your own"),
        (["--task", "number"], r"--target and --task are for a file of your own"),
    ],
)
def test_bad_arguments(capsys, arguments, message):
    assert main(arguments) == 2
    assert re.search(message, one_line(capsys))


def test_a_file_without_target(csv_file, capsys):
    assert main([csv_file(classes_csv())]) == 2
    assert re.search(r"--target COLUMN must say .*'length', 'width', 'kind'", one_line(capsys))


def test_text_target_as_number(csv_file, capsys):
    assert main([csv_file(classes_csv()), "--target", "kind", "--task", "number"]) == 2
    assert re.search(r"line 2, column 'kind': must be a number; got '(tall|small)'", one_line(capsys))


def test_plot_without_matplotlib(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    assert main(["--plot", str(tmp_path / "pictures")]) == 2
    assert re.search(r"--plot needs matplotlib.*pip install 'fastbs\[plot\]'", one_line(capsys))
    assert not (tmp_path / "pictures").exists()


def test_plot_into_a_file(csv_file, capsys):
    path = csv_file("not a directory")
    for directory in (path, path + "/deeper"):
        assert main(["--plot", directory]) == 2
        assert re.search(r"must be a directory; .*data\.csv is a file", one_line(capsys))


def test_plot_into_a_directory_without_permission(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr("os.access", lambda *_: False)
    assert main(["--plot", str(tmp_path / "new")]) == 2
    assert re.search(rf"--plot .*new: {re.escape(str(tmp_path))} is not writable", one_line(capsys))


def test_plot_that_cannot_be_written(monkeypatch, csv_file, tmp_path, capsys):
    path, directory = csv_file(classes_csv(40)), tmp_path / "pictures"
    directory.mkdir()

    def full(*_):
        raise OSError(28, "No space left on device", "loss.png")

    monkeypatch.setattr("os.replace", full)
    assert main([path, "--target", "kind", "--max-iterations", "1", "--plot", str(directory)]) == 2
    err = capsys.readouterr().err
    assert re.search(r"--plot .*No space left on device: loss\.png\n$", err)
    assert list(directory.iterdir()) == []


def test_interrupted(monkeypatch, capsys):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "train", interrupt)
    assert main([]) == 130
    assert capsys.readouterr().err == "fastbs: interrupted\n"


def test_out_of_memory(monkeypatch, capsys):
    def exhaust(*_):
        raise MemoryError("Unable to allocate 1 TiB")

    monkeypatch.setattr(command, "Network", exhaust)
    assert main([]) == 2
    assert "out of memory: Unable to allocate 1 TiB" in one_line(capsys)


def test_a_wrong_gradient_ends_the_run(monkeypatch, capsys):
    monkeypatch.setattr(command, "TOLERANCE", 0.0)
    assert main(["--max-iterations", "1"]) == 1
    out, err = capsys.readouterr()
    assert err == "fastbs: error: the gradient does not agree with complex step\n"
    assert "BEYOND" in out
    assert "test accuracy" not in out


def test_help_and_version(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    out = capsys.readouterr().out
    assert "whole numbers of at most\n20 different values" in out
    assert "examples:" in out
    assert max(map(len, out.splitlines())) <= 100
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"fastbs {fb.__version__}\n"


def test_a_terminal_without_unicode(monkeypatch, csv_file):
    stream = io.TextIOWrapper(io.BytesIO(), encoding="ascii")
    monkeypatch.setattr(sys, "stdout", stream)
    assert main([csv_file(classes_csv(40)), "--target", "kind", "--max-iterations", "2"]) == 0
    stream.flush()
    assert b"2 ? 32 ? 16 ? 2" in stream.buffer.getvalue()


@pytest.mark.parametrize(("options", "shown"), [([], True), (["--quiet"], False)], ids=["terminal", "quiet"])
def test_progress_bar(monkeypatch, csv_file, options, shown):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    assert main([csv_file(classes_csv(40)), "--target", "kind", "--max-iterations", "2", *options]) == 0
    assert ("L-BFGS-B:   0%" in sys.stderr.getvalue()) == shown


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_as_a_module_with_a_closed_pipe(csv_file, unbuffered):
    arguments = [sys.executable, "-m", "fastbs", csv_file(classes_csv(40)), "--target", "kind"]
    environment = os.environ | {"PYTHONUNBUFFERED": unbuffered}
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 1
