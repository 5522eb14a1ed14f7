"""Sound files for tests, right and wrong ones, written byte by byte where libsndfile would not write them."""

from __future__ import annotations

import struct

import numpy as np
import soundfile


def tone(n=4000, rate=8000, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    wave = 0.3 * np.sin(2 * np.pi * 440 * np.arange(n) / rate) + 0.01 * rng.standard_normal((channels, n))
    return wave.T


def write(path, n=4000, rate=8000, channels=1, subtype="PCM_16", seed=0, **options):
    soundfile.write(path, tone(n, rate, channels, seed), rate, subtype, **options)
    return path


def wav_bytes(data, *, tag=1, channels=1, rate=8000, bits=16, block=None, declared=None, magic=b"RIFF", extra=b""):
    order = ">" if magic == b"RIFX" else "<"
    block = channels * bits // 8 if block is None else block
    fmt = struct.pack(order + "HHIIHH", tag, channels, rate, rate * block, block, bits)
    declared = len(data) if declared is None else declared
    body = (
        b"WAVE"
        + extra
        + b"fmt "
        + struct.pack(order + "I", 16)
        + fmt
        + b"data"
        + struct.pack(order + "I", declared)
        + data
    )
    return magic + struct.pack(order + "I", len(body)) + body
