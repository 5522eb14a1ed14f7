"""Draw a recording and its feature map (needs the extra `plot`).

python examples/picture.py [FILE [PICTURE.png]]
"""

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
import soundfile

import audiotconv as atc


def main(path: str, picture: str) -> None:
    samples, rate = soundfile.read(path, always_2d=True)
    features = atc.extract(path, "gammatone-64")
    decibels = features.values[0] * 10 / np.log(10)
    centres = [float(name.removesuffix(" Hz")) for name in features.feature_names]

    figure, (top, bottom) = plt.subplots(
        2, 1, figsize=(9, 4.8), sharex=True, height_ratios=(1, 3), layout="constrained"
    )
    top.plot(np.arange(len(samples)) / rate, samples[:, 0], linewidth=0.4, color="black")
    top.set_ylabel("amplitude")
    image = bottom.pcolormesh(features.frame_times, np.arange(64), decibels, vmin=decibels.max() - 80, cmap="magma")
    ticks = np.arange(0, 64, 9)
    bottom.set_yticks(ticks, [f"{centres[tick]:,.0f}" for tick in ticks])
    bottom.set_ylabel("centre frequency (Hz)")
    bottom.set_xlabel("time (s)")
    bottom.set_xlim(0, len(samples) / rate)
    figure.colorbar(image, ax=bottom, label="power (dB)")
    top.set_title(f"{Path(path).name}: {features.recipe.name}")
    figure.savefig(picture, dpi=100)
    print(picture)


if __name__ == "__main__":
    default = Path(__file__).parent.parent / "data" / "formats" / "24-bit.wav"
    main(sys.argv[1] if len(sys.argv) > 1 else str(default), sys.argv[2] if len(sys.argv) > 2 else "feature-map.png")
