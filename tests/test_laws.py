"""What convolution and pooling must obey whatever their algorithm: laws over random shapes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import audiotconv as atc
from audiotconv import Geometry

seeds = st.integers(0, 2**32 - 1)
METHODS = ("packed", "rows", "bank", "overlap-save")
DIRECT = METHODS[:3]
EXACT_POOLS = ("max", "min", "mean", "energy", "rms", "ppv", "median", "stats")


@st.composite
def layers(draw, most=9):
    """The parameters of a convolution."""
    return {
        "taps": draw(st.integers(1, most)),
        "stride": draw(st.integers(1, 3)),
        "dilation": draw(st.integers(1, 4)),
        "padding": draw(st.tuples(st.integers(0, 6), st.integers(0, 6))),
    }


def convolution(layer, rng, channels=2, filters=3, **options):
    weight = rng.standard_normal((filters, channels, layer["taps"]))
    shape = {name: layer[name] for name in ("stride", "dilation", "padding")}
    return lambda x: atc.conv1d(x, weight, **shape, **options)


def geometry_of(layer):
    return Geometry.window(layer["taps"], layer["stride"], layer["dilation"], layer["padding"])


@given(layers(), st.sampled_from(METHODS), st.integers(40, 90), seeds)
def test_linearity(layer, method, time, seed):
    rng = np.random.default_rng(seed)
    layer_of = convolution(layer, rng, method=method)
    x, y = rng.standard_normal((2, 2, time))
    np.testing.assert_allclose(layer_of(2.5 * x - y), 2.5 * layer_of(x) - layer_of(y), rtol=0, atol=1e-12)


@given(layers(), st.sampled_from(DIRECT), st.integers(0, 20), st.integers(60, 120), seeds)
def test_translation(layer, method, steps, time, seed):
    """A signal delayed by whole strides gives the same bits, later."""
    rng = np.random.default_rng(seed)
    layer_of = convolution({**layer, "padding": (0, 0)}, rng, method=method)
    x = rng.standard_normal((2, time))
    delay = steps * layer["stride"]
    later = layer_of(np.concatenate([rng.standard_normal((2, delay)), x], axis=1))
    np.testing.assert_array_equal(later[:, steps:], layer_of(x))


@given(layers(), st.sampled_from(DIRECT), st.integers(0, 89), seeds)
def test_locality(layer, method, place, seed):
    """An output changes if, and only if, its receptive field does."""
    rng = np.random.default_rng(seed)
    layer_of = convolution(layer, rng, method=method)
    x = rng.standard_normal((2, 90))
    changed = x.copy()
    changed[:, place] += 1.0
    differs = (layer_of(changed) != layer_of(x)).any(axis=0)
    seen = place + layer["padding"][0] - np.arange(len(differs)) * layer["stride"]
    taps = seen / layer["dilation"]
    np.testing.assert_array_equal(differs, (taps >= 0) & (taps < layer["taps"]) & (taps == np.floor(taps)))


@given(layers(), st.sampled_from(DIRECT), st.integers(0, 89), seeds)
def test_causality(layer, method, place, seed):
    rng = np.random.default_rng(seed)
    layer_of = convolution({**layer, "padding": "causal"}, rng, method=method)
    x = rng.standard_normal((2, 90))
    changed = x.copy()
    changed[:, place:] = rng.standard_normal((2, 90 - place))
    settled = -(-place // layer["stride"])
    np.testing.assert_array_equal(layer_of(changed)[:, :settled], layer_of(x)[:, :settled])


@given(st.lists(layers(most=5), min_size=2, max_size=4), st.integers(0, 199), seeds)
def test_stacked_layers_see_what_their_geometry_says(stack, place, seed):
    """A change reaches exactly frames whose receptive field, composed of the layers', may hold it."""
    rng = np.random.default_rng(seed)
    layer_of = [convolution(layer, rng, channels=1, filters=1) for layer in stack]
    geometry = Geometry.chain(*(geometry_of(layer) for layer in stack))
    x = rng.standard_normal((1, 200))
    changed = x.copy()
    changed[:, place] += 1.0
    before, after = x, changed
    for step in layer_of:
        if before.shape[1] < geometry.span:
            before, after = (np.pad(v, ((0, 0), (0, geometry.span))) for v in (before, after))
        before, after = step(before), step(after)
    for frame in np.flatnonzero((before != after).any(axis=0)).tolist():
        first, stop = geometry.inputs(frame, frame + 1)
        assert first <= place < stop


@given(layers(), st.sampled_from(DIRECT), st.lists(st.integers(1, 60), min_size=1, max_size=6), seeds)
def test_chunks_give_the_bits_of_the_whole(layer, method, sizes, seed):
    rng = np.random.default_rng(seed)
    layer = {**layer, "padding": (0, 0)}
    layer_of = convolution(layer, rng, method=method)
    geometry = geometry_of(layer)
    x = rng.standard_normal((2, geometry.needed(sum(sizes))))
    whole = layer_of(x)
    at = 0
    for size in sizes:
        first, stop = geometry.inputs(at, at + size)
        np.testing.assert_array_equal(layer_of(x[:, first:stop]), whole[:, at : at + size])
        at += size


@pytest.mark.parametrize("how", EXACT_POOLS)
@given(
    size=st.integers(1, 40),
    hop=st.integers(1, 50),
    sizes=st.lists(st.integers(1, 30), min_size=1, max_size=5),
    seed=seeds,
)
def test_pooled_chunks_give_the_bits_of_the_whole(how, size, hop, sizes, seed):
    rng = np.random.default_rng(seed)
    geometry = Geometry.window(size, hop)
    x = rng.standard_normal((1, geometry.needed(sum(sizes)))).astype(np.float32)
    whole = atc.pool1d(x, size, hop, how=how)
    at = 0
    for frames in sizes:
        first, stop = geometry.inputs(at, at + frames)
        np.testing.assert_array_equal(atc.pool1d(x[:, first:stop], size, hop, how=how), whole[..., at : at + frames])
        at += frames


@given(st.integers(1, 30), st.integers(1, 20), st.floats(-50, 50), seeds)
def test_pooling_laws(size, hop, shift, seed):
    """Means and extremes move with the signal, deviations stay; a maximum is a minimum upside down."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((2, 80))
    for how in ("max", "min", "mean", "median"):
        moved = atc.pool1d(x + shift, size, hop, how=how)
        np.testing.assert_allclose(moved, atc.pool1d(x, size, hop, how=how) + shift, rtol=0, atol=1e-12)
    np.testing.assert_allclose(
        atc.pool1d(x + shift, size, hop, how="stats")[:, 1], atc.pool1d(x, size, hop, how="stats")[:, 1], atol=1e-12
    )
    np.testing.assert_array_equal(atc.pool1d(-x, size, hop), -atc.pool1d(x, size, hop, how="min"))
