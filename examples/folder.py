"""A folder of recordings becomes a feature store, and the store becomes arrays and labels.

python examples/folder.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import audiotconv as atc


def main(folder: str) -> None:
    with tempfile.TemporaryDirectory() as target:
        report = atc.extract_folder(folder, target, "gammatone-64", label="parent", channels="mono")
        print(
            f"{report.done} of {report.files} recordings, {report.audio_seconds:.0f} s, {report.speed:.0f} x real time"
        )
        for failure in report.failures:
            print("set aside:", failure.message)

        store = atc.load(target)
        x = np.array([row.values[0].mean(axis=1) for row in store])  # (recordings, bands)
        labels = np.array(store.labels)
    print(f"mean log energies: {x.shape}, {len(set(labels))} labels")
    for label in sorted(set(labels)):
        loudest = x[labels == label].mean(axis=0).argmax()
        print(f"  {label}: loudest in band {loudest}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(Path(__file__).parent.parent / "data" / "digits"))
