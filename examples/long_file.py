"""A recording of a day, in constant memory: its loudest minutes, and then one of them in detail.

    python examples/long_file.py [FILE]

Without a file it makes one of 24 hours: a hole on the disk, which holds silence, with a tone in three places. The
features go to a store as they are computed, and are mapped from there: never is more than a part of them in memory.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

import audiotconv as atc

RATE = 16_000
DAY = 24 * 3600
# Power in three octaves, ten times a second.
RECIPE = {
    "name": "octaves",
    "version": 1,
    "stage": [
        {"kind": "spectrum", "window": "hann", "length": "100 ms", "hop": "100 ms", "framing": "valid"},
        {"kind": "mel", "bands": 3, "fmin": "125 Hz", "fmax": "1 kHz"},
        {"kind": "log", "unit": "dB"},
    ],
}


def make(path: Path, seconds: int) -> None:
    soundfile.write(path, np.zeros(1, np.int16), RATE, format="RF64")
    tone = (8000 * np.sin(2 * np.pi * 440 / RATE * np.arange(5 * RATE))).astype("<i2")
    with open(path, "r+b") as file:
        begin = file.seek(0, 2) - 2
        for hour in (3, 11, 20):
            file.seek(begin + 2 * RATE * (hour * 3600 * seconds // DAY))
            file.write(tone.tobytes())
        file.truncate(begin + 2 * RATE * seconds)
        size = file.seek(0, 2)
        file.seek(20)
        file.write(b"".join(n.to_bytes(8, "little") for n in (size - 8, size - begin, (size - begin) // 2)))


def main(path: Path, folder: Path) -> None:
    report = atc.extract_folder(path, folder / "features", atc.Recipe.from_dict(RECIPE), format="npy")
    print(f"{report.audio_seconds / 3600:.1f} h at {report.speed:,.0f} x real time, {report.frames:,} frames")

    values = atc.load(folder / "features")[0].values  # mapped
    minutes = values.shape[2] // 600
    if minutes == 0:
        sys.exit("it is shorter than a minute")
    loudness = values[0].max(axis=0)[: minutes * 600].reshape(minutes, 600).max(axis=1)
    loudest = sorted(np.argsort(loudness)[-3:])
    print("loudest minutes:", ", ".join(f"{minute // 60:02d}:{minute % 60:02d}" for minute in loudest))

    start = 60.0 * loudest[0]
    detail = atc.extract(path, "gammatone-64", start=start, stop=start + 2)
    band = detail.feature_names[int(detail.values[0].mean(axis=1).argmax())]
    print(f"{detail.shape[2]} frames from {detail.frame_times[0]:.1f} s on; most energy at {band}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        if len(sys.argv) > 1:
            main(Path(sys.argv[1]), Path(name))
        else:
            make(Path(name) / "day.wav", DAY)
            main(Path(name) / "day.wav", Path(name))
