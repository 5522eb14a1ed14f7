"""The rolling buffer holds what it says, in memory that never grows."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from audiotconv import SequentialBuffer
from audiotconv.errors import ParameterError
from audiotconv.stages.buffer import in_storage


@given(st.integers(0, 3000), st.lists(st.integers(0, 2500), max_size=20), st.sampled_from([(1,), (2, 3), (40,)]))
def test_what_is_held_is_the_end_of_what_came(size, chunks, shape):
    x = np.random.default_rng(0).standard_normal((*shape, sum(chunks))).astype(np.float32)
    buffer = SequentialBuffer(shape, size)
    stored = buffer._store.nbytes
    at = 0
    for chunk in chunks:
        before = min(at, size)
        seen = buffer.push(x[..., at : at + chunk])
        np.testing.assert_array_equal(seen, x[..., at - before : at + chunk])
        rows, begin = in_storage(seen)
        assert rows.flags.c_contiguous
        np.testing.assert_array_equal(rows[..., begin : begin + seen.shape[-1]], seen)
        at += chunk
        assert buffer.total == at
        np.testing.assert_array_equal(buffer.held, x[..., max(0, at - size) : at])
    assert buffer._store.nbytes == stored
    other = SequentialBuffer(shape, size)
    other.restore(buffer.held.copy(), buffer.total)
    more = np.ones((*shape, 5), np.float32)
    np.testing.assert_array_equal(other.push(more), buffer.push(more))
    buffer.clear()
    assert buffer.total == buffer.held.shape[-1] == 0


def test_little_chunks_are_not_copied():
    buffer = SequentialBuffer(2, 100)
    buffer.push(np.zeros((2, 100), np.float32))
    for _ in range(50):
        seen = buffer.push(np.zeros((2, 7), np.float32))
        assert seen.base is buffer._store


def test_wrong_use():
    with pytest.raises(ParameterError, match="size is -1"):
        SequentialBuffer(1, -1)
    with pytest.raises(ParameterError, match=r"shape is 1\.5"):
        SequentialBuffer(1.5, 1)
    with pytest.raises(ParameterError, match="more than memory can hold"):
        SequentialBuffer(1 << 20, 1 << 39)
    for kind in ("foo", object):
        with pytest.raises(ParameterError, match="a type of numbers"):
            SequentialBuffer(1, 2, kind)
    assert SequentialBuffer(1, 2).push(np.ones((1, 1), np.float32)).tolist() == [[1.0]]
    buffer = SequentialBuffer(2, 3)
    with pytest.raises(ParameterError, match="total is 'x'"):
        buffer.restore(np.zeros((2, 2), np.float32), "x")
    with pytest.raises(ParameterError, match=r"float32 \(3, 4\); it must be float32 \(2, time\)"):
        buffer.push(np.zeros((3, 4), np.float32))
    with pytest.raises(ParameterError, match="a chunk is float64"):
        buffer.push(np.zeros((2, 4)))
    with pytest.raises(ParameterError, match=r"of 7 values; it must be float32 \(2, 3\)"):
        buffer.restore(np.zeros((2, 2), np.float32), 7)


def test_arrays_that_are_no_view_of_a_storage():
    x = np.arange(24.0).reshape(2, 3, 4)
    for view in (x[:, :, ::2], x[:, ::2], x.transpose(0, 2, 1), np.broadcast_to(x[:, :, :1], x.shape)):
        rows, begin = in_storage(view)
        np.testing.assert_array_equal(rows[..., begin : begin + view.shape[-1]], view)
