"""The README and the examples are programs: they run, and say what they do."""

from __future__ import annotations

import importlib.util
import io
import os
import re
import runpy
import shutil
import subprocess
import sys

import pytest
from conftest import JIT, ROOT

import audiotconv as atc

README = (ROOT / "README.md").read_text("utf-8")

compiled_only = pytest.mark.skipif(not JIT, reason="examples are written for compiled speed")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.MULTILINE | re.DOTALL)


@compiled_only
def test_the_readmes_python_runs(tmp_path, monkeypatch):
    shutil.copytree(ROOT / "data", tmp_path / "data")
    monkeypatch.chdir(tmp_path)
    programs = blocks("python")
    assert programs
    scope = {}
    for program in programs:
        exec(compile(program, "README.md", "exec"), scope)


@compiled_only
def test_the_readmes_commands_run(tmp_path):
    shutil.copytree(ROOT / "data", tmp_path / "data")
    commands = [line for block in blocks("sh") for line in block.splitlines() if line.startswith("audiotconv ")]
    assert len(commands) >= 5
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    for command in commands:
        command = command.split("#")[0]
        if "/usr/share" in command or " bench " in command:
            continue
        words = command.split()
        if words[1] == "show" and importlib.util.find_spec("matplotlib") is None:
            continue
        done = subprocess.run(
            [sys.executable, "-m", *words], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert done.returncode == 0, (command, done.stderr)


def test_the_readme_names_every_recipe_and_command():
    from audiotconv.cli import app, bench_app

    for name in atc.list_recipes():
        assert f"`{name}`" in README
    for command in app.registered_commands:
        assert f"audiotconv {command.callback.__name__}" in README
    for command in bench_app.registered_commands:
        assert f"audiotconv bench {command.callback.__name__}" in README


def test_links_in_the_readme_lead_somewhere():
    for target in re.findall(r"\]\(([^)#]+)\)", README):
        if not target.startswith("http"):
            assert (ROOT / target).exists(), target


def test_the_changelog_has_this_version():
    assert f"## {atc.__version__}" in (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"version: {atc.__version__}" in (ROOT / "CITATION.cff").read_text("utf-8")


@compiled_only
@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_examples_run(path, monkeypatch, capsys, tmp_path):
    needed = {"picture": "matplotlib", "torch_dataset": "torch", "hugging_face": "datasets"}
    needed |= dict.fromkeys(("comparison", "drums", "spoken_language", "activity"), "sklearn")
    monkeypatch.syspath_prepend(str(path.parent))
    if path.stem in needed:
        pytest.importorskip(needed[path.stem])
    monkeypatch.setattr(sys, "argv", [str(path)])
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path), run_name="__main__")
    said = capsys.readouterr().out
    expected = {
        "live": ["64 bands, latency 17.2 ms", "76 frames"],
        "long_file": ["24.0 h at", "03:00, 11:00, 20:00", "200 frames from 10800.0 s on"],
        "folder": ["40 of 40 recordings", "(40, 64), 10 labels"],
        "onsets": ["24-bit.wav: 0.0", "0.36 s", "0.65 s"],
        "own_njit": ["sine: 1.414", "square wave: 1.0"],
        "picture": ["feature-map.png"],
        "comparison": ["40 spoken digits", "MultiRocket on log-mel", "split by file: leaks"],
        "drums": ["40 samples of 10 classes, 4 kits left out", "statistics + MiniRocket + Hydra"],
        "spoken_language": ["30 prompts of 10 classes", "a voice never heard, 1 prompts"],
        "activity": ["recordings of 4 activities", "1.000  MiniRocket on the waveform"],
        "torch_dataset": ["(8, 80, ", "of other speakers to test on"],
        "hugging_face": ["40 rows of", "(1, 64, ", "label "],
    }[path.stem]
    for words in expected:
        assert words in said
