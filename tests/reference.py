"""Readable float64 versions of every kernel: the oracle. Slow on purpose, written from the definitions."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import scipy.signal
import scipy.special


def conv1d(x, weight, bias=None, stride=1, dilation=1, left=0, right=0, groups=1):
    """x (batch, channels, time), weight (filters, channels // groups, taps)."""
    x, weight = np.asarray(x, np.float64), np.asarray(weight, np.float64)
    filters, per_group, taps = weight.shape
    padded = np.pad(x, ((0, 0), (0, 0), (left, right)))
    frames = (padded.shape[2] - dilation * (taps - 1) - 1) // stride + 1
    out = np.zeros((x.shape[0], filters, frames))
    for o in range(filters):
        group = o // (filters // groups)
        for t in range(frames):
            seen = padded[:, group * per_group : (group + 1) * per_group, t * stride :][
                :, :, : dilation * taps : dilation
            ]
            out[:, o, t] = (seen[:, :, :taps] * weight[o]).sum(axis=(1, 2))
    return out if bias is None else out + np.asarray(bias, np.float64)[:, None]


def conv_transpose1d(x, weight, bias=None, stride=1, dilation=1, left=0, right=0, output_padding=0, groups=1):
    """x (batch, channels, time), weight (channels, filters // groups, taps)."""
    x, weight = np.asarray(x, np.float64), np.asarray(weight, np.float64)
    channels, each, taps = weight.shape
    whole = np.zeros((len(x), groups * each, (x.shape[2] - 1) * stride + dilation * (taps - 1) + 1 + output_padding))
    for c in range(channels):
        group = c // (channels // groups)
        for o in range(each):
            for i in range(x.shape[2]):
                for k in range(taps):
                    whole[:, group * each + o, i * stride + k * dilation] += weight[c, o, k] * x[:, c, i]
    out = whole[:, :, left : whole.shape[2] - right]
    return out if bias is None else out + np.asarray(bias, np.float64)[:, None]


ACTIVATIONS = {
    "relu": lambda x: np.maximum(x, 0),
    "leaky_relu": lambda x: np.where(x < 0, 0.01 * x, x),
    "gelu": lambda x: x * scipy.special.ndtr(x),
    "silu": lambda x: x * scipy.special.expit(x),
    "tanh": np.tanh,
    "sigmoid": scipy.special.expit,
    "squared_modulus": lambda x: x[..., ::2, :] ** 2 + x[..., 1::2, :] ** 2,
}


def pool1d(x, size, hop, how, dilation=1, left=0, right=0, count_include_pad=True, weights=None, p=2.0, ddof=0):
    """x (rows, time); a window is what it sees of x, then as many zeros as the padding counts for."""
    x = np.asarray(x, np.float64)
    time = x.shape[1]
    frames = max(0, (time + left + right - dilation * (size - 1) - 1) // hop + 1) if time else 0
    out = []
    for row in range(len(x)):
        for f in range(frames):
            seen = f * hop - left + dilation * np.arange(size)
            seen = seen[(seen >= 0) & (seen < time)]
            padding = size - len(seen) if count_include_pad else 0
            out.append(pooled(x[row, seen], how, padding, None if weights is None else weights[row, seen], p, ddof))
    return _frames_last(out, len(x), frames, how)


def adaptive_pool1d(x, frames, how, weights=None, p=2.0, ddof=0):
    """x (rows, time) in `frames` windows, as equal as can be."""
    x = np.asarray(x, np.float64)
    edges = [(f * x.shape[1] // frames, -(-(f + 1) * x.shape[1] // frames)) for f in range(frames)]
    out = [
        pooled(x[row, a:b], how, 0, None if weights is None else weights[row, a:b], p, ddof)
        for row in range(len(x))
        for a, b in edges
    ]
    return _frames_last(out, len(x), frames, how)


def _frames_last(out, rows, frames, how):
    pair = (2,) if how == "stats" else ()
    return np.moveaxis(np.reshape(np.array(out, np.float64), (rows, frames, *pair)), 1, -1)


def pooled(values, how, padding, weights, p, ddof):
    """One window's value(s)."""
    if how in ("max", "min"):
        return values.max() if how == "max" else values.min()
    if how == "median":
        return np.median(values)
    if how == "attention":
        soft = np.exp(weights.astype(np.float64) - weights.max())
        return (values * soft).sum() / soft.sum()
    values = np.concatenate([values, np.zeros(padding)])
    if how == "stats":
        return values.mean(), values.std(ddof=ddof) if len(values) > ddof else 0.0
    if how == "lp":
        return (np.abs(values) ** p).sum() ** (1 / p)
    return {
        "mean": values.mean(),
        "energy": (values**2).mean(),
        "rms": np.sqrt((values**2).mean()),
        "ppv": (values > 0).mean(),
    }[how]


def bank_energy(x, bank, window, hop, stride, weights=None):
    """x (channels, time) at full scale 1; frames centred on hops, zeros around x; taps as float32 has them."""
    x = np.asarray(x, np.float64)
    kind = np.complex64 if np.iscomplexobj(bank.taps) else np.float32
    taps = bank.taps.astype(kind).astype(np.complex128)
    frames = -(-x.shape[1] // hop)
    out = np.zeros((x.shape[0], len(taps), frames))
    early = (window - hop) // 2
    pad = window + bank.span
    padded = np.pad(x, ((0, 0), (pad, pad)))
    for f in range(frames):
        for i in range(0, window, stride):
            newest = f * hop - early + i + bank.advance + pad
            seen = padded[:, newest - bank.span + 1 : newest + 1][:, ::-1]
            out[:, :, f] += np.abs(seen @ taps.T) ** 2 * (stride / window if weights is None else weights[i])
    return out


def log(x, floor, factor=1.0):
    return factor * np.log(np.maximum(np.asarray(x, np.float64), floor))


def frames_of(x, window, hop, n_fft, framing, pad, drop_last=False):
    """The frames that librosa, torch ("centre", "valid") and Kaldi ("snip", "round") make, without the window.

    (channels, time) -> (channels, frames, len(window)), and where in the transform they stand
    """
    n, length = x.shape[1], len(window) if framing in ("snip", "round") else n_fft
    offset = (length - len(window)) // 2
    if framing == "centre":
        starts = np.arange(0, n + 2 * (n_fft // 2) - n_fft + 1, hop) - n_fft // 2
    elif framing == "round":
        starts = np.arange((n + hop // 2) // hop) * hop + hop // 2 - length // 2
    else:
        starts = np.arange(0, n - length + 1, hop)
    if drop_last:
        starts = starts[:-1]
    if n == 0:
        starts = starts[:0]
    at = starts[:, None] + offset + np.arange(len(window))
    if pad == "zero" or n == 0:
        wide = np.concatenate([x, np.zeros((len(x), 1))], axis=1)
        return wide[:, np.where((at >= 0) & (at < n), at, n)], offset
    if pad == "edge" or n == 1:
        return x[:, np.clip(at, 0, n - 1)], offset
    period = 2 * n - 2 if pad == "reflect" else 2 * n
    at = at % period
    return x[:, np.where(at < n, at, period - at - (pad == "symmetric"))], offset


def spectrum(x, window, hop, *, n_fft=None, framing="centre", pad="zero", drop_last=False, values="power", scale=1.0,
             remove_mean=False, preemphasis=0.0, energy="none", energy_floor=0.0, zero_frequency=True):  # fmt: skip
    """(channels, time) -> (channels, features, frames) in float64."""
    window, n_fft = np.asarray(window, np.float64), n_fft or len(window)
    frames, offset = frames_of(scale * np.asarray(x, np.float64), window, hop, n_fft, framing, pad, drop_last)
    if remove_mean:
        frames = frames - frames.mean(axis=2, keepdims=True)
    total = (frames**2).sum(axis=2)
    if preemphasis:
        frames = frames - preemphasis * np.concatenate([frames[:, :, :1], frames[:, :, :-1]], axis=2)
    frames = frames * window
    if energy == "windowed":
        total = (frames**2).sum(axis=2)
    padded = np.zeros((*frames.shape[:2], n_fft))
    padded[:, :, offset : offset + len(window)] = frames
    bins = np.fft.rfft(padded, axis=2)[:, :, 0 if zero_frequency else 1 :]
    if values == "complex":
        rows = np.stack([bins.real, bins.imag], axis=3).reshape(*bins.shape[:2], 2 * bins.shape[2])
    else:
        rows = np.abs(bins) ** (2 if values == "power" else 1)
    if energy != "none":
        log = np.log(np.maximum(total, max(energy_floor, np.finfo(np.float32).eps)))
        rows = np.concatenate([log[:, :, None], rows], axis=2)
    return rows.transpose(0, 2, 1)


def deltas(x, window, order, kind="regression", edges="repeat"):
    """Derivatives 1 to `order` of x (rows, time), one after the other: (order, rows, time)."""
    x = np.asarray(x, np.float64)
    n = x.shape[1]
    theta = np.arange(-window, window + 1.0)
    taps = theta / (theta**2).sum()
    out, seen = [], x
    for k in range(1, order + 1):
        if kind == "savgol":
            filter_ = scipy.signal.savgol_coeffs(2 * window + 1, k, deriv=k, use="dot")
        else:
            filter_ = taps
            for _ in range(k - 1 if edges != "htk" else 0):
                filter_ = np.convolve(filter_, taps)
        half = len(filter_) // 2
        values = np.zeros_like(x)
        for t in range(n):
            centre = min(max(t, half), n - 1 - half) if edges == "interp" and n > 2 * half else t
            for j in range(-half, half + 1):
                values[:, t] += filter_[half + j] * seen[:, min(max(centre + j, 0), n - 1)]
        out.append(values)
        seen = values if edges == "htk" else x
    return np.array(out)


def pcen(x, smoothing, gain=0.98, bias=2.0, power=0.5, eps=1e-6, initial=1.0):
    """x (channels, bands, frames); parameters are numbers or (bands,)."""
    x = np.asarray(x, np.float64)
    out = np.zeros_like(x)
    for t in range(x.shape[2]):
        now = x[:, :, t]
        if t == 0:
            smooth = now if isinstance(initial, str) else np.full_like(now, initial)
        smooth = (1 - np.asarray(smoothing)) * smooth + smoothing * now
        v = now / (eps + smooth) ** gain
        out[:, :, t] = np.log1p(v) if not np.any(power) else (v + bias) ** power - np.power(bias, power)
    return out


def sliding_normal(x, window, least, centre, variance, floor=1e-10):
    """x (rows, time), as Kaldi's apply-cmvn-sliding has it."""
    x = np.asarray(x, np.float64)
    n = x.shape[1]
    out = np.zeros_like(x)
    for t in range(n):
        if centre:
            start = min(max(0, t - window // 2), max(0, n - window))
            stop = min(n, start + window)
        else:
            start, stop = max(0, t - window), min(n, max(t + 1, least))
        seen = x[:, start:stop]
        out[:, t] = x[:, t] - seen.mean(axis=1)
        if variance:
            out[:, t] /= np.sqrt(np.maximum(seen.var(axis=1), floor))
    return out


def spectral_shape(x, frequencies, squared=True, roll_percent=0.85, floor=1e-10):
    """Centroid, bandwidth, rolloff, flatness and flux of x (channels, bins, frames): (channels, 5, frames)."""
    x = np.asarray(x, np.float64)
    out = np.zeros((x.shape[0], 5, x.shape[2]))
    for channel, t in np.ndindex(x.shape[0], x.shape[2]):
        bins = x[channel, :, t]
        share = bins / bins.sum() if bins.any() else bins
        centroid = (share * frequencies).sum()
        powers = np.maximum(bins**2 if squared else bins, floor)
        out[channel, :, t] = (
            centroid,
            np.sqrt((share * (frequencies - centroid) ** 2).sum()),
            np.asarray(frequencies)[np.cumsum(bins) >= roll_percent * np.cumsum(bins)[-1]][0],
            np.exp(np.log(powers).mean()) / powers.mean(),
            np.maximum(bins - x[channel, :, t - 1], 0).mean() if t else 0.0,
        )
    return out


def waveform(x, window, hop, centre, threshold=1e-10, floor=1e-10):
    """Zero-crossing rate, RMS and log energy of x (channels, time): (channels, 3, frames)."""
    x = np.asarray(x, np.float64)
    pad = window // 2 if centre else 0
    frames = max(0, (x.shape[1] + 2 * pad - window) // hop + 1) if x.shape[1] else 0
    out = np.zeros((x.shape[0], 3, frames))
    for f in range(frames):
        seen = x[:, max(0, f * hop - pad) : f * hop - pad + window]
        negative = seen < -threshold
        energy = (seen**2).sum(axis=1)
        out[:, 0, f] = (negative[:, 1:] != negative[:, :-1]).sum(axis=1) / window
        out[:, 1, f] = np.sqrt(energy / window)
        out[:, 2, f] = np.log(np.maximum(energy, floor))
    return out


# --- the ROCKET family ---

TRIPLES = list(combinations(range(9), 3))


def nine_taps(x, dilation, triple, skew=0):
    """Outputs of a kernel with weights 2 at the triple and -1 elsewhere, for the sum of the channels in x."""
    n, reach = x.shape[1], 4 * dilation
    padded = np.pad(x.astype(np.float64).sum(axis=0), reach + 1)
    starts = [1 + tap * dilation + (skew if tap < 4 else 0) for tap in range(9)]
    return sum((2.0 if tap in triple else -1.0) * padded[start : start + n] for tap, start in enumerate(starts))


def rocket_poolings(bank, x, skew=0):
    """PPV, LSPV, MPV and MIPV for each limit: (4, limits)."""
    n, rows, limit, channel = x.shape[1], [], 0, 0
    for j, dilation in enumerate(bank.dilations):
        for k, triple in enumerate(TRIPLES):
            count = bank.channel_counts[j * 84 + k]
            seen = x[bank.channel_indices[channel : channel + count]].astype(np.float64)
            channel += count
            outputs = nine_taps(seen, dilation, triple, skew)
            if (j + k) % 2 and n > 8 * dilation:
                outputs = outputs[4 * dilation : n - 4 * dilation]
            for _ in range(bank.features_per_dilation[j]):
                rows.append(_poolings(outputs, float(bank.limits[limit])))
                limit += 1
    return np.array(rows).T


def _poolings(outputs, limit):
    above = [t for t, v in enumerate(outputs) if v > limit]
    last, longest = 0, 0
    for t, v in enumerate(outputs):
        if v < limit:
            longest, last = max(longest, t - last), t
    longest = max(longest, len(outputs) - 1 - last)
    mean = np.mean([outputs[t] + limit for t in above]) if above else 0.0
    return len(above) / len(outputs), longest, mean, np.mean(above) if above else -1.0


def hydra_scores(weights, dilations, channels, x):
    """As learn.Hydra orders them."""
    out = []
    for d, dilation in enumerate(dilations):
        for half in range(weights.shape[1]):
            seen = np.diff(x.astype(np.float64)) if half else x.astype(np.float64)
            n, (groups, kernels) = seen.shape[1], weights.shape[2:4]
            largest, smallest = np.zeros((groups, kernels)), np.zeros((groups, kernels))
            for group in range(groups):
                series = seen[channels[d, half, group]].sum(axis=0)
                padded = np.pad(series, 4 * dilation)
                answers = sum(
                    weights[d, half, group, :, tap, None] * padded[tap * dilation :][:n] for tap in range(9)
                )  # fmt: skip
                for t in range(n):
                    largest[group, answers[:, t].argmax()] += answers[:, t].max()
                    smallest[group, answers[:, t].argmin()] += 1
            out += [largest.ravel(), smallest.ravel()]
    return np.concatenate(out)


def rocket_features(model, x):
    """As learn.Rocket orders them, of a series that is normalised already."""
    n, out = x.shape[1], []
    weights, channels = iter(model.weights_.astype(np.float64)), iter(model.channel_indices_)
    for length, dilation, padding, count, bias in zip(
        model.lengths_, model.dilations_, model.paddings_, model.channel_counts_, model.biases_, strict=True
    ):
        reach = (length - 1) * dilation
        if n + 2 * padding <= reach:
            padding = reach // 2
        padded = np.pad(x.astype(np.float64), ((0, 0), (padding, padding)))
        outputs = np.full(n + 2 * padding - reach, float(bias))
        for _ in range(count):
            row = padded[next(channels)]
            for tap in range(length):
                outputs += next(weights) * row[tap * dilation :][: len(outputs)]
        out += [(outputs > 0).mean(), outputs.max()]
    return np.array(out)
