"""The spectrum stage: frames of sound in, powers, magnitudes or complex values out, or bands of them."""

from __future__ import annotations

import copy
import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..audio import scale_of
from ..errors import ParameterError
from ..geometry import Geometry
from ..kernels import fft_lanes
from ..kernels import spectrum as kernels
from .bands import Bands
from .base import Stage, aligned_empty
from .checks import integer_at_least
from .frame_stage import FrameStage
from .log import Log

__all__ = ["ENERGIES", "FRAMINGS", "PADS", "VALUES", "Spectrum"]

FRAMINGS = ("centre", "valid", "snip", "round")
PADS = {
    "zero": kernels.ZERO, "reflect": kernels.REFLECT, "symmetric": kernels.SYMMETRIC, "edge": kernels.EDGE
}  # fmt: skip
VALUES = {"power": kernels.POWER, "magnitude": kernels.MAGNITUDE, "complex": kernels.COMPLEX}
ENERGIES = ("none", "raw", "windowed")

_MOST_RADIX = 512  # a prime factor up to which transforms are in lanes
MOST_POINTS = 1 << 20
_LEAST_ENERGY = 1.1920928955078125e-07  # float32's epsilon, as Kaldi has it


class Spectrum(FrameStage):
    """Windows of a signal, Fourier transformed.

    Parameters
    ----------
    window : (length,) array
        The frame's window.
    hop : int
        Samples from one frame to the next.
    sample_rate : int
        In Hz; it names the frequencies.
    n_fft : int, optional
        Points of the transform, at least as many as the window has; by default as many. Any number: sizes with the
        factors 2, 3 and 5 are fast, and a prime factor p costs in proportion to p; from 513 on scipy.fft does it.
    framing : str
        "centre": frame f is centred on sample f * hop, and ``1 + n // hop`` frames reach beyond both ends (librosa's
        and torch's ``center=True``). "valid": frame f begins at sample f * hop and has n_fft samples, the window in
        their middle (``center=False``). "snip": frame f begins at sample f * hop and has the window's length (Kaldi's
        ``snip_edges=true``). "round": frame f is centred on the f-th hop, n samples give n / hop frames, rounded
        (Kaldi's ``snip_edges=false``).
    pad : "zero", "reflect", "symmetric" or "edge"
        What stands beyond the ends: zeros, the signal mirrored without or with its last sample, or that sample.
    drop_last : bool
        One frame less, as Whisper has it.
    values : "power", "magnitude" or "complex"
        The squared modulus, the modulus, or real and imaginary parts in turn.
    scale : float
        Samples, which lie between -1 and 1, are multiplied by it; Kaldi's programs see 16-bit integers: 32768.
    remove_mean : bool
        Subtract each frame's mean.
    preemphasis : float
        Subtract this times the sample before, within the frame; from the first sample, this times itself (Kaldi).
    energy : "none", "raw" or "windowed"
        Make the logarithm of the frame's energy the first feature: before pre-emphasis and window, or after.
    energy_floor : float
        The least energy. At least 1.2e-7 holds always.
    zero_frequency : bool
        Whether the constant component is among the features.
    dither : float
        Standard deviation of normal noise that is added to the scaled samples; 0 for none.
    seed : int
        What the noise follows from, beside the sample's number: the same sample always gets the same.

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    Notes
    -----
    Shape: (channels, time) -> (channels, features, frames)

    A frame's span is what its window does not ignore: a periodic Hann window begins with a zero.

    Examples
    --------
    >>> tone = np.cos(2 * np.pi * 1000 / 8000 * np.arange(8000, dtype=np.float32))[None]
    >>> stage = Spectrum(np.hanning(201)[:-1], 80, sample_rate=8000)
    >>> from audiotconv.stages import Chain
    >>> powers = Chain([stage]).run(tone)
    >>> powers.shape, stage.features[int(powers[0, :, 50].argmax())]
    ((1, 101, 101), '1000.0 Hz')
    """

    def __init__(
        self,
        window: ArrayLike,
        hop: int,
        *,
        sample_rate: int,
        n_fft: int | None = None,
        framing: str = "centre",
        pad: str = "zero",
        drop_last: bool = False,
        values: str = "power",
        scale: float = 1.0,
        remove_mean: bool = False,
        preemphasis: float = 0.0,
        energy: str = "none",
        energy_floor: float = 0.0,
        zero_frequency: bool = True,
        dither: float = 0.0,
        seed: int = 0,
    ) -> None:
        taps = np.asarray(window, np.float64)
        if taps.ndim != 1 or not np.isfinite(taps).all():
            raise ParameterError(f"the window has the shape {taps.shape}; it must be one axis of finite values")
        if not taps.any():
            raise ParameterError(f"the {len(taps)} values of the window are all zero; a longer one is needed")
        self.hop = integer_at_least("hop", hop, 1)
        n = self.n_fft = integer_at_least("n_fft", len(taps) if n_fft is None else n_fft, 1)
        if not len(taps) <= n <= MOST_POINTS:
            raise ParameterError(
                f"n_fft is {n}; it must be at least the window's {len(taps)} samples, and at most {MOST_POINTS:,}"
            )
        if n < 2 and not zero_frequency:
            raise ParameterError(f"n_fft is {n} and zero_frequency False; no frequency is left")
        for name, value, words in (
            ("framing", framing, FRAMINGS), ("pad", pad, PADS), ("values", values, VALUES), ("energy", energy, ENERGIES)
        ):  # fmt: skip
            if not isinstance(value, str) or value not in words:
                raise ParameterError(f"{name} is {value!r}; it must be one of {', '.join(words)}")
        for name, number in (
            ("scale", scale), ("preemphasis", preemphasis), ("energy_floor", energy_floor), ("dither", dither)
        ):  # fmt: skip
            if not 0.0 <= number <= 1e12:
                raise ParameterError(f"{name} is {number!r}; it must be a number from 0 to 1e12")
        self._scale, self._dither, self._seed = float(scale), float(dither), integer_at_least("seed", seed, 0)
        self._mean, self._emphasis = bool(remove_mean), np.float32(preemphasis)
        self._energy = ENERGIES.index(energy)
        self._energy_floor = np.float32(max(energy_floor, _LEAST_ENERGY))
        self._kind, self._pad, self._pad_name = VALUES[values], PADS[pad], pad
        self.values, self.zero_frequency = values, bool(zero_frequency)

        used = np.flatnonzero(taps)
        low = 0 if self._mean or energy == "raw" or preemphasis else int(used[0])
        high = len(taps) if self._mean or energy == "raw" else int(used[-1]) + 1
        length = len(taps) if framing in ("snip", "round") else n
        offset = (length - len(taps)) // 2
        before = {"centre": n // 2, "round": length // 2 - self.hop // 2}.get(framing, 0)
        after = {"centre": n // 2, "round": length - before + self.hop // 2 - self.hop}.get(framing, 0)
        span, lead = high - low, before - offset - low
        trail = before + after - length + span - lead - (self.hop if drop_last else 0)
        middle = 2 * (n // 2 - offset - low) if framing in ("centre", "valid") else len(taps) - 1 - 2 * low
        self.geometry = Geometry(span, self.hop, lead, trail, centre=max(0, middle))
        self.border = {"zero": 0, "edge": 1}.get(pad, max(0, lead, trail) + 1)

        self._skip = offset + low
        self._window = (taps[low:high] * (0.5 if n % 2 == 0 else 1.0)).astype(np.float32)
        points = fft_lanes.points(n)
        self._by_scipy = max(fft_lanes.radices(points), default=1) > _MOST_RADIX
        self._passes = np.array(fft_lanes.radices(points), np.int64)
        self._turns, self._order = fft_lanes.turns(points), fft_lanes.order(points)
        phase = -2.0 * np.pi * np.arange(n // 2 + 1) / n
        self._halves = np.stack([np.cos(phase), np.sin(phase)], axis=1).astype(np.float32)
        self._low = 0 if zero_frequency else (2 if self._kind == kernels.COMPLEX else 1)
        self.frequencies = np.arange(0 if zero_frequency else 1, n // 2 + 1) * sample_rate / n
        names = [f"{frequency:.1f} Hz" for frequency in self.frequencies]
        if self._kind == kernels.COMPLEX:
            names = [f"{name}, {part}" for name in names for part in ("real", "imaginary")]
        self.aside = 1 if self._energy else 0
        self.features = ("log energy",) * self.aside + tuple(names)
        self._bands: Bands | None = None
        self._log: Log | None = None

    @property
    def operations(self) -> float:
        """Floating-point operations for each sample and channel: of the transform, and some for the rest."""
        return self.n_fft * (2.5 * math.log2(self.n_fft + 1) + 10.0) / self.hop

    def absorb(self, following: Stage) -> Stage | None:
        """Bands of the spectrum, and then a logarithm, in the same pass."""
        if self._by_scipy or not isinstance(following, Bands | Log) or following.aside != self.aside:
            return None
        if self._log is not None:
            return None
        both = copy.copy(self)
        if isinstance(following, Log):
            both._log = following
        elif self._bands is None:
            both._bands = following
        else:
            return None
        both.features = following.features
        return both

    def run(
        self, x: NDArray[Any], origin: int, frames: int, threads: int, first: int = 0, memory: Any = None
    ) -> NDArray[np.float32]:
        """Shape: (channels, time) -> (channels, features, frames)"""
        out = np.empty((x.shape[0], len(self.features), frames), np.float32)
        if not frames:
            return out
        scale = np.float32(scale_of(x.dtype) * self._scale)
        if self._dither:
            x = self._dithered(x, scale, first * self.hop - self.geometry.lead - origin)
            scale = np.float32(1.0)
        if self._by_scipy:
            self._transform(x, scale, origin, out)
            return out
        weights, spans = (_NO_WEIGHTS, _NO_SPANS) if self._bands is None else (self._bands.weights, self._bands.spans)
        floor, factor = (_ONE, _ONE) if self._log is None else (self._log.floor, self._log.factor)
        kernels.spectrum(
            np.ascontiguousarray(x), scale, origin, self.hop, self._pad, self._window, self._skip, self._mean,
            self._emphasis, self._energy, self._energy_floor, self.n_fft, self._passes, self._turns, self._order,
            self._halves, self._kind, self._low, weights, spans, self._log is not None, floor, factor, out,
            threads=threads,
        )  # fmt: skip
        return out

    def _transform(self, x: NDArray[Any], scale: np.float32, origin: int, out: NDArray[np.float32]) -> None:
        """Frame by frame by scipy.fft, in float64: large prime factors take the lanes' sums too long."""
        from scipy import fft

        span = self.geometry.span
        left, right = max(0, -origin), max(0, origin + (out.shape[2] - 1) * self.hop + span - x.shape[1])
        mode: Any = {"zero": "constant"}.get(self._pad_name, self._pad_name)
        padded = np.pad(x, ((0, 0), (left, right)), mode=mode)
        frame = np.zeros(self.n_fft)
        window = self._window.astype(np.float64) * (2.0 if self.n_fft % 2 == 0 else 1.0)
        for channel, f in np.ndindex(out.shape[0], out.shape[2]):
            begin = origin + left + f * self.hop
            y = padded[channel, begin : begin + span].astype(np.float64) * float(scale)
            if self._mean:
                y -= y.mean()
            energy = y @ y
            if self._emphasis:
                y -= float(self._emphasis) * np.concatenate([y[:1], y[:-1]])
            y *= window
            if self._energy == ENERGIES.index("windowed"):
                energy = y @ y
            frame[self._skip : self._skip + span] = y
            spectrum = fft.rfft(frame)[0 if self.zero_frequency else 1 :]
            rows = out[channel, self.aside :, f]
            if self._kind == kernels.COMPLEX:
                rows[::2], rows[1::2] = spectrum.real, spectrum.imag
            else:
                powers = spectrum.real**2 + spectrum.imag**2
                rows[:] = powers if self.values == "power" else np.sqrt(powers)
            if self.aside:
                out[channel, 0, f] = np.log(np.maximum(energy, self._energy_floor))

    def _dithered(self, x: NDArray[Any], scale: np.float32, number: int) -> NDArray[np.float32]:
        """Scaled samples of which the first is `number`, with noise."""
        start = number // 4 * 4  # the generator counts in fours
        source = np.random.Philox(key=self._seed)
        source.advance(start // 2)  # each sample takes two numbers
        u = np.random.Generator(source).random((number - start + x.shape[1], 2))[number - start :]
        noise = self._dither * np.sqrt(-2.0 * np.log1p(-u[:, 0])) * np.cos(2.0 * np.pi * u[:, 1])
        return np.asarray(x.astype(np.float32) * scale + noise.astype(np.float32), np.float32)


_NO_WEIGHTS, _NO_SPANS = aligned_empty((1,)), np.zeros((0, 3), np.int64)
_ONE = np.float32(1.0)
