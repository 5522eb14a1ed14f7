"""Readable float64 versions of every kernel: the oracle. Slow on purpose, written from the definitions."""

from __future__ import annotations

import numpy as np


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


def pool1d(x, size, hop, how, dilation=1, left=0, right=0):
    """x (rows, time)."""
    x = np.pad(np.asarray(x, np.float64), ((0, 0), (left, right)), constant_values=-np.inf if how == "max" else 0.0)
    frames = max(0, (x.shape[1] - dilation * (size - 1) - 1) // hop + 1)
    out = np.zeros((x.shape[0], frames))
    for f in range(frames):
        window = x[:, f * hop : f * hop + dilation * (size - 1) + 1 : dilation]
        if how == "max":
            out[:, f] = window.max(axis=1)
        else:
            out[:, f] = (window**2 if how == "energy" else window).mean(axis=1)
    return out


def bank_energy(x, bank, window, hop, stride):
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
            out[:, :, f] += np.abs(seen @ taps.T) ** 2
    return out / (window // stride)


def log(x, floor, factor=1.0):
    return factor * np.log(np.maximum(np.asarray(x, np.float64), floor))
