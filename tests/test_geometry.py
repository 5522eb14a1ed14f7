"""The geometry's laws, and its agreement with what real kernels see."""

from __future__ import annotations

import dataclasses
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import audiotconv as atc
from audiotconv.errors import ParameterError
from audiotconv.geometry import Geometry, padding_of


@st.composite
def geometries(draw):
    span = draw(st.integers(1, 12))
    return Geometry(
        span,
        draw(st.integers(1, 6)),
        draw(st.integers(-3, 15)),
        draw(st.integers(-3, 15)),
        draw(st.integers(0, 2 * span)),
    )


lengths = st.integers(0, 120)


@given(geometries(), geometries(), geometries(), lengths)
def test_composition_is_associative(a, b, c, n):
    assert a.then(b).then(c) == a.then(b.then(c)) == Geometry.chain(a, b, c)


@given(geometries(), geometries(), lengths)
def test_composed_counts_are_counts_of_counts(a, b, n):
    assert a.then(b).count(n) == b.count(a.count(n))


@given(geometries())
def test_identity(a):
    assert Geometry().then(a) == a == a.then(Geometry())


@given(geometries(), geometries(), st.integers(0, 9), st.integers(1, 5))
def test_composed_inputs_are_inputs_of_inputs(a, b, start, frames):
    low, high = b.inputs(start, start + frames)
    assert a.then(b).inputs(start, start + frames) == a.inputs(low, high)


@given(geometries(), lengths)
def test_count_never_falls_and_needed_inverts_it(a, n):
    assert a.count(n) <= a.count(n + 1)
    frames = a.count(n)
    assert a.needed(frames) <= n or frames == 0
    if frames:
        assert a.count(a.needed(frames)) >= frames > a.count(a.needed(frames) - 1)


@given(geometries(), lengths, st.integers(0, 50))
def test_ready_frames_are_settled(a, n, more):
    ready = a.ready(n)
    assert ready <= a.count(n + more)
    if ready:
        assert a.inputs(ready - 1, ready)[1] <= n


@given(geometries(), geometries(), st.integers(1, 60), st.integers(1, 48000))
def test_times_follow_from_centres(a, b, n, rate):
    both = a.then(b)
    times = both.times(n, rate)
    assert times.shape == (both.count(n),)
    # The time of a frame of the chain is that of the inner stage's (possibly half-way) frame it is centred on.
    inner = np.arange(both.count(n)) * b.hop - b.lead + b.centre / 2
    np.testing.assert_allclose(times, (inner * a.hop - a.lead + a.centre / 2) / rate, rtol=1e-12, atol=1e-12)


def test_frames_of_whole_windows():
    frames = Geometry(400, 160)
    assert [frames.count(n) for n in (0, 399, 400, 559, 560)] == [0, 0, 1, 1, 2]
    assert frames.latency == 399
    np.testing.assert_allclose(frames.times(560, 16000), [0.01246875, 0.02246875])
    assert frames.times(560, 16000, first=1).tolist() == [0.02246875]
    assert frames.inputs(3, 3) == (480, 480)
    assert frames.needed(0) == 0


def test_causal_has_no_latency_and_the_newest_time():
    causal = Geometry.window(3, dilation=4, padding="causal")
    assert (causal.latency, causal.span, causal.count(7)) == (0, 9, 7)
    assert causal.times(3, 1).tolist() == [0, 1, 2]


class Nine:
    def __index__(self):
        return 9


@pytest.mark.parametrize("nine", [np.int8(9), np.int64(9), np.uint16(9), np.array(9), Nine()])
def test_integers_of_every_kind(nine):
    assert Geometry(nine, nine, nine, nine, nine, nine) == Geometry(9, 9, 9, 9, 9, 9)
    assert all(type(value) is int for value in dataclasses.astuple(Geometry(nine, nine, nine, nine, nine, nine)))
    assert Geometry.window(nine, nine, nine, nine) == Geometry.window(9, 9, 9, 9)
    assert type(Geometry.window(nine, nine, nine, "same").span) is int
    assert padding_of(nine, 5) == padding_of((nine, 9), 5) == (9, 9)
    assert padding_of("same", nine) == (4, 4)


def test_small_integer_types_do_not_overflow():
    assert Geometry.window(np.int8(100), 1, np.int8(100), padding="causal").span == 9901


@pytest.mark.parametrize(
    "fields",
    [
        {"span": 0},
        {"hop": 0},
        {"span": 1.5},
        {"hop": True},
        {"lead": 0.5},
        {"span": 4.0},
        {"trail": np.float64(4)},
        {"centre": np.bool_(True)},
        {"least": "4"},
        {"lead": None},
    ],
)
def test_impossible_fields(fields):
    name, value = next(iter(fields.items()))
    with pytest.raises(ParameterError, match=f"{name} is {re.escape(repr(value))}"):
        Geometry(**fields)


@pytest.mark.parametrize(("name", "value"), [("span", 3.0), ("span", True), ("dilation", 1.5), ("hop", 2.0)])
def test_impossible_windows(name, value):
    with pytest.raises(ParameterError, match=f"{name} is {value!r}"):
        Geometry.window(**{"span": 3, name: value})


@pytest.mark.parametrize("padding", ["full", -1, (1, -1), (1,), (1, 2, 3), 1.5, None, True, (0.5, 1), (True, 1)])
def test_impossible_padding(padding):
    with pytest.raises(ParameterError, match="padding is"):
        padding_of(padding, 5)


@given(
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(1, 4),
    st.one_of(
        st.sampled_from(["valid", "causal", "same"]), st.integers(0, 4), st.tuples(st.integers(0, 4), st.integers(0, 4))
    ),
    st.integers(25, 60),
)
def test_impulses_through_real_kernels(span, stride, dilation, padding, n):
    """What each output of conv1d and pool1d sees is what the geometry says, sample by sample."""
    stride = 1 if padding == "same" else stride
    reach = dilation * (span - 1) + 1
    padding = (
        padding if isinstance(padding, str) else tuple(min(side, reach - 1) for side in padding_of(padding, reach))
    )
    geometry = Geometry.window(span, stride, dilation, padding)
    impulses = np.eye(n, dtype=np.float32)
    through_conv = atc.conv1d(
        impulses[:, None], np.ones((1, 1, span), np.float32), stride=stride, dilation=dilation, padding=padding
    )[:, 0]
    through_pool = atc.pool1d(impulses, span, stride, how="mean", dilation=dilation, padding=padding)
    for seen in (through_conv, through_pool):
        assert seen.shape[1] == geometry.count(n)
        for f in range(seen.shape[1]):
            low, high = geometry.inputs(f, f + 1)
            expected = [i for i in range(low, high, dilation) if 0 <= i < n]
            assert np.flatnonzero(seen[:, f]).tolist() == expected


def test_frames_that_wait_for_what_they_do_not_see():
    """A window in the middle of a longer frame is known when the frame is there, also in a chain."""
    frames = Geometry(span=7, hop=3, trail=-3)
    assert (frames.wait, frames.latency) == (3, 9)
    assert [frames.ready(n) for n in (9, 10, 12, 13)] == [0, 1, 1, 2]
    both = frames.then(Geometry(span=3, hop=1, lead=1, trail=1))
    assert (both.trail, both.wait, both.latency) == (0, 3, 12)
    assert both.then(frames).wait == 3 + 3 * 3
    assert Geometry(span=2, trail=-1, wait=0).latency == 1
