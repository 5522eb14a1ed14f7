"""Filter designs against published data, against scipy, and by tones."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import signal
from scipy.io import loadmat

from audiotconv.errors import ParameterError
from audiotconv.filters import (
    FilterBank,
    erb_bandwidth,
    erb_space,
    gabor_bank,
    gammatone_bank,
    hz_to_mel,
    mel_space,
    mel_to_hz,
    sinc_bank,
)


def cells(path, name):
    table = loadmat(path)
    for inputs, result in zip(table[f"{name}_inputs"], table[f"{name}_results"], strict=True):
        yield [np.asarray(value, float).squeeze() for value in inputs], np.asarray(result[0], float)


def test_erb_spacing_as_the_auditory_toolbox(conformance):
    seen = 0
    for (low, high, count), result in cells(conformance / "gammatone" / "test_erbspace_data.mat", "erbspace"):
        np.testing.assert_allclose(erb_space(float(low), float(high), int(count))[::-1], result.ravel(), rtol=1e-6)
        seen += 1
    assert seen >= 7


def test_impulse_responses_as_the_auditory_toolbox(conformance):
    """Its four cascaded sections with these coefficients ring like our taps, up to gain."""
    seen = 0
    for (rate, centres), result in cells(conformance / "gammatone" / "test_erb_filter_data.mat", "erb_filter"):
        rate = int(rate)
        for centre, row in zip(np.atleast_1d(centres)[::7], result[::7], strict=True):
            a0, a11, a12, a13, a14, a2, b0, b1, b2, gain = row
            n = int(rate * 0.05)
            rung = np.zeros(n)
            rung[0] = 1.0
            for a1 in (a11, a12, a13, a14):
                rung = signal.lfilter([a0, a1, a2], [b0, b1, b2], rung)
            rung /= gain
            bandwidth = 2 * np.pi * 1.019 * erb_bandwidth(centre)
            time = np.arange(n) / rate
            # The toolbox's poles are these; its zeros approximate the cosine's phase, so compare magnitudes.
            pole = np.exp(-bandwidth / rate + 2j * np.pi * centre / rate)
            np.testing.assert_allclose([b1, b2], [-2 * pole.real, abs(pole) ** 2], rtol=1e-6)
            ours = time**3 * np.exp(-bandwidth * time) * np.cos(2 * np.pi * centre * time)
            frequencies = centre + erb_bandwidth(centre) * np.linspace(-1, 1, 9)
            frequencies = frequencies[(frequencies > 0) & (frequencies < 0.45 * rate)]
            phase = np.exp(-2j * np.pi / rate * np.outer(frequencies, np.arange(n)))
            if len(frequencies) < 9 or not 200 < centre < 0.3 * rate:  # their zeros drift near half the rate
                continue
            theirs, mine = np.abs(phase @ rung), np.abs(phase @ ours)
            assert np.abs(20 * np.log10(mine / mine[4] * theirs[4] / theirs)).max() < 0.25
            seen += 1
    assert seen > 20


@pytest.mark.parametrize("centre", [200.0, 1000.0, 3000.0])
def test_gammatone_as_scipy(centre):
    rate, n = 16000, 800
    theirs, _ = signal.gammatone(centre, "fir", order=4, numtaps=n, fs=rate)
    edge = (centre + 228.7) / 228.7  # the ERB scale's step that puts the second centre one band up
    bank = gammatone_bank(1, sample_rate=rate, fmin=centre, fmax=centre * edge**0.01 + 1, cut=1e-6)
    mine = bank.taps[0, :n].real
    theirs = theirs[: len(mine)] * (mine @ theirs[: len(mine)]) / (theirs[: len(mine)] @ theirs[: len(mine)])
    np.testing.assert_allclose(mine, theirs, atol=2e-4 * np.abs(mine).max())


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize("spacing", ["erb", "mel"])
def test_each_band_peaks_at_its_centre(rate, spacing):
    top = min(8000.0, 0.45 * rate)
    banks = [gammatone_bank(32, sample_rate=rate, fmax=top, spacing=spacing)]
    if spacing == "mel":
        banks.append(gabor_bank(40, sample_rate=rate, fmax=top))
        banks.append(sinc_bank(10, sample_rate=rate, fmin=400, fmax=top, span=801))
    for bank in banks:
        for band, (centre, width) in enumerate(zip(bank.centres, bank.bandwidths, strict=True)):
            near = centre + width * np.linspace(-2, 2, 401)
            near = near[(near > 0) & (near < rate / 2)]
            gains = np.abs(bank.response(near)[band])
            # A pass band of a sinc filter is flat, so the peak is only defined by where the gain is nearly all.
            top_of_band = near[gains > 0.97 * gains.max()]
            assert top_of_band.min() - 0.15 * width <= centre <= top_of_band.max() + 0.15 * width
            far = np.abs(bank.response(centre + 6 * width)[band, 0])
            assert far < 0.1 * gains.max() or centre + 6 * width > rate / 2 or width < rate / 800


@pytest.mark.parametrize("rate", [8000, 16000, 44100])
@pytest.mark.parametrize(
    ("make", "bands", "fmin"),
    [
        (gammatone_bank, 64, 50.0),
        (gammatone_bank, 100, 20.0),
        (gabor_bank, 40, 60.0),
        (gabor_bank, 80, 20.0),
        (sinc_bank, 80, 30.0),
        (sinc_bank, 5, 100.0),
        (sinc_bank, 100, 2.0),
    ],
)
def test_every_band_of_a_default_bank_is_where_it_says(make, bands, fmin, rate):
    """The gain is greatest at the centre, and falls to both sides of it alike."""
    bank = make(bands, sample_rate=rate, fmin=fmin, fmax=min(7800.0, 0.45 * rate))
    n = 1 << (48 * bank.span).bit_length()
    frequency = np.arange(n // 2) * rate / n
    for taps, centre, width in zip(bank.taps, bank.centres, bank.bandwidths, strict=True):
        gains = np.abs(np.fft.fft(taps, n)[: n // 2])
        at_centre = np.interp(centre, frequency, gains)
        assert gains.max() <= 1.01 * at_centre  # a pass band of a sinc filter is flat, but for ripples
        low, high = frequency[gains > at_centre / 2][[0, -1]]
        if centre > 1.5 * width:  # below, the filter meets its mirror image under 0 Hz
            assert abs((low + high) / 2 - centre) < 0.02 * width
            if make is not gammatone_bank:  # whose width is another one
                assert abs(high - low - width) < 0.05 * width


def test_the_span_of_sinc_filters():
    """SincNet's 251 taps at 16 kHz hold bands as wide as their transition, 210 Hz; the narrowest of 80 has 23 Hz."""
    bank = sinc_bank(80, sample_rate=16000)
    narrowest = bank.bandwidths.min()
    assert bank.span % 2 == 1
    assert 3.3 * 16000 / bank.span <= narrowest < 3.3 * 16000 / (bank.span - 2)
    assert sinc_bank(80, sample_rate=48000).span == pytest.approx(3 * bank.span, abs=6)
    assert sinc_bank(80, sample_rate=16000, span=np.int64(251)).span == 251
    published = sinc_bank(80, sample_rate=16000, span=251)
    wide = published.bandwidths >= 3.3 * 16000 / 251
    gains = np.abs(np.fft.rfft(published.taps, 1 << 14)).max(axis=1)
    assert gains[wide].max() < 1.01 < gains.max()


@pytest.mark.parametrize("order", [1, 2, 8, 20])
def test_gammatones_of_every_order_are_finite(order):
    for cut in (1e-12, 1e-3, 0.999999):
        bank = gammatone_bank(8, sample_rate=768_000, order=order, cut=cut)
        np.testing.assert_allclose(np.abs(np.diag(bank.response(bank.centres))), np.sqrt(2), rtol=1e-9)


def test_gains_and_widths():
    bank = gammatone_bank(8, sample_rate=16000)
    np.testing.assert_allclose(np.abs(np.diag(bank.response(bank.centres))), np.sqrt(2), rtol=1e-12)
    np.testing.assert_allclose(bank.bandwidths, 1.019 * erb_bandwidth(bank.centres))
    gabor = gabor_bank(8, sample_rate=16000)
    np.testing.assert_allclose(np.abs(np.diag(gabor.response(gabor.centres))), np.sqrt(2), rtol=1e-12)
    half = np.abs(np.diag(gabor.response(gabor.centres + gabor.bandwidths / 2)))
    np.testing.assert_allclose(half, np.sqrt(2) / 2, rtol=0.01)
    sinc = sinc_bank(8, sample_rate=16000)
    np.testing.assert_allclose(np.abs(np.diag(sinc.response(sinc.centres))), 1.0, rtol=1e-12)
    assert np.isrealobj(sinc.taps)
    np.testing.assert_allclose(gabor.taps, gabor.taps[:, ::-1].conj(), atol=1e-15)


def test_gammatone_ends_where_it_says():
    bank = gammatone_bank(3, sample_rate=16000, cut=1e-2, order=2)
    envelope = np.abs(bank.taps)
    for row in envelope:
        used = row[: np.flatnonzero(row)[-1] + 1]
        assert used[-1] <= 1.01e-2 * used.max()
        assert used[-2] > 0.99e-2 * used.max() * (used[-2] / used[-3])
    first = gammatone_bank(1, sample_rate=8000, fmax=3000.0, order=1).taps[0]
    assert np.abs(first).argmax() == 0


def test_mel_round_trip():
    hertz = np.array([0.0, 100.0, 1000.0, 8000.0])
    np.testing.assert_allclose(mel_to_hz(hz_to_mel(hertz)), hertz, atol=1e-9)
    assert mel_space(100, 4000, 5)[[0, -1]] == pytest.approx([100, 4000])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gammatone_bank(4, sample_rate=8000, fmax=8000), "fmax 8000"),
        (lambda: gammatone_bank(4, sample_rate=8000, fmin=0, fmax=3000), "fmin is 0"),
        (lambda: gammatone_bank(4, sample_rate=0), "sample rate is 0"),
        (lambda: gammatone_bank(4, sample_rate=16000, spacing="bark"), "spacing is 'bark'"),
        (lambda: gammatone_bank(4, sample_rate=16000, order=0), "order is 0"),
        (lambda: gammatone_bank(4, sample_rate=16000, order=500), "order is 500; it must be an integer from 1 to 20"),
        (lambda: gammatone_bank(4, sample_rate=16000, order=2.5), "order is 2.5"),
        (lambda: gammatone_bank(4, sample_rate=16000, order=True), "order is True"),
        (lambda: gammatone_bank(10**12, sample_rate=16000), "number of bands is 1000000000000"),
        (lambda: gammatone_bank(10**6, sample_rate=16000), "1000000 filters, .* 10,000,000 taps"),
        (lambda: gabor_bank(4, sample_rate=16000, fmin=100, fmax=100.00001), "4 filters, .* Hz wide"),
        (lambda: gabor_bank(4, sample_rate=float("inf")), "sample rate is inf"),
        (lambda: gammatone_bank(4, sample_rate=16000, cut=0), "cut is 0"),
        (lambda: gammatone_bank(0, sample_rate=16000), "number of bands is 0"),
        (lambda: gammatone_bank(2.5, sample_rate=16000), "number of bands is 2.5"),
        (lambda: gabor_bank(0, sample_rate=16000), "number of bands is 0"),
        (lambda: gabor_bank(4, sample_rate=16000, cut=1), "cut is 1"),
        (lambda: sinc_bank(0, sample_rate=16000), "number of bands is 0"),
        (lambda: sinc_bank(4, sample_rate=16000, span=4), "span is 4"),
        (lambda: sinc_bank(4, sample_rate=16000, span=1), "span is 1"),
        (lambda: sinc_bank(4, sample_rate=16000, span=251.0), "span is 251.0"),
        (lambda: sinc_bank(4, sample_rate=16000, span=10**9 + 1), "4 filters, .* taps"),
        (lambda: sinc_bank(4, sample_rate=16000, fmin=100, fmax=100.001), "4 filters, .* Hz wide"),
        (lambda: erb_space(100, 50, 3), "fmin is 100"),
        (lambda: FilterBank(np.zeros(3), np.zeros(3), np.zeros(3), 8000), "taps have the shape"),
        (lambda: FilterBank(np.full((1, 3), np.nan), np.zeros(1), np.zeros(1), 8000), "band 0"),
        (lambda: FilterBank(np.ones((2, 3)), np.zeros(1), np.zeros(2), 8000), "centres"),
        (lambda: FilterBank(np.ones((1, 3)), np.zeros(1), np.zeros(1), 8000, 3), "advance is 3"),
    ],
)
def test_impossible_parameters(make, message):
    with pytest.raises(ParameterError, match=message):
        make()


def test_gabor_filters_of_given_centres_and_bandwidths():
    designed = gabor_bank(8, sample_rate=16000)
    given = gabor_bank(sample_rate=16000, centres=designed.centres, bandwidths=designed.bandwidths)
    np.testing.assert_array_equal(given.taps, designed.taps)
    assert len(gabor_bank(sample_rate=8000, centres=[900.0, 300.0], bandwidths=[90.0, 60.0]).taps) == 2
    for wrong, words in (
        ({"centres": [100.0]}, "given together"),
        ({"centres": [100.0], "bandwidths": [10.0, 20.0]}, "both must be"),
        ({"centres": [float("nan")], "bandwidths": [10.0]}, "centres must all be above 0"),
        ({"centres": [100.0], "bandwidths": [0.0]}, "bandwidths must all be above 0"),
    ):
        with pytest.raises(ParameterError, match=words):
            gabor_bank(sample_rate=16000, **wrong)
