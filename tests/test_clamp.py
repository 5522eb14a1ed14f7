"""The range below the loudest value: as Whisper and librosa have it."""

from __future__ import annotations

import numpy as np
import pytest

from audiotconv.errors import ParameterError
from audiotconv.stages import Log, Range


@pytest.fixture
def mel(rng):
    return np.exp(rng.uniform(-30, 3, (1, 80, 50))).astype(np.float32)


def test_as_whisper(mel):
    torch = pytest.importorskip("torch")
    spec = torch.clamp(torch.from_numpy(mel[0]), min=1e-10).log10()
    want = (torch.maximum(spec, spec.max() - 8.0) + 4.0) / 4.0
    log10 = spec.numpy()[None]
    got = Range(tuple("x" * 80), below=8.0, zero=-4.0, scale=0.25).run(log10, 0, 50, 1)
    np.testing.assert_array_equal(got[0], want.numpy())


@pytest.mark.parametrize("top_db", [None, 80.0, 20.0])
@pytest.mark.parametrize("ref", [1.0, 0.25, "max"])
def test_as_librosa(mel, ref, top_db):
    librosa = pytest.importorskip("librosa")
    want = librosa.power_to_db(mel[0], ref=np.max if ref == "max" else ref, top_db=top_db)
    decibels = Log(tuple("x" * 80), floor=1e-10, unit="dB").run(mel, 0, 50, 1)
    stage = Range(tuple("x" * 80), below=top_db, zero=ref if ref == "max" else 10 * np.log10(ref))
    assert stage.whole == (ref == "max" or top_db is not None)
    np.testing.assert_allclose(stage.run(decibels, 0, 50, 1)[0], want, atol=3e-5)


def test_each_channel_has_its_own_loudest_value_and_parts_share_it(mel):
    x = np.log10(np.concatenate([mel, 100 * mel]))
    stage = Range(tuple("x" * 80), below=1.0)
    got = stage.run(x, 0, 50, 1)
    np.testing.assert_array_equal(got[0], stage.run(x[:1], 0, 50, 1)[0])
    memory = stage.begin(2)
    parts = [stage.run(x, start, 10, 1, start, memory) for start in range(0, 50, 10)]
    np.testing.assert_array_equal(np.concatenate(parts, axis=2), got)
    np.testing.assert_array_equal(stage.run(x[..., :0], 0, 0, 1), x[..., :0])


def test_the_input_stays_as_it_is(mel):
    before = mel.copy()
    for stage in (Range(("x",), below=None, scale=2.0), Range(("x",), below=3.0, zero="max", scale=2.0)):
        stage.run(mel, 0, 50, 1)
    np.testing.assert_array_equal(mel, before)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"below": -1.0}, "below is -1.0"),
        ({"below": float("inf")}, "below is inf"),
        ({"below": "80"}, "below is '80'"),
        ({"zero": "min"}, "zero is 'min'"),
        ({"zero": True}, "zero is True"),
        ({"scale": 0}, "scale is 0"),
        ({"scale": None}, "scale is None"),
    ],
)
def test_impossible_parameters(parameters, message):
    with pytest.raises(ParameterError, match=message):
        Range(("x",), **parameters)
