"""The contract that every recipe and stage keeps: the same bits however the signal arrives, and true geometry.

New stages join by their recipes being listed, or by an entry in STAGES.
"""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from conftest import JIT
from hypothesis import given, settings
from hypothesis import strategies as st

import audiotconv as atc
from audiotconv.audio import as_samples
from audiotconv.extraction import feature_blocks
from audiotconv.filters import FilterBank, NineTapBank, gabor_bank, gammatone_bank, sinc_bank
from audiotconv.filters.nine_taps import dilations_for
from audiotconv.kernels.bank import BAND_GROUP, ROWS
from audiotconv.stages import (
    Bands,
    BankEnergy,
    Chain,
    Conv1d,
    Deltas,
    Flow,
    FrameStage,
    GaussianPool,
    Log,
    MeanVariance,
    MiniRocketClip,
    MiniRocketMap,
    Pcen,
    Pool1d,
    Range,
    Residual,
    Samples,
    SpectralShape,
    Spectrum,
    Stack,
    Statistics,
    Waveform,
)


def taps_bank(channels, length):
    """Kernels for MiniRocket with a limit each."""
    rng = np.random.default_rng(length)
    dilations, features = dilations_for(length, 84 * 2, 2)
    counts = np.resize([1, min(2, channels)], len(dilations) * 84)
    limits = rng.uniform(-2, 2, 84 * features.sum()).astype(np.float32)
    return NineTapBank(channels, dilations, features, counts, rng.integers(0, channels, counts.sum()), limits)


def small_bank(bands, span, advance, is_complex, seed=0):
    rng = np.random.default_rng(seed)
    taps = rng.standard_normal((bands, span)) + (1j * rng.standard_normal((bands, span)) if is_complex else 0)
    return FilterBank(taps, np.arange(bands) + 1.0, np.ones(bands), 1000, advance)


def chain_of(bank, **sizes):
    energy = BankEnergy(bank, **sizes)
    return Chain([energy, Log(energy.features)])


def chain_with(*steps, log=True):
    """A small bank's energies, or their logarithms, and stages made by functions of the features' names."""
    stages = [BankEnergy(small_bank(3, 4, 0, False), window=6, hop=3)]
    for step in (*([Log] if log else []), *steps):
        stages.append(step(stages[-1].features))
    return Chain(stages)


def spectra(length, hop, bands=0, log=False, **options):
    """Windows without zeros, so that frames see all of their span."""
    window = np.random.default_rng(length).uniform(0.5, 1.0, length)
    stages = [Spectrum(window, hop, sample_rate=1000, **options)]
    if bands:
        weights = np.random.default_rng(1).uniform(0.1, 1.0, (bands, len(stages[0].features)))
        stages.append(Bands(weights, tuple(f"band {number}" for number in range(bands))))
    if log:
        stages.append(Log(stages[-1].features))
    return Chain(stages)


CHAINS = {
    "whole windows": lambda: chain_of(small_bank(3, 7, 0, False), window=12, hop=6),
    "windows of two and a half hops, strided": lambda: chain_of(small_bank(5, 9, 4, True), window=20, hop=8, stride=2),
    "windows of one hop": lambda: chain_of(small_bank(BAND_GROUP + 1, 4, 3, True), window=5, hop=5),
    "gammatone": lambda: chain_of(gammatone_bank(4, sample_rate=1000, fmin=100, fmax=450), window=25, hop=10, stride=5),
    "gabor": lambda: chain_of(gabor_bank(3, sample_rate=1000, fmin=100, fmax=450), window=30, hop=10, stride=2),
    "power, centred": lambda: spectra(16, 4),
    "power, reflected": lambda: spectra(10, 3, n_fft=12, pad="reflect"),
    "magnitude, mirrored, mean removed": lambda: spectra(9, 4, framing="round", pad="symmetric", remove_mean=True),
    "complex, snipped, dithered": lambda: spectra(8, 5, n_fft=16, framing="snip", values="complex", dither=0.1),
    "energy, pre-emphasis": lambda: spectra(7, 3, framing="valid", energy="raw", preemphasis=0.5, drop_last=True),
    "bands of a spectrum": lambda: spectra(20, 10, bands=3),
    "logarithms of bands, edge": lambda: spectra(15, 20, n_fft=21, pad="edge", bands=4, log=True),
    "sinc": lambda: chain_of(sinc_bank(3, sample_rate=1000, fmin=100, fmax=450, span=21), window=25, hop=10),
    "deltas": lambda: chain_with(Deltas),
    "deltas as HTK's, twice": lambda: chain_with(
        partial(Deltas, window=1, edges="htk", order=3), partial(Deltas, window=1, edges="htk", statics=False)
    ),
    "deltas as librosa's": lambda: chain_with(partial(Deltas, kind="savgol", edges="interp")),
    "pcen as librosa's": lambda: chain_with(partial(Pcen, smoothing=0.05), log=False),
    "pcen as LEAF's, deltas": lambda: chain_with(
        partial(Pcen, smoothing=(0.04, 0.3, 1.0), gain=0.96, power=(0.5, 0.4, 0.3), initial="first"), Deltas, log=False
    ),
    "utterance CMVN": lambda: chain_with(MeanVariance, partial(Deltas, window=1)),
    "sliding CMVN": lambda: chain_with(partial(MeanVariance, mode="sliding", window=8, least=3, variance=False)),
    "centred CMVN": lambda: chain_with(partial(MeanVariance, mode="sliding", window=7, centre=True)),
    "given CMVN": lambda: chain_with(partial(MeanVariance, mode="given", mean=(1, 2, 3), std=(4, 5, 6))),
    "range of the signal": lambda: chain_with(partial(Range, below=2.0, zero="max"), partial(Range, below=1.0)),
    "shape": lambda: chain_with(partial(SpectralShape, frequencies=(100, 150, 300), n_bands=1), log=False),
    "shape without flux": lambda: chain_with(
        partial(SpectralShape, frequencies=(1, 2, 3), measures=("bandwidth", "flatness")), log=False
    ),
    "gaussian pool": lambda: chain_with(partial(GaussianPool, size=7, hop=3)),
    "waveform": lambda: Chain([Waveform(window=11, hop=4)]),
    "minirocket along samples": lambda: Chain([Samples(), MiniRocketMap(("sample",), taps_bank(1, 9), 12, 4)]),
    "minirocket along frames": lambda: chain_with(lambda names: MiniRocketMap(names, taps_bank(3, 17), 5, 3)),
    "waveform, its deltas": lambda: Chain(
        [Waveform(("rms", "log_energy"), window=6, hop=6, centre=False), Deltas(("a", "b"), window=1)]
    ),
}


def weights(*shape):
    rng = np.random.default_rng(shape)
    return rng.standard_normal(shape) / np.sqrt(shape[1] * shape[2])


def conv(filters, inputs, taps, **options):
    return Conv1d(weights(filters, inputs, taps), weights(filters, 1, 1)[:, 0, 0], **options)


def pooling(how, **options):
    options = {"size": 6, "hop": 3, **options}
    return Chain([conv(3, 1, 4, stride=2), Pool1d(3, how=how, **options)])


def residual_stack():
    return Stack(
        [
            conv(20, 1, 5, stride=2, padding=2, activation="relu"),
            Residual([conv(20, 20, 3, dilation=4, padding="same"), conv(20, 20, 3, padding="causal")]),
            Residual([conv(6, 20, 3, stride=2, padding=1)], [conv(6, 20, 1, stride=2)], activation="tanh"),
            Pool1d(6, 4, 2, how="mean", padding=1),
            conv(4, 6, 4, activation="gelu"),
        ]
    )


LAYERS = {
    "conv, valid": lambda: Chain([conv(9, 1, 5), conv(4, 9, 3, activation="silu")]),
    "conv, causal and dilated": lambda: Chain(
        [conv(8, 1, 3, padding="causal"), conv(8, 8, 3, dilation=5, padding="causal", activation="relu")]
    ),
    "conv, padded and strided": lambda: Chain([conv(33, 1, 7, stride=3, padding=(9, 5)), conv(5, 33, 4, stride=2)]),
    "conv, reflect": lambda: Chain([conv(4, 1, 6, stride=2, padding=(5, 3), pad_mode="reflect")]),
    "conv of features, reflect": lambda: Chain([conv(4, 1, 2), conv(3, 4, 5, padding=2, pad_mode="reflect")]),
    "conv, edge": lambda: Chain([conv(4, 1, 6, padding=(2, 7), pad_mode="edge"), conv(2, 4, 3)]),
    "conv, depthwise": lambda: Chain([conv(6, 1, 3), conv(12, 1, 5, groups=6, dilation=2, padding="same")]),
    "conv, bank": lambda: Chain([conv(40, 1, 30, stride=10, activation="squared_modulus")]),
    "conv, overlap-save": lambda: Chain([conv(2, 1, 90, method="overlap-save"), conv(3, 2, 2)]),
    "conv, overlap-save, strided, edge": lambda: Chain(
        [conv(2, 1, 40, stride=3, padding=4, pad_mode="edge", method="overlap-save")]
    ),
    "conv, overlap-save, strided, reflect": lambda: Chain(
        [conv(2, 1, 9, stride=2, padding=(8, 3), pad_mode="reflect", method="overlap-save")]
    ),
    "conv, overlap-save, strided": lambda: Chain(
        [conv(3, 1, 4), conv(2, 3, 70, stride=3, padding=20, method="overlap-save", activation="relu")]
    ),
    "pool, max": lambda: pooling("max", padding=2, dilation=2, size=3),
    "pool, mean": lambda: pooling("mean", size=40, hop=2, padding=7),
    "pool, mean of what is there": lambda: pooling("mean", padding=3, count_include_pad=False),
    "pool, rms": lambda: pooling("rms", size=20, hop=4),
    "pool, lp": lambda: pooling("lp", p=3.0),
    "pool, ppv": lambda: pooling("ppv", size=12, hop=1, padding="same"),
    "pool, stats": lambda: pooling("stats", size=30, hop=5, ddof=1),
    "pool, median": lambda: pooling("median", padding=1),
    "pool, attention": lambda: pooling("attention", scores=1),
    "stack with residuals": lambda: Chain([residual_stack()]),
    "residual that looks ahead": lambda: Chain([Residual([conv(1, 1, 9, padding=4)], activation="relu")]),
    "residual after a stage with a memory": lambda: chain_with(
        partial(Pcen, smoothing=0.05), lambda names: Residual([conv(3, 3, 4, padding="causal")]), log=False
    ),
}
CHAINS |= LAYERS
if JIT:
    CHAINS |= {name: lambda name=name: atc.get_recipe(name).build(8000) for name in atc.list_recipes()}


@pytest.fixture(params=CHAINS, ids=str)
def chain(request):
    return CHAINS[request.param]()


def is_whole(chain):
    return any(stage.whole for stage in chain.stages)


def remembers(chain):
    return any(isinstance(stage, FrameStage) and stage.begin(1) is not None for stage in chain.stages)


def has_borders(chain):
    return any(isinstance(stage, FrameStage) and stage.border for stage in chain.stages)


def by_groups(chain):
    return any(isinstance(stage, FrameStage) and stage.group > 1 for stage in chain.stages)


def signal_of(seed, channels, n, dtype):
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((channels, n))
    return (
        noise.astype(np.float32)
        if dtype == "float32"
        else (noise * 3000 * (1 << 16 if dtype == "int32" else 1)).astype(dtype)
    )


def joined(chain, blocks, channels, **options):
    empty = np.empty((channels, len(chain.features), 0), np.float32)
    return np.concatenate([empty, *feature_blocks(chain, blocks, **options)], axis=2)


@settings(max_examples=25 if JIT else 4)
@given(data=st.data())
def test_whole_is_blocks_is_stream_on_any_number_of_threads(chain, data):
    geometry = chain.geometry
    edges = [0, 1, geometry.span - 1, geometry.span, geometry.span + 1]
    edges += [geometry.hop * tile + more for tile in (ROWS, 16, 48) for more in (-1, 0, 1)]  # frames computed together
    n = data.draw(st.one_of(st.sampled_from(edges), st.integers(0, 6 * geometry.span)), label="samples")
    channels = data.draw(st.sampled_from([1, 2, 8]), label="channels")
    dtype = data.draw(st.sampled_from(["int16", "int32", "float32"]), label="dtype")
    x = signal_of(data.draw(st.integers(0, 99)), channels, n, dtype)
    whole = joined(chain, [x], channels, threads=1)
    assert whole.shape == (channels, len(chain.features), geometry.count(n))
    assert np.isfinite(whole).all()
    np.testing.assert_array_equal(joined(chain, [x], channels, threads=2), whole)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=12), label="cuts"))
    pieces = [x[:, a:b] for a, b in zip([0, *cuts], [*cuts, n], strict=True)]
    np.testing.assert_array_equal(joined(chain, pieces, channels, threads=1), whole)
    np.testing.assert_array_equal(joined(chain, [x[:, [0]], x[:, 1:]] if n else [], channels, threads=2), whole)
    for channel in range(channels):
        np.testing.assert_array_equal(joined(chain, [x[[channel]]], 1, threads=1)[0], whole[channel])


@pytest.mark.skipif(not JIT, reason="long signals")
@pytest.mark.parametrize("size", [1009, 4099, 17_389, 99_991])
def test_long_signals_in_chunks_of_a_prime(chain, size):
    x = signal_of(2, 1, 100_000, "int16")
    whole = joined(chain, [x], 1, threads=2)
    chunks = [x[:, start : start + size] for start in range(0, x.shape[1], size)]
    np.testing.assert_array_equal(joined(chain, chunks, 1, threads=1), whole)


def test_one_sample_at_a_time(chain):
    x = signal_of(1, 1, chain.geometry.span + 3 * chain.geometry.hop + 1, "int16")
    by_one = joined(chain, [x[:, [i]] for i in range(x.shape[1])], 1)
    np.testing.assert_array_equal(by_one, joined(chain, [x], 1))


def test_declared_geometry_is_the_true_receptive_field(chain):
    """Each frame changes exactly when a sample within its declared span changes.

    Stages of the whole signal, and stages that remember what was before, let it change more frames; borders let it
    change frames that reach beyond an end.
    """
    geometry = chain.geometry
    n = geometry.span + 4 * geometry.hop if JIT or geometry.span < 100 else geometry.span
    count = geometry.count(n)
    rng = np.random.default_rng(0)
    borders = {edge + d for f in range(count) for edge in geometry.inputs(f, f + 1) for d in (-1, 0)}
    places = sorted({i for i in borders | set(rng.integers(0, n, 10).tolist()) if 0 <= i < n})
    seen = np.zeros((count, n), bool)
    backgrounds = [np.zeros((1, n), np.float32)]
    if geometry.span < 100:  # what has not risen shows beside what has
        backgrounds.append(1e-2 * signal_of(4, 1, n, "float32"))
    for background in backgrounds:
        before = joined(chain, [background], 1)
        for place in places:
            impulse = background.copy()
            impulse[0, place] = 1e4
            change = np.abs(joined(chain, [impulse], 1) - before)
            seen[:, place] |= (change > (1e-2 if by_groups(chain) else 0)).any(axis=(0, 1))  # groups share rounding
    for f in range(count):
        low, high = geometry.inputs(f, f + 1)
        outside = [place for place in places if place >= high or (place < low and not remembers(chain))]
        if not is_whole(chain) and not (has_borders(chain) and (low < 0 or high > n)):
            assert not seen[f, outside].any()
        inside = [place for place in places if place in (low, high - 1)]
        assert seen[f, inside].all(), f"frame {f} is said to see {low} to {high - 1}"


def test_a_frame_is_known_exactly_when_its_last_sample_has_come(chain):
    geometry = chain.geometry
    x = signal_of(3, 1, geometry.span + 2 * max(0, geometry.wait) + 3 * geometry.hop, "float32")
    arrived = 0
    got = 0
    waited = False

    def one_by_one():
        nonlocal arrived
        for i in range(x.shape[1]):
            arrived += 1
            yield x[:, [i]]

    for block in feature_blocks(chain, one_by_one()):
        if arrived == x.shape[1]:
            break
        before, got = got, got + block.shape[2]
        if by_groups(chain):  # the first of a group waits longest
            assert arrived <= before * geometry.hop + geometry.latency + 1
            waited |= arrived == before * geometry.hop + geometry.latency + 1
            continue
        known = max(0, (got - 1) * geometry.hop + geometry.latency) + 1
        assert arrived == known or (arrived > known and not before and has_borders(chain))
    assert (got == 0) == is_whole(chain)
    assert waited == by_groups(chain)


def test_samples_of_every_layout_give_the_same(chain):
    x = signal_of(5, 2, 2 * chain.geometry.span, "int16")
    want = joined(chain, [as_samples(x)], 2)
    wide = np.zeros((4, 2 * x.shape[1]), np.int16)
    wide[::2, ::2] = x
    readonly = x.copy()
    readonly.flags.writeable = False
    for other in (wide[::2, ::2], readonly, x.astype(">i2"), np.asfortranarray(x)):
        np.testing.assert_array_equal(joined(chain, [as_samples(other)], 2), want)
    for scaled in (x.astype(np.float32) / 32768, x.astype(np.float64) / 32768, x.astype(np.int32) << 16):
        np.testing.assert_array_equal(joined(chain, [as_samples(scaled)], 2), want)


# Stages with one frame for all of a signal, whose span has no end.
CLIPS = {
    "statistics": lambda: chain_with(partial(Statistics, statistics=("std", "p10", "delta_abs"), segments=3)),
    "minirocket of samples": lambda: Chain([Samples(), MiniRocketClip(("sample",), taps_bank(1, 40))]),
    "minirocket of frames": lambda: chain_with(lambda names: MiniRocketClip(names, taps_bank(3, 30))),
}


@pytest.mark.parametrize("name", CLIPS)
@settings(max_examples=25 if JIT else 4)
@given(data=st.data())
def test_one_frame_for_a_signal_however_it_comes(name, data):
    chain = CLIPS[name]()
    edges = [0, 1, 5, 6, 8, 9, 39, 40, 41, 300] + (
        [70_000, 140_000] if JIT else []
    )  # longer than what is counted at once
    n = data.draw(st.one_of(st.sampled_from(edges), st.integers(0, 500)), label="samples")
    channels = data.draw(st.sampled_from([1, 2]), label="channels")
    x = signal_of(data.draw(st.integers(0, 99)), channels, n, "int16")
    whole = joined(chain, [x], channels, threads=1)
    assert whole.shape == (channels, len(chain.features), chain.geometry.count(n))
    assert whole.shape[2] == (Chain(chain.stages[:-1]).geometry.count(n) > 0)
    np.testing.assert_array_equal(joined(chain, [x], channels, threads=2), whole)
    cuts = sorted(data.draw(st.lists(st.integers(0, n), max_size=12), label="cuts"))
    pieces = [x[:, a:b] for a, b in zip([0, *cuts], [*cuts, n], strict=True)]
    np.testing.assert_array_equal(joined(chain, pieces, channels, threads=1), whole)
    for channel in range(channels):
        np.testing.assert_array_equal(joined(chain, [x[[channel]]], 1)[0], whole[channel])
    flow = Flow(chain, channels)
    middle = data.draw(st.integers(0, n), label="state kept at")
    first = flow.push(x[:, :middle])
    if any(stage.whole and isinstance(stage, FrameStage) for stage in chain.stages):
        return  # it would have to keep the signal
    other = Flow(chain, channels)
    other.restore(flow.state())
    np.testing.assert_array_equal(np.concatenate([first, other.push(x[:, middle:], last=True)], axis=2), whole)


def test_one_window_over_a_whole_signal():
    chain = Chain([conv(3, 1, 4), Pool1d(3, how="energy")])
    x = signal_of(0, 2, 50, "float32")
    whole = joined(chain, [x], 2)
    filtered = Chain([conv(3, 1, 4)]).run(x)
    np.testing.assert_allclose(whole, (filtered.astype(float) ** 2).mean(axis=2, keepdims=True), rtol=1e-6)
    np.testing.assert_array_equal(joined(chain, [x[:, :7], x[:, 7:]], 2), whole)
    assert joined(chain, [x[:, :3]], 2).shape == (2, 3, 0)
