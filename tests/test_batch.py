"""Folder runs: every good file's row, every bad file's reason, and nothing lost of what was there before."""

from __future__ import annotations

import dataclasses
import json
import os
import threading

import numpy as np
import pyarrow.parquet as pq
import pytest
import soundfile
from conftest import BANDS, JIT, SMALL
from sounds import wav_bytes, write

import audiotconv as atc
from audiotconv.batch import sinks, store
from audiotconv.batch.manifest import FAILURES, JOURNAL, MANIFEST
from audiotconv.batch.npy import NpyWriter
from audiotconv.batch.plan import Item, Plan
from audiotconv.errors import AudioFileError, ParameterError, RecipeError, StoreError

N = 2000 if JIT else 500
RECIPE = SMALL


@pytest.fixture
def folder(tmp_path):
    """Three good recordings of different kinds, and some bad ones."""
    top = tmp_path / "in"
    for name in ("cats", "dogs/big"):
        (top / name).mkdir(parents=True)
    write(top / "cats" / "a.wav", n=N)
    write(top / "cats" / "b.flac", n=N + 77, rate=11025, channels=2, seed=1)
    write(top / "dogs" / "big" / "c.WAV", n=N // 2, subtype="FLOAT", seed=2)
    write(top / "dogs" / "empty.wav", n=0)
    (top / "dogs" / "page.wav").write_text("<html>")
    (top / "dogs" / "notes.txt").write_text("not a recording")
    (top / "cats" / "._a.wav").write_bytes(b"resource fork")
    return top


def contents(target):
    """The run's files, without their folder's name and the manifest."""
    return {
        path.relative_to(target).as_posix().partition("/")[2]: path.read_bytes()
        for path in sorted(target.rglob("*"))
        if path.is_file() and path.name not in (MANIFEST, JOURNAL, FAILURES)
    }


@pytest.mark.parametrize("form", ["parquet", "npy"])
def test_a_folder(folder, tmp_path, form):
    out = tmp_path / "out"
    report = atc.extract_folder(folder, out, RECIPE, format=form, label="parent")
    assert (report.files, report.done, len(report.failures)) == (5, 3, 2)
    assert {failure.key: failure.reason for failure in report.failures} == {
        "dogs/empty.wav": "empty",
        "dogs/page.wav": "not audio",
    }
    assert report.audio_seconds == pytest.approx(N / 8000 + (N + 77) / 11025 + (N // 2) / 8000)
    found = atc.load(out)
    assert found.keys == ["cats/a.wav", "cats/b.flac", "dogs/big/c.WAV"]
    assert found.labels == ["cats", "cats", "big"]
    assert len(found) == 3
    assert report.frames == sum(row.values.shape[2] for row in found)
    for row in found:
        want = atc.extract(folder / row.key, RECIPE)
        np.testing.assert_array_equal(row.values, want.values)
        assert row.sample_rate == want.sample_rate
        assert row.duration == pytest.approx(soundfile.info(str(folder / row.key)).duration)
        assert row.path == str(folder / row.key)
    assert found[1].key == "cats/b.flac"
    assert found.recipe["hash"] == atc.get_recipe(RECIPE).hash
    assert {failure["key"] for failure in found.failures} == {"dogs/empty.wav", "dogs/page.wav"}
    assert not [name for name in os.listdir(out) if name.startswith(".")]
    assert json.dumps(report.to_dict())


@pytest.mark.parametrize("form", ["parquet", "npy"])
def test_the_store_does_not_depend_on_the_workers(folder, tmp_path, form):
    stores = []
    for workers in (1, 2, 7):
        out = tmp_path / f"out{workers}"
        atc.extract_folder(folder, out, RECIPE, workers=workers, format=form)
        stores.append(contents(out))
    assert stores[0] == stores[1] == stores[2]


def test_parquet_for_others(folder, tmp_path):
    out = tmp_path / "out"
    atc.extract_folder(folder, out, RECIPE, channels="mono")
    table = pq.read_table(out / "run-1" / "features-000000.parquet")
    assert table.column_names == store.SCHEMAS["parquet"].names
    assert pq.read_table(out / "run-1").num_rows == table.num_rows  # the whole folder, as pandas and others do
    row = table.to_pylist()[1]
    assert row["key"] == "cats/b.flac"
    assert row["recipe"] == "small"
    assert row["label"] is None
    assert row["shape"] == [1, BANDS, -(-(N + 77) // 110)]
    assert len(row["values"]) == np.prod(row["shape"])


@pytest.mark.parametrize("form", ["parquet", "npy"])
def test_long_recordings_are_written_as_they_come(folder, tmp_path, form, monkeypatch):
    """With tiny limits every file is long, and blocks do not match rows; what is read back is the same."""
    monkeypatch.setattr(sinks, "ROW_VALUES", BANDS * 7)
    monkeypatch.setattr(store, "_GROUP_VALUES", BANDS * 20)
    monkeypatch.setattr("audiotconv.audio.reader.DECODED_VALUES", 10)  # at least 4,096 samples
    write(folder / "cats" / "long.wav", n=3 * 4096 + 5, channels=1, seed=5)
    out = tmp_path / "out"
    report = atc.extract_folder(folder, out, RECIPE, format=form)
    assert report.done == 4
    assert not list(out.rglob("*.tmp"))
    found = atc.load(out)
    for row in found:
        np.testing.assert_array_equal(row.values, atc.extract(folder / row.key, RECIPE).values)
        assert row.duration == pytest.approx(soundfile.info(str(folder / row.key)).duration)
    if form == "parquet":
        rows = pq.read_table(out / "run-1" / "features-000002.parquet").to_pylist()
        assert [row["key"] for row in rows] == ["cats/long.wav"] * len(rows)
        assert len(rows) > 10
        assert [row["part"] for row in rows] == list(range(len(rows)))
        assert [row["first_frame"] for row in rows] == [7 * part for part in range(len(rows))]


@pytest.mark.parametrize("form", ["parquet", "npy"])
@pytest.mark.parametrize("duration", [None, 0.13])
@pytest.mark.parametrize("row", [2, 1000])
def test_a_recipe_with_a_sample_rate(folder, tmp_path, form, duration, row, monkeypatch):
    monkeypatch.setattr(sinks, "ROW_VALUES", BANDS * 2 * row)  # frames of two channels
    recipe = dataclasses.replace(atc.get_recipe(RECIPE), sample_rate=8000, duration=duration)
    report = atc.extract_folder(folder, tmp_path / "out", recipe, format=form)
    assert report.resampled == {11025: 1}
    assert json.loads(json.dumps(report.to_dict()))["resampled"] == {"11025": 1}
    manifest = json.loads((tmp_path / "out" / MANIFEST).read_text())
    assert manifest["recipe"]["sample_rate"] == 8000
    assert manifest["recipe"].get("duration") == duration
    found = atc.load(tmp_path / "out")
    assert [row.sample_rate for row in found] == [8000, 11025, 8000]
    for row in found:
        want = atc.extract(folder / row.key, recipe)
        np.testing.assert_array_equal(row.values, want.values)
        seconds = soundfile.info(str(folder / row.key)).duration
        assert row.duration == pytest.approx(min(seconds, duration or seconds))
    assert not atc.extract_folder(folder, tmp_path / "plain", RECIPE).resampled


def test_a_rate_too_far_from_the_recipes_sets_a_file_aside(folder, tmp_path):
    write(folder / "slow.wav", n=200, rate=60)
    recipe = dataclasses.replace(atc.get_recipe(RECIPE), sample_rate=16000)
    report = atc.extract_folder(folder, tmp_path / "out", recipe)
    assert report.done == 3
    failure = next(failure for failure in report.failures if failure.key == "slow.wav")
    assert failure.reason == "unsupported"
    assert "60 Hz cannot be resampled to 16000 Hz" in failure.message


def test_shards_are_closed_when_full(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(sinks, "SHARD_VALUES", 3)
    out = tmp_path / "out"
    atc.extract_folder(folder, out, RECIPE)
    assert sorted(name for name in contents(out)) == [f"features-00000{n}.parquet" for n in range(3)]
    assert len(atc.load(out)) == 3


@pytest.mark.parametrize("form", ["parquet", "npy"])
def test_a_long_recording_that_turns_out_bad_leaves_nothing(tmp_path, form, monkeypatch):
    monkeypatch.setattr(sinks, "ROW_VALUES", BANDS * 7)
    monkeypatch.setattr("audiotconv.audio.reader.DECODED_VALUES", 10)
    top = tmp_path / "in"
    top.mkdir()
    wave = np.zeros(4 * 4096)
    wave[-1] = np.nan
    soundfile.write(top / "bad.wav", wave, 8000, "FLOAT")
    write(top / "good.wav", n=N)
    out = tmp_path / "out"
    report = atc.extract_folder(top, out, RECIPE, format=form)
    assert [failure.reason for failure in report.failures] == ["non-finite"]
    assert [row.key for row in atc.load(out)] == ["good.wav"]
    assert len(contents(out)) == (1 if form == "parquet" else 2)


def test_a_second_run_replaces_the_first(folder, tmp_path):
    out = tmp_path / "out"
    atc.extract_folder(folder, out, RECIPE, format="npy")
    atc.extract_folder(folder, out, RECIPE)
    assert sorted(contents(out)) == ["features-000000.parquet"]
    assert sorted(os.listdir(out)) == [MANIFEST, FAILURES, "run-2"]
    with pytest.raises(
        ParameterError, match=r"holds recordings below .*in, and these are below .*dogs; choose another"
    ):
        atc.extract_folder(folder / "dogs", out, RECIPE)
    assert atc.extract_folder(folder / "dogs" / "big", out, RECIPE, overwrite=True).done == 1
    assert atc.load(out).keys == ["c.WAV"]
    assert sorted(os.listdir(out)) == [MANIFEST, "run-3"]


def test_a_run_that_fails_leaves_the_store_as_it_was(folder, tmp_path, monkeypatch):
    out = tmp_path / "out"
    atc.extract_folder(folder, out, RECIPE)
    before = contents(out)

    def full(*args, **options):
        raise OSError(28, "No space left on device")

    for place in ("audiotconv.batch.store.pq.ParquetWriter.write_table", "os.fsync"):
        with monkeypatch.context() as patch:
            patch.setattr(place, full)
            with pytest.raises(StoreError, match="No space left on device"):
                atc.extract_folder(folder, out, RECIPE, overwrite=True)
        assert atc.load(out).keys == ["cats/a.wav", "cats/b.flac", "dogs/big/c.WAV"]
    with monkeypatch.context() as patch:
        patch.setattr("os.fsync", full)
        with pytest.raises(StoreError, match="No space left on device"):
            atc.extract_folder(folder, out, RECIPE, format="npy")
    assert len(list(atc.load(out))) == 3
    assert atc.extract_folder(folder, out, RECIPE).done == 3
    assert {name: content for name, content in contents(out).items() if name in before} == before
    assert not [name for name in os.listdir(out) if name.startswith(".")]


def test_stopped_by_the_user(folder, tmp_path):
    out = tmp_path / "out"
    atc.extract_folder(folder, out, RECIPE)
    before = contents(out)

    def stop(state, asked=[]):  # noqa: B006
        if not asked:
            asked.append(True)
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt, match=r"the same command goes on with the rest"):
        atc.extract_folder(folder, out, RECIPE, format="npy", progress=stop)
    assert atc.load(out).format == "parquet"
    assert {name: content for name, content in contents(out).items() if name in before} == before
    assert atc.extract_folder(folder, out, RECIPE, format="npy").done == 3
    assert atc.load(out).format == "npy"
    assert sorted(os.listdir(out)) == [MANIFEST, FAILURES, "run-2"]


def test_progress_adds_up(folder, tmp_path):
    seen = []
    atc.extract_folder(
        folder,
        tmp_path / "out",
        RECIPE,
        progress=lambda state: seen.append((state.files_done, state.bytes_done, state.bytes)),
    )
    assert seen[-1][0] == 5
    assert seen[-1][1] == pytest.approx(seen[-1][2])
    assert sorted(seen) == seen


def test_what_is_not_a_store_is_not_touched(folder, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "thesis.txt").write_text("years of work")
    with pytest.raises(ParameterError, match=r"neither empty nor a feature store \(it holds 'thesis.txt'"):
        atc.extract_folder(folder, out, RECIPE)
    assert os.listdir(out) == ["thesis.txt"]
    with pytest.raises(StoreError, match="cannot be written"):
        atc.extract_folder(folder, out / "thesis.txt", RECIPE)
    with pytest.raises(StoreError, match="not a feature store"):
        atc.load(out)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ('{"store": "audiotconv", "folder": "../victim"}', "its folder is '../victim'"),
        ("{", "damaged"),
        ("[]", "not the manifest"),
        ('{"store": "other"}', "not the manifest"),
    ],
)
def test_damaged_manifests(tmp_path, content, message):
    (tmp_path / MANIFEST).write_text(content)
    with pytest.raises(StoreError, match=message):
        atc.load(tmp_path)


def test_damaged_shards(folder, tmp_path):
    out = tmp_path / "out"
    atc.extract_folder(folder, out, RECIPE)
    (out / "run-1" / "features-000000.parquet").write_bytes(b"PAR1 but no more")
    with pytest.raises(StoreError, match="cannot be read"):
        atc.load(out)


def test_unexpected_errors_are_one_files(folder, tmp_path, monkeypatch):
    from audiotconv.audio import AudioReader

    original = AudioReader.finish
    for error, reason in ((MemoryError(), "too large"), (ZeroDivisionError("oops"), "internal error")):

        def finish(self, error=error):
            if self.name.endswith("a.wav"):
                raise error
            original(self)

        monkeypatch.setattr(AudioReader, "finish", finish)
        report = atc.extract_folder(folder, tmp_path / "out", RECIPE, overwrite=True)
        assert report.done == 2
        assert reason in {failure.reason for failure in report.failures}


def test_recipes_that_do_not_fit_a_file_set_it_aside(folder, tmp_path):
    write(folder / "slow.wav", n=N, rate=100)
    report = atc.extract_folder(folder, tmp_path / "out", RECIPE)
    assert report.done == 3
    assert "bands reach up to 45 Hz" in report.failures[-1].message


def test_strict_sets_truncated_files_aside(tmp_path):
    top = tmp_path / "in"
    top.mkdir()
    (top / "a.wav").write_bytes(wav_bytes(b"\1\0" * N, declared=4 * N))
    report = atc.extract_folder(top, tmp_path / "out", RECIPE)
    assert report.done == 1
    assert "is truncated" in report.warnings[0]
    report = atc.extract_folder(top, tmp_path / "strict", RECIPE, strict=True)
    assert [failure.reason for failure in report.failures] == ["truncated"]
    assert len(atc.load(tmp_path / "strict")) == 0


def planned(inputs):
    items = list(Plan(inputs))
    assert all(isinstance(item, Item) for item in items)
    return sorted(items, key=lambda item: item.key)


def test_plan_of_files_and_folders(folder, tmp_path):
    keys = [item.key for item in planned([folder])]
    assert keys == ["cats/a.wav", "cats/b.flac", "dogs/big/c.WAV", "dogs/empty.wav", "dogs/page.wav"]
    assert [item.key for item in planned([folder / "cats" / "a.wav"])] == ["a.wav"]
    assert [item.key for item in planned([folder / "cats", folder / "dogs" / "notes.txt", folder / "cats"])] == [
        "cats/a.wav",
        "cats/b.flac",
        "dogs/notes.txt",
    ]
    assert list(Plan([])) == []
    assert planned([folder / "cats" / "a.wav"])[0].folder == "cats"
    os.symlink(folder, folder / "cats" / "again")
    os.symlink("loop", folder / "loop")
    os.symlink("nowhere.wav", folder / "dangling.wav")
    found = planned([folder])
    assert len({os.path.realpath(item.path) for item in found}) == len(found) == 6
    assert found[-3].key in keys
    assert [item.size for item in found if item.key == "dangling.wav"] == [0]


def test_odd_names(tmp_path):
    top = tmp_path / "in"
    top.mkdir()
    names = [
        b"line\nbreak.wav",
        b"qu'ote\".wav",
        b"\xff\xfe.wav",
        "ünï.wav".encode(),
        "e\u0301.wav".encode(),
        "\u00e9.wav".encode(),
        rb"\xff\xfe.wav",
    ]
    for name in names:
        with open(os.fsencode(top) + b"/" + name, "wb") as file:
            file.write(wav_bytes(b"\1\0" * 200))
    for form in ("parquet", "npy"):
        report = atc.extract_folder(top, tmp_path / form, RECIPE, format=form)
        assert report.done == len(names)
        found = atc.load(tmp_path / form)
        assert "line\nbreak.wav" in found.keys
        assert {r"\xff\xfe.wav", r"\xff\xfe.wav~2"} <= set(found.keys)
        assert all(row.values.shape == (1, BANDS, 3) for row in found)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"format": "csv"}, ParameterError, "format is 'csv'; it must be one of parquet, npy"),
        ({"channels": "left"}, ParameterError, "channels is 'left'"),
        ({"label": "file"}, ParameterError, "label is 'file'"),
        ({"workers": 0}, ParameterError, "workers is 0"),
        ({"recipe": "none"}, RecipeError, "no recipe 'none'"),
        ({"source": "nowhere"}, AudioFileError, "nowhere does not exist"),
    ],
)
def test_wrong_use(folder, tmp_path, arguments, error, message):
    with pytest.raises(error, match=message):
        atc.extract_folder(**{"source": folder, "target": tmp_path / "out", "recipe": RECIPE, **arguments})
    assert not (tmp_path / "out").exists()


def test_no_recordings(tmp_path):
    (tmp_path / "in").mkdir()
    with pytest.raises(AudioFileError, match="no sound file was found in"):
        atc.extract_folder(tmp_path / "in", tmp_path / "out", RECIPE)


def test_npy_files_grow_and_shrink(tmp_path, rng):
    for expected in (0, 3, 10, 50, 2**50):  # headers lie
        blocks = [rng.standard_normal((2, 3, n)).astype(np.float32) for n in (1, 4, 0, 5)]
        writer = NpyWriter(tmp_path / "a.npy", (2, 3), expected)
        for block in blocks:
            writer.add(block)
        writer.close()
        np.testing.assert_array_equal(np.load(tmp_path / "a.npy"), np.concatenate(blocks, axis=2))


def test_runs_side_by_side(folder, tmp_path):
    """Two runs in two threads of one process, each with threads of its own."""
    failures = []

    def run(number):
        try:
            assert atc.extract_folder(folder, tmp_path / f"out{number}", RECIPE).done == 3
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


def test_a_run_in_which_all_fails_does_not_replace_a_store(folder, tmp_path):
    out = tmp_path / "out"
    atc.extract_folder(folder, out, RECIPE)
    before = contents(out)
    with pytest.raises(StoreError, match="none of the 1 recordings"):
        atc.extract_folder(folder / "dogs" / "page.wav", out, RECIPE, overwrite=True)
    assert contents(out) == before
    assert len(atc.load(out)) == 3


@pytest.mark.parametrize("limit", [400_000_000, 1e16, "400 MB", "0.4GB", "400M", "390 MiB", "400000 KiB", "2gb"])
def test_a_limit_of_memory(folder, tmp_path, limit):
    report = atc.extract_folder(folder, tmp_path / "out", RECIPE, max_memory=limit)
    assert report.done == 3


@pytest.mark.parametrize(
    "limit", [0, -1, "much", "1 MB", True, "1e9", float("inf"), float("nan"), "500000000iB", "9" * 400]
)
def test_impossible_limits_of_memory(folder, tmp_path, limit):
    with pytest.raises(ParameterError, match=r"max_memory is .* of at least 225 MB"):
        atc.extract_folder(folder, tmp_path / "out", RECIPE, max_memory=limit)


def test_recordings_that_would_take_too_much(folder, tmp_path, monkeypatch):
    """Only where a stage needs the whole: what streams takes as much for a long recording as for a short one."""
    monkeypatch.setattr("audiotconv.batch.run._EACH", 1e3)
    monkeypatch.setattr("audiotconv.batch.work._COPIES", 1e6)
    options = {"max_memory": int(190e6 + 1e6), "workers": 1}
    assert atc.extract_folder(folder, tmp_path / "out", RECIPE, **options).done == 3
    whole = atc.Recipe.from_dict(
        {
            "name": "whole",
            "version": 1,
            "stage": [
                {"kind": "spectrum", "window": "hann", "length": "25 ms", "hop": "10 ms"},
                {"kind": "normal", "mode": "utterance"},
            ],
        }
    )
    report = atc.extract_folder(folder, tmp_path / "other", whole, **options)
    assert {failure.reason for failure in report.failures} == {"empty", "not audio", "too large"}
    message = next(failure.message for failure in report.failures if failure.reason == "too large")
    assert "as stage normal of recipe whole needs it whole" in message


def test_values_of_an_npy_store_are_mapped(folder, tmp_path, monkeypatch):
    monkeypatch.setattr("audiotconv.batch.reading._MAPPED", 1)
    atc.extract_folder(folder, tmp_path / "out", RECIPE, format="npy")
    values = atc.load(tmp_path / "out")[0].values
    assert not values.flags.writeable
    assert not values.flags.owndata
