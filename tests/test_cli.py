"""The command line, as a person uses it: exit codes, messages, and no tracebacks."""

from __future__ import annotations

import importlib.util
import io
import json
import os
import signal
import subprocess
import sys
import textwrap
import time

import numpy as np
import pytest
from conftest import JIT, ROOT, SMALL
from sounds import wav_bytes, write

import audiotconv as atc
from audiotconv import cli
from audiotconv.cli import shell as shared
from audiotconv.cli.extract import MOST_LISTED, _length, _progress

N = 2000 if JIT else 300
MATPLOTLIB = importlib.util.find_spec("matplotlib") is not None


@pytest.fixture
def run(monkeypatch, capfd):
    """Run the command line in this process: (exit code, standard output, standard error)."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["audiotconv", *map(str, arguments)])
        try:
            cli.main()
            code = 0
        except SystemExit as stopped:
            code = stopped.code or 0
        out, error = capfd.readouterr()
        assert "Traceback" not in error
        return code, out, error

    return run


@pytest.fixture
def folder(tmp_path):
    top = tmp_path / "in" / "cats"
    top.mkdir(parents=True)
    write(top / "a.wav", n=N)
    write(top / "b.wav", n=N, channels=2)
    return top.parent


def test_extract(run, folder, tmp_path):
    out = tmp_path / "out"
    code, text, _ = run("extract", folder, "-o", out, "--recipe", SMALL, "--label", "parent", "--mono", "-j", 1)
    assert code == 0
    assert "2 of 2 files" in text
    assert "x real time" in text
    found = atc.load(out)
    assert found.labels == ["cats", "cats"]
    assert [row.values.shape[0] for row in found] == [1, 1]
    code, text, _ = run(
        "extract", folder, "-o", out, "--recipe", SMALL, "--format", "npy", "--channels", "keep", "--json"
    )
    assert code == 0
    report = json.loads(text)
    assert (report["files"], report["done"], report["failed"], report["recipe"]) == (2, 2, 0, "small")
    np.testing.assert_array_equal(
        np.load(out / "run-2" / "cats" / "b.wav.npy"), atc.extract(folder / "cats" / "b.wav", SMALL).values
    )


def test_bad_files_are_listed_and_the_rest_is_written(run, folder, tmp_path):
    for number in range(MOST_LISTED + 2):
        (folder / f"bad{number:02}.wav").write_bytes(b"no sound")
        (folder / f"cut{number:02}.wav").write_bytes(wav_bytes(b"\1\0" * N, declared=4 * N))
    code, text, error = run("extract", folder, "-o", tmp_path / "out", "--recipe", SMALL)
    assert code == 1
    assert "24 of 46 files" in text
    assert "22 failed (22 not audio):" in error
    assert "[not audio]" in error
    assert "bad00.wav is not a sound file" in error
    assert "... and 2 more; failures.parquet in" in error
    assert "warning: " in error
    assert "... and 2 more warnings" in error
    assert len(atc.load(tmp_path / "out")) == 24


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["extract", "{in}"], ["-o"]),
        (["extract", "-o", "{out}"], ["nothing to extract; give files or folders"]),
        (["extract", "{in}", "-o", "{out}", "--recipe", "gabor-41"], ["no recipe 'gabor-41'; did you mean gabor-40?"]),
        (["extract", "{in}", "-o", "{out}", "--recipe", "none.toml"], ["none.toml cannot be read"]),
        (["extract", "{in}", "-o", "{out}", "--format", "csv"], ["--format", "csv"]),
        (["extract", "{in}", "-o", "{out}", "-j", "0"], ["-j"]),
        (["extract", "{in}", "-o", "{out}", "--label", "me"], ["--label"]),
        (["extract", "{in}/none", "-o", "{out}"], ["in/none does not exist"]),
        (["extract", "{in}", "-o", "{in}"], ["neither empty nor a feature store"]),
        (["recipes", "nope"], ["no recipe 'nope'"]),
        (["recipes", "gabor-40", "--rate", "100"], ["bands reach up to 45 Hz"]),
        (["nonsense"], ["nonsense"]),
    ],
)
def test_wrong_use(run, folder, tmp_path, arguments, words):
    places = {"in": str(folder), "out": str(tmp_path / "out")}
    code, _, error = run(*[argument.format(**places) for argument in arguments])
    assert code == 2
    for word in words:
        assert word in error.replace("\n", " ")


@pytest.mark.parametrize(
    ("old", "new", "word"),
    [('"25 ms"', '"5 ms"', "window is 5 ms"), ('"500 Hz"', '"5 kHz"', "fmin is 5000 Hz")],
)
def test_an_impossible_recipe_is_wrong_use(run, folder, tmp_path, old, new, word):
    (tmp_path / "mine.toml").write_text(SMALL.read_text().replace(old, new))
    code, _, error = run("extract", folder, "-o", tmp_path / "out", "--recipe", tmp_path / "mine.toml")
    assert code == 2
    assert word in error


def test_a_target_that_cannot_be_written(run, folder, tmp_path):
    (tmp_path / "file").write_text("x")
    code, _, error = run("extract", folder, "-o", tmp_path / "file" / "out")
    assert code == 1
    assert "cannot be written" in error


def test_recipes(run):
    code, text, _ = run("recipes")
    assert code == 0
    assert all(name in text for name in atc.list_recipes())
    code, text, _ = run("recipes", "gammatone-64", "--rate", 8000)
    assert "stage 1: bank-energy" in text
    assert "every 80 samples" in text
    code, text, _ = run("recipes", "--json")
    assert [row["name"] for row in json.loads(text)] == atc.list_recipes()
    code, text, _ = run("recipes", "gabor-40", "--json")
    assert json.loads(text)["features"] == 40


def test_the_list_of_recipes_says_what_each_gives(run):
    text = run("recipes")[1]
    for words in ("64 x 100", "17.2 ms", "no: range", "below 1e-4 in log"):
        assert words in text
    rows = {row["name"]: row for row in json.loads(run("recipes", "--json")[1])}
    assert rows["gammatone-64"]["streams"] is True
    assert rows["gammatone-64"]["error"] == "below 1e-4 in log, against float64"
    assert (rows["whisper-80"]["streams"], rows["whisper-80"]["whole_stages"]) == (False, ["range"])
    assert "error below 1e-4" in run("recipes", "gabor-40")[1]
    assert "it cannot stream: range" in run("recipes", "whisper-80")[1]


def test_recipes_that_do_not_fit_the_rate_are_listed_with_the_reason(run):
    code, text, _ = run("recipes", "--rate", 100)
    assert code == 0
    assert "bands reach up" in text
    rows = {row["name"]: row for row in json.loads(run("recipes", "--rate", 100, "--json")[1])}
    assert list(rows) == atc.list_recipes()
    assert "fmin is 60 Hz" in rows["gabor-40"]["unfit"]
    assert rows["whisper-80"]["unfit"] is None


def test_recipes_diff(run, folder, tmp_path):
    other = tmp_path / "other.toml"
    other.write_text(SMALL.read_text().replace('"25 ms"', '"30 ms"'))
    code, text, _ = run("recipes", "diff", SMALL, other)
    assert code == 0
    for words in ("bank-energy window", "25 ms", "30 ms", "all of them", "the reference clip (16000 Hz)"):
        assert words in text
    assert "the same stages" in run("recipes", "diff", SMALL, SMALL)[1]
    clip = folder / "cats" / "b.wav"
    report = json.loads(run("recipes", "diff", SMALL, other, "--clip", clip, "--json")[1])
    assert (report["clip"], report["from_recipe"]["name"]) == (str(clip), "small")
    (change,) = report["changes"]
    assert (change["parameter"], change["from"], change["to"]) == ("bank-energy window", "25 ms", "30 ms")
    assert 0 < change["rms"] <= change["largest"]
    assert change["largest"] == report["all"]["largest"]
    (tmp_path / "cut.wav").write_bytes(wav_bytes(b"\1\0" * N, declared=4 * N))
    code, _, error = run("recipes", "diff", SMALL, other, "--clip", tmp_path / "cut.wav")
    assert (code, "warning: " in error) == (0, True)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["diff"], "takes two recipes, not 0"),
        (["diff", SMALL], "takes two recipes, not 1"),
        (["diff", SMALL, "nope"], "no recipe 'nope'"),
        (["diff", SMALL, SMALL, SMALL], "takes two recipes, not 3"),
        (["diff", SMALL, SMALL, "--rate", 8000], "does not go with diff"),
        (["diff", SMALL, SMALL, "--clip", ROOT / "README.md"], "is not a sound file"),
        (["gabor-40", "--clip", ROOT / "README.md"], "goes with diff only"),
        (["gabor-40", "gammatone-64"], "one recipe at a time"),
    ],
)
def test_wrong_use_of_recipes(run, arguments, words):
    code, _, error = run("recipes", *arguments)
    assert code == 2
    assert words in error


def test_a_recipe_with_a_head(run, tmp_path):
    recipe = tmp_path / "head.toml"
    recipe.write_text('sample_rate = "8 kHz"\nduration = "0.05 s"\n' + SMALL.read_text())
    write(tmp_path / "a.wav", n=N, rate=22050)
    write(tmp_path / "b.wav", n=N, rate=8000)
    code, text, _ = run("extract", tmp_path, "-o", tmp_path / "out", "--recipe", recipe)
    assert code == 0
    assert "resampled: 1 from 22,050 Hz" in text
    text = run("recipes", recipe, "--rate", 48000)[1]
    assert "resampled to 8000 Hz" in text
    assert "cut or padded to 0.05 s" in text
    assert "at 8000 Hz: 3 features; a frame every 80 samples" in text
    shown = json.loads(run("recipes", recipe, "--json")[1])
    assert (shown["sample_rate"], shown["duration"]) == (8000, 0.05)


@pytest.mark.skipif(not MATPLOTLIB, reason="draws")
def test_show(run, folder, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    sound = folder / "cats" / "b.wav"
    code, text, error = run("show", sound, "--recipe", SMALL, "--channel", 2)
    assert (code, text) == (0, "b.png\n")
    assert (tmp_path / "b.png").read_bytes().startswith(b"\x89PNG\r\n")
    code, text, _ = run("show", sound, "--recipe", SMALL, "-o", tmp_path / "c.svg")
    assert (code, text.strip()) == (0, str(tmp_path / "c.svg"))
    assert "<svg" in (tmp_path / "c.svg").read_text()
    (tmp_path / "cut.wav").write_bytes(wav_bytes(b"\1\0" * N, declared=4 * N))
    code, text, error = run("show", tmp_path / "cut.wav", "--recipe", SMALL)
    assert (code, text) == (0, "cut.png\n")
    assert "warning: " in error
    assert "is truncated" in error
    sound.rename(tmp_path / "d.png")
    code, _, error = run("show", "d.png", "--recipe", SMALL)
    assert (code, "is the recording itself" in error) == (2, True)
    code, _, error = run("show", "d.png", "--recipe", SMALL, "-o", tmp_path / "none" / "e.png")
    assert (code, "cannot be written: No such file" in error) == (1, True)


@pytest.mark.skipif(not MATPLOTLIB, reason="draws")
@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["{in}/cats/a.wav", "--channel", 2], "there is no channel 2: "),
        (["{in}/cats/a.wav", "--channel", 0], "--channel"),
        (["{in}/cats/a.wav", "--recipe", "gabor-41"], "did you mean gabor-40?"),
        (["{in}/cats/a.wav", "-o", "{in}/x.nothing"], "the picture cannot be written: "),
        (["{in}/none.wav"], "none.wav"),
        (["{in}"], "is a directory; a sound file is needed"),
        ([ROOT / "README.md"], "README.md is not a sound file"),
        (["{in}/short.wav", "--recipe", "kaldi-fbank-80"], "too short for a frame of kaldi-fbank-80: nothing to show"),
        (["{in}/empty.wav"], "holds no samples"),
    ],
)
def test_what_cannot_be_shown(run, folder, tmp_path, monkeypatch, arguments, words):
    monkeypatch.chdir(tmp_path)
    write(folder / "short.wav", n=100)
    (folder / "empty.wav").write_bytes(wav_bytes(b""))
    given = [str(argument).format(**{"in": folder}) for argument in arguments]
    recipe = [] if "--recipe" in given else ["--recipe", SMALL]
    code, _, error = run("show", *given, *recipe)
    assert code == 2
    assert words in error
    assert not list(tmp_path.glob("*.png"))


def test_show_without_matplotlib(run, folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    code, _, error = run("show", folder / "cats" / "a.wav", "--recipe", SMALL)
    assert code == 2
    assert error == "audiotconv: a picture needs matplotlib, which is not installed: pip install matplotlib\n"


MARKUP = "[red]x[/nope] :smile: [bold]"


def test_text_of_a_recipe_is_no_markup(run, monkeypatch, tmp_path):
    text = SMALL.read_text()
    (tmp_path / "mine.toml").write_text(
        text.replace('name = "small"', f'name = "{MARKUP}"').replace("three short filters", MARKUP)
    )
    code, out, error = run("recipes", tmp_path / "mine.toml")
    assert (code, error) == (0, "")
    assert out.count(MARKUP) == 2
    own = atc.get_recipe(tmp_path / "mine.toml")
    monkeypatch.setattr("audiotconv.recipes.list_recipes", lambda: [own])
    code, out, _ = run("recipes")
    assert code == 0
    assert out.count("[red]x[/nope] :smile: [bold]") == 2


def test_names_of_files_are_no_markup(run, tmp_path):
    top = tmp_path / "in [red]"
    top.mkdir()
    write(top / "a [bold].wav", n=N)
    (top / ":smile: [nope].wav").write_bytes(b"no sound")
    (top / "cut [i].wav").write_bytes(wav_bytes(b"\1\0" * N, declared=4 * N))
    code, out, error = run("extract", top, "-o", tmp_path / "out [red]", "--recipe", SMALL)
    assert code == 1
    assert "out [red]" in out
    assert ":smile: [nope].wav is not a sound file" in error
    assert "cut [i].wav is truncated" in error
    for wrong in (["recipes", MARKUP], ["extract", top, "-o", tmp_path / "o", "--format", MARKUP], [MARKUP]):
        code, _, error = run(*wrong)
        assert code == 2
        assert MARKUP in error


def test_version_and_help(run):
    assert run("--version")[1].strip() == f"audiotconv {atc.__version__}"
    for command in (
        [],
        ["extract"],
        ["recipes"],
        ["show"],
        ["bench"],
        ["bench", "filterbank"],
        ["bench", "conv"],
        ["warmup"],
        ["doctor"],
    ):
        code, text, _ = run(*command, "--help")
        assert code == 0
        assert "Usage" in text


def test_internal_errors_are_named(run, monkeypatch):
    monkeypatch.setattr("audiotconv.recipes.list_recipes", lambda: 1 // 0)
    monkeypatch.delenv("AUDIOTCONV_TRACEBACK", raising=False)
    code, _, error = run("recipes")
    assert code == 1
    assert "internal error, ZeroDivisionError" in error
    monkeypatch.setenv("AUDIOTCONV_TRACEBACK", "1")
    with pytest.raises(ZeroDivisionError):
        run("recipes")


def test_stopped_or_cut_off(run, monkeypatch):
    def stop():
        raise KeyboardInterrupt

    monkeypatch.setattr("audiotconv.recipes.list_recipes", stop)
    assert run("recipes")[0] == 130

    def gone():
        raise BrokenPipeError

    monkeypatch.setattr(shared, "app", gone)
    monkeypatch.setattr(os, "dup2", lambda *files: None)
    assert run("recipes")[0] == 1
    monkeypatch.setattr(shared, "app", stop)
    code, _, error = run("recipes")
    assert (code, error) == (130, "audiotconv: stopped\n")


def test_a_bar_is_drawn_where_somebody_looks(folder, tmp_path):
    from rich.console import Console

    console = Console(force_terminal=True, width=120, file=open(os.devnull, "w"), record=True)  # noqa: SIM115
    with _progress(console) as show:
        from audiotconv.batch.run import Progress

        show(Progress(files=10, files_done=4, bytes=1000, bytes_done=400, audio_seconds=7200))
        console.print("")
    console.file.close()
    assert _length(3.21) == "3.2 s"
    assert _length(321) == "5.3 min"
    assert _length(32100) == "8.92 h"


def test_compilation_is_announced_once(run):
    from audiotconv.kernels import compile as compiling

    shown = []

    class Console:
        def print(self, text, style):
            shown.append(text)

    with shared.announced_compilation(Console()):
        for listener in compiling._listeners:
            listener("a")
            listener("b")
    assert shown == ["compiling kernels, first run only"]


@pytest.mark.skipif(not JIT, reason="compiles and times")
def test_warmup_and_doctor(run):
    code, text, _ = run("warmup")
    assert code == 0
    assert "cache: " in text
    code, text, _ = run("warmup")
    assert text.startswith("0 kernels compiled")
    code, text, _ = run("doctor")
    assert code == 0
    for word in ("numba", "threading layer", "vectors", "writable", "FMA peak", "copy bandwidth"):
        assert word in text
    facts = json.loads(run("doctor", "--json")[1])
    assert facts["fma_peak_gflops"] > 1
    assert facts["cache_writable"] is True


@pytest.mark.skipif(not JIT, reason="compiles")
def test_warmup_leaves_no_kernel_out():
    pytest.importorskip("sklearn")
    program = """
    from audiotconv.kernels.compile import KERNELS
    from audiotconv.learn import MiniRocket
    from audiotconv.warmup import warmup_steps

    for name, step in warmup_steps():
        if name.endswith("serial"):
            step()
    compiled = [len(vars(kernel)["serial"].signatures) if "serial" in vars(kernel) else 0 for kernel in KERNELS]
    assert min(compiled) > 0 and len(compiled) > 20, compiled
    """
    done = subprocess.run([sys.executable, "-c", textwrap.dedent(program)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@pytest.mark.skipif(not JIT, reason="times compiled code")
def test_bench(run, tmp_path):
    code, text, _ = run("bench", "filterbank", "--seconds", 0.2, "--repeats", 1)
    assert code == 0
    assert "64 bands x 401 taps" in text
    assert "GFLOP/s" in text
    saved = run("bench", "filterbank", "--seconds", 0.2, "--repeats", 1, "--threads", 2, "--json")[1]
    results = json.loads(saved)
    assert {"environment", "results"} == set(results)
    assert all(row["error"] < 1e-5 for row in results["results"])
    (tmp_path / "run.json").write_text(saved)
    code, text, _ = run("bench", "table", tmp_path / "run.json", tmp_path / "run.json")
    head, _, *rows = text.splitlines()
    assert "| scipy / ours |" in head
    assert "| 2 / 2 threads |" in head
    ours = next(row for row in results["results"] if row["case"] == "gabor-40")
    row = next(row for row in rows if row.startswith("| gabor-40 |"))
    assert f"| {ours['seconds'] * 1e3:.2f} |" in row
    assert row.endswith("| 1.00 |")
    for wrong in ("{}", "[]", "no JSON"):
        (tmp_path / "run.json").write_text(wrong)
        code, _, error = run("bench", "table", tmp_path / "run.json")
        assert code == 2
        assert "does not hold the JSON of a bench" in error
    assert "cannot be read: No such file" in run("bench", "table", tmp_path / "none.json")[2]
    picture = tmp_path / "pool.png"
    code, text, _ = run("bench", "pool", "--only", "max, 400 every 160", "--repeats", 1, "--plot", picture)
    assert code == (0 if MATPLOTLIB else 2)
    assert picture.exists() == MATPLOTLIB
    code, text, _ = run("bench", "conv", "--only", "dense 8", "--repeats", 1)
    assert "audiotconv (rows)" in text
    assert run("bench", "conv", "--only", "no such case")[0] == 2
    for only in ("400/400/160/80", "pcen-80", "stft"):
        results = json.loads(run("bench", "spectral", "--only", only, "--repeats", 1, "--json")[1])["results"]
        assert all(row["error"] < 2e-5 for row in results)
    code, text, _ = run("bench", "plan", "--only", "dense 8", "--repeats", 1)
    assert "measured / estimated" in text
    results = json.loads(run("bench", "plan", "--only", "dense 8", "--repeats", 1, "--json")[1])["results"]
    assert [row["method"] for row in results if row["chosen"]] == ["rows"]
    assert all(row["measured"] > 0 for row in results)
    assert run("bench", "plan", "--only", "no such case")[0] == 2
    code, text, _ = run("bench", "reading", "--files", 2, "--seconds", 1)
    assert "x real time" in text
    assert 0 < json.loads(run("bench", "reading", "--files", 2, "--seconds", 1, "--json")[1])["share"] < 1


@pytest.mark.skipif(not JIT, reason="an hour of sound")
@pytest.mark.parametrize("form", ["parquet", "npy"])
def test_memory_does_not_grow_with_the_length(run, form):
    assert (
        "MB at most" in run("bench", "memory", "--hours", 0.01, "--format", form)[1]
    )  # compiles, which takes memory too
    hours = 1  # 58 MB of features, 15 rows
    result = json.loads(run("bench", "memory", "--hours", hours, "--recipe", "gabor-40", "--format", form, "--json")[1])
    assert result["peak_mb"] < 400
    assert result["hours"] == hours


@pytest.mark.skipif(not JIT, reason="a long run")
def test_ctrl_c_stops_cleanly(tmp_path):
    """A long run, stopped: one line, exit code 130, no half of a store, nothing left behind."""
    top = tmp_path / "in"
    top.mkdir()
    for number in range(40):
        write(top / f"{number}.wav", n=400_000)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "audiotconv", "extract", str(top), "-o", str(out)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT)
    deadline = time.monotonic() + 120
    while not list(out.rglob("*.parquet")):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=120)
    assert process.returncode == 130, error
    last = error.splitlines()[-1]
    done = len(atc.load(out))
    assert last == f"audiotconv: stopped; {done} recordings are in {out}; the same command goes on with the rest"
    assert "Traceback" not in error
    again = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert again.returncode == 0
    assert again.stdout.startswith(f"40 of 40 files ({done} were there before)")
    assert subprocess.run([*command[:3], "verify", str(out)]).returncode == 0


PCM = (np.random.default_rng(0).standard_normal((2, 3000)) * 3000).astype("<i2")


@pytest.fixture
def piped(monkeypatch, run, tmp_path):
    """`audiotconv stream` with bytes on standard input, a few at a time."""

    def piped(data, *arguments, at_once=701):
        class Pipe(io.BytesIO):
            def read(self, most=-1):
                return super().read(min(most, at_once))

            raw = property(lambda self: self)

        class Input:
            buffer = Pipe(data)
            isatty = staticmethod(lambda: False)

        monkeypatch.setattr(sys, "stdin", Input)
        return run("stream", "--rate", 8000, "--recipe", SMALL, *arguments)

    return piped


def test_stream(piped):
    whole = atc.extract(PCM, SMALL, sample_rate=8000)
    code, out, error = piped(PCM.T.tobytes(), "--channels", 2, "--stats")
    lines = [json.loads(line) for line in out.splitlines()]
    values = np.array([line["values"] for line in lines], np.float32).transpose(1, 2, 0)
    assert code == 0
    np.testing.assert_array_equal(values, whole.values)
    np.testing.assert_array_equal([line["time"] for line in lines], whole.frame_times)
    assert "0.38 s of audio" in error
    assert "x real time" in error
    assert "latency" in error
    _, out, _ = piped(PCM.T.tobytes(), "--channels", 2, "--mono")
    mono = atc.extract(PCM, SMALL, sample_rate=8000, channels="mono").values[0]
    values = np.array([json.loads(line)["values"][0] for line in out.splitlines()], np.float32)
    np.testing.assert_array_equal(values.T, mono)


def test_stream_of_floats(piped):
    x = (PCM[0] / 32768).astype("<f4")
    lines = [json.loads(line) for line in piped(x.tobytes(), "--dtype", "float32")[1].splitlines()]
    want = atc.extract(x, SMALL, sample_rate=8000).values
    np.testing.assert_array_equal(np.array([line["values"][0] for line in lines], np.float32).T, want[0])


def test_stream_of_nothing_and_of_half_a_sample(piped):
    assert piped(b"") == (0, "", "")
    code, out, error = piped(b"abc", "--channels", 2)
    assert (code, out) == (0, "")
    assert "its last 3 bytes are left out" in error


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--recipe", "whisper-80"), "cannot stream: its stage range"),
        (("--rate", "0"), "--rate"),
        (("--dtype", "int8"), "--dtype"),
        (("--recipe", "whispr"), "there is no recipe"),
    ],
)
def test_wrong_streams(piped, arguments, words):
    code, out, error = piped(b"", *arguments)
    assert (code, out) == (2, "")
    assert words in error


def test_stream_of_bad_samples(piped):
    x = np.zeros(900, "<f4")
    x[500] = np.inf
    code, _, error = piped(x.tobytes(), "--dtype", "float32")
    assert code == 2
    assert "is inf; every sample must be finite" in error


def test_stream_to_a_full_disk(piped, monkeypatch):
    def full(data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("audiotconv.cli.stream._put", full)
    monkeypatch.setattr(os, "dup2", lambda *files: None)
    code, _, error = piped(PCM[0].tobytes())
    assert (code, error) == (1, "audiotconv: the stream broke off: No space left on device\n")


def test_stream_without_an_input(run, monkeypatch):
    monkeypatch.setattr(sys, "stdin", None)
    code, _, error = run("stream", "--rate", 8000, "--recipe", SMALL)
    assert code == 2
    assert "standard input or output is closed" in error


def test_stream_from_a_terminal(run, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    code, _, error = run("stream", "--rate", 8000, "--recipe", SMALL)
    assert code == 2
    assert "standard input is a terminal" in error


@pytest.mark.skipif(not JIT, reason="a process of its own")
def test_stream_in_a_pipe(tmp_path):
    """Raw frames as they come; whoever stops reading ends it; so does Ctrl-C."""
    command = [sys.executable, "-m", "audiotconv", "stream", "--rate", "8000", "--recipe", str(SMALL)]
    options = {"cwd": ROOT, "stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    done = subprocess.run([*command, "--format", "float32"], cwd=ROOT, input=PCM[0].tobytes(), capture_output=True)
    want = atc.extract(PCM[0], SMALL, sample_rate=8000).values[0]
    assert done.returncode == 0, done.stderr
    np.testing.assert_array_equal(np.frombuffer(done.stdout, "<f4").reshape(-1, len(want)).T, want)
    process = subprocess.Popen(command, **options)
    process.stdin.write(PCM[0].tobytes())
    process.stdin.flush()
    assert json.loads(process.stdout.readline())["values"]  # while the input is still open
    process.stdout.close()
    process.stdin.write(PCM[0].tobytes())
    process.stdin.close()
    assert process.wait(60) == 0, process.stderr.read()
    assert process.stderr.read() == b""
    process.stderr.close()
    process = subprocess.Popen(command, **options)
    process.stdin.write(PCM[0].tobytes())
    process.stdin.flush()
    process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.decode().startswith("audiotconv: stopped;")


def test_ctrl_c_in_any_command_is_said(run, folder, monkeypatch):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("audiotconv.picture.draw", interrupted)
    code, out, error = run("show", folder / "cats" / "a.wav")
    assert (code, out) == (130, "")
    assert error == "audiotconv: stopped\n"


def test_verify(run, folder, tmp_path):
    out = tmp_path / "out"
    assert run("verify", out)[0] == 1
    run("extract", folder, "-o", out, "--recipe", SMALL)
    code, text, _ = run("verify", out)
    assert (code, text.splitlines()[-1]) == (0, "all is well")
    assert f"{out}: 2 rows of" in text
    (shard,) = (out / "run-1").glob("*.parquet")
    shard.write_bytes(b"damaged")
    code, text, error = run("verify", out)
    assert code == 1
    assert "bytes, and the journal says" in error
    assert "2 recordings have to be done again (--repair):" in error
    report = json.loads(run("verify", out, "--json")[1])
    assert len(report["redo"]) == 2
    code, _, error = run("verify", out, "--repair")
    assert (code, "2 recordings have been taken out" in error) == (1, True)
    assert run("verify", out)[0] == 0
    assert run("extract", folder, "-o", out, "--recipe", SMALL)[0] == 0
    assert len(atc.load(out)) == 2


def test_what_a_run_tells(run, folder, tmp_path):
    out = tmp_path / "out"
    for number in range(MOST_LISTED + 2):
        write(folder / f"more{number}.wav", n=N)
    total = MOST_LISTED + 4
    code, text, _ = run("extract", folder, "-o", out, "--recipe", SMALL, "--dry-run")
    assert code == 0
    assert f"{total} of {total} files would be processed, 0 are in" in text
    assert "... and 4 more" in text
    assert not out.exists()
    run("extract", folder, "-o", out, "--recipe", SMALL)
    assert f"({total} were there before)" in run("extract", folder, "-o", out, "--recipe", SMALL)[1]
    (folder / "more3.wav").unlink()
    assert "1 more are in the store" in run("extract", folder, "-o", out, "--recipe", SMALL)[1]
    assert "1 were removed" in run("extract", folder, "-o", out, "--recipe", SMALL, "--prune")[1]
    (tmp_path / "list").write_text(str(folder / "more1.wav"))
    code, text, _ = run("extract", "--files-from", tmp_path / "list", "-o", tmp_path / "other", "--recipe", SMALL)
    assert (code, text.startswith("1 of 1 files")) == (0, True)
