"""Call audiotconv's convolution and pooling from your own compiled code.

They check nothing: arrays must be C-contiguous and of the shapes that `audiotconv.njit` names, and `out` must exist.

    python examples/own_njit.py
"""

import numpy as np
from numba import njit, prange

from audiotconv import njit as kernels


@njit(parallel=True, nogil=True)
def crest_factors(clips: np.ndarray, size: int, out: np.ndarray) -> None:
    """The ratio of peak to RMS of each clip, from the peaks of windows: one clip per thread."""
    for clip in prange(clips.shape[0]):
        row = clips[clip : clip + 1]
        peaks = np.empty((1, row.shape[1] // size), np.float32)
        kernels.pool1d(np.abs(row), kernels.MAX, size, size, 0, peaks)
        out[clip] = peaks.max() / np.sqrt((row * row).mean())


def main() -> np.ndarray:
    time = np.arange(16000, dtype=np.float32) / 16000
    clips = np.stack([np.sin(2 * np.pi * 440 * time), np.sign(np.sin(2 * np.pi * 440 * time + 0.1))]).astype(np.float32)
    out = np.empty(len(clips), np.float32)
    crest_factors(clips, 160, out)
    print("sine:", out[0].round(3), "square wave:", out[1].round(3))
    return out


if __name__ == "__main__":
    main()
