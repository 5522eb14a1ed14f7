"""A live level meter and band display in the terminal, from PCM on standard input.

    arecord -q -t raw -f S16_LE -r 16000 | python examples/live.py
    sox recording.wav -t raw -r 16000 -e signed -b 16 -c 1 - | python examples/live.py

Without a pipe it plays a recording of this repository. Each band of a gammatone filter bank is a column, as high as
its energy; below it is the level. What is shown is at most a chunk and the stream's latency old.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from rich.live import Live
from rich.text import Text

import audiotconv as atc

RATE, CHUNK = 16_000, 640  # 40 ms
FLOOR, TOP = -70.0, -10.0  # dB
BLOCKS = " ▁▂▃▄▅▆▇█"


def chunks() -> Iterator[np.ndarray]:
    if not sys.stdin.isatty() and (first := sys.stdin.buffer.read(2 * CHUNK)):
        yield np.frombuffer(first[: len(first) // 2 * 2], "<i2")
        while data := sys.stdin.buffer.read(2 * CHUNK):
            yield np.frombuffer(data[: len(data) // 2 * 2], "<i2")
        return
    import soundfile

    samples, rate = soundfile.read(Path(__file__).parent.parent / "data" / "formats" / "8-channels.wav", dtype="int16")
    assert rate == RATE
    for start in range(0, len(samples), CHUNK):
        yield samples[start : start + CHUNK, 0]


def shown(values: np.ndarray) -> str:
    """A block character for each value in dB."""
    steps = np.clip((values - FLOOR) / (TOP - FLOOR), 0, 1) * (len(BLOCKS) - 1)
    return "".join(BLOCKS[step] for step in steps.round().astype(int))


def main() -> None:
    stream = atc.Stream("gammatone-64", RATE)
    frames = 0
    loudest = -np.inf
    print(f"{len(stream.feature_names)} bands, latency {stream.latency.seconds * 1e3:.1f} ms")
    with Live(auto_refresh=False) as screen:
        for chunk in chunks():
            features = stream.push(chunk)
            frames += features.shape[2]
            if features.shape[2]:
                energy = np.exp(features.values[0]).mean(axis=1)  # of each band, over the chunk's frames
                level = 10 * np.log10(energy.sum())
                loudest = max(loudest, level)
                bar = "█" * int(np.clip((level - FLOOR) / (TOP - FLOOR), 0, 1) * 64)
                screen.update(Text(f"{shown(10 * np.log10(energy))}\n{bar:64} {level:6.1f} dB"), refresh=True)
    frames += stream.flush().shape[2]
    print(f"{frames} frames, the loudest {loudest:.1f} dB")


if __name__ == "__main__":
    main()
