"""The logarithm in lanes."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from conftest import JIT

from audiotconv.errors import ParameterError
from audiotconv.kernels.log import log_floor
from audiotconv.stages import Log


def test_over_the_whole_range(rng):
    n = 200_001 if JIT else 2_001
    x = np.exp(rng.uniform(np.log(1.2e-38), np.log(3.4e38), n)).astype(np.float32)
    x[: n // 4] = rng.uniform(0.5, 2.0, n // 4)
    x[:6] = [
        1.0,
        np.float32(1.0000001),
        np.float32(0.99999994),
        np.float32(np.sqrt(0.5)),
        2.0,
        np.finfo(np.float32).max,
    ]
    out = np.empty_like(x)
    log_floor(x, np.float32(1.2e-38), np.float32(1.0), out, threads=2)
    want = reference.log(x, 1.2e-38)
    unit = np.spacing(np.maximum(np.abs(want), 0.0).astype(np.float32))
    assert (np.abs(out - want) <= 1.2 * unit).all()
    assert out[0] == 0.0


@pytest.mark.parametrize("n", [0, 1, 3, 4, 15, 16, 17, 33])
def test_every_tail(n, rng):
    x = rng.uniform(0, 2, n + 1).astype(np.float32)[:n]
    whole = np.concatenate([x, np.ones(64, np.float32)])
    stage = Log(("x",), floor=0.5, unit="dB")
    got = stage.run(x.reshape(1, 1, n), 0, n, 1)[0, 0]
    np.testing.assert_array_equal(got, stage.run(whole.reshape(1, 1, -1), 0, n + 64, 1)[0, 0, :n])
    np.testing.assert_allclose(got, reference.log(x, 0.5, 10 / np.log(10)), rtol=3e-7, atol=1e-6)


def test_silence_is_the_floor_and_part_of_the_frames():
    stage = Log(("a", "b"), floor=1e-10, unit="log10")
    x = np.zeros((1, 2, 9), np.float32)
    x[:, :, 4] = [[-1.0, 100.0]]
    got = stage.run(x, 3, 3, 1)
    assert got.shape == (1, 2, 3)
    np.testing.assert_allclose(got[0], [[-10, -10, -10], [-10, 2, -10]], rtol=1e-6)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"floor": 0.0}, "floor is 0.0"),
        ({"floor": -1e-10}, "floor is -1e-10"),
        ({"floor": float("nan")}, "floor is nan"),
        ({"floor": float("inf")}, "floor is inf"),
        ({"floor": True}, "floor is True"),
        ({"floor": "1e-10"}, "floor is '1e-10'"),
        ({"floor": None}, "floor is None"),
        ({"unit": "bel"}, "unit is 'bel'"),
        ({"unit": ["dB"]}, r"unit is \['dB'\]"),
    ],
)
def test_impossible_parameters(parameters, message):
    with pytest.raises(ParameterError, match=message):
        Log(("x",), **parameters)
