"""Kernels in a script: where do the words of a recording begin?

A Gabor filter bank gives the energy in 40 bands; a causal convolution along time gives each band's rise; the mean
over bands, pooled to its local maxima, gives the beginnings.

    python examples/onsets.py [FILE]
"""

import sys
from pathlib import Path

import numpy as np

import audiotconv as atc


def main(path: str) -> list[float]:
    features = atc.extract(path, "gabor-40", channels="mono")
    energy = features.values[0]  # (bands, frames)

    rise = np.array([-1, -1, -1, 1, 1, 1], np.float32) / 3  # the last 30 ms against the 30 ms before
    slope = atc.conv1d(energy[:, None], rise[None, None], padding="causal")[:, 0]
    novelty = np.maximum(slope, 0).mean(axis=0)

    highest = atc.pool1d(novelty, 21, 1, padding="same")  # in a window of 210 ms
    peaks = np.flatnonzero((novelty == highest) & (novelty > 1.0))
    onsets = [float(features.frame_times[peak]) for peak in peaks]
    print(f"{Path(path).name}: " + ", ".join(f"{onset:.2f} s" for onset in onsets))
    return onsets


if __name__ == "__main__":
    default = Path(__file__).parent.parent / "data" / "formats" / "24-bit.wav"
    main(sys.argv[1] if len(sys.argv) > 1 else str(default))
