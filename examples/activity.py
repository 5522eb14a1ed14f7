"""Temporal convolution beyond audio: what is somebody with a smart watch doing?

BasicMotions has 80 recordings of 10 s, six channels of acceleration and rotation each: standing, walking, running and
playing badminton. aeon brings it along (pip install aeon).

    python examples/activity.py
    python examples/activity.py FOLDER    # FOLDER/ACTIVITY/PERSON-anything.csv: a column for each channel

Without aeon it makes up recordings of the kind.
"""

import sys
import warnings
from pathlib import Path

import numpy as np
from comparison import Task, compare


def recordings(folder):
    """Series (channels, time), activities and persons of a folder of CSV files."""
    paths = sorted(Path(folder).glob("*/*.csv"))
    series = [np.loadtxt(path, delimiter=",", ndmin=2).T for path in paths]
    return series, [path.parent.name for path in paths], [path.stem.partition("-")[0] for path in paths]


def basic_motions():
    """The same of BasicMotions, which does not say who moved: its halves stand for persons."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from aeon.datasets import load_basic_motions
    halves = [load_basic_motions(split=split) for split in ("train", "test")]
    groups = [name for name, (series, _) in zip(("first", "second"), halves, strict=True) for _ in series]
    return (
        [each for series, _ in halves for each in series],
        [label for _, labels in halves for label in labels],
        groups,
    )


def made_up():
    """Swinging of four speeds, by five persons."""
    rng = np.random.default_rng(0)
    series, labels, persons = [], [], []
    for activity, rate in (("standing", 0.0), ("walking", 1.0), ("running", 2.5), ("badminton", 0.6)):
        for person in range(5):
            times = np.arange(100) / 10
            swing = np.sin(2 * np.pi * rate * rng.uniform(0.9, 1.1) * times + rng.uniform(0, 6, (6, 1)))
            series.append(swing * (1 + rate) + 0.3 * rng.standard_normal((6, 100)))
            labels.append(activity)
            persons.append(f"person {person}")
    return series, labels, persons


def main(folder=None):
    if folder:
        series, labels, groups = recordings(folder)
    else:
        try:
            series, labels, groups = basic_motions()
        except ImportError:
            series, labels, groups = made_up()
    print(f"{len(series)} recordings of {len(set(labels))} activities, {len(set(groups))} groups left out in turn:")
    series = [np.asarray(each, np.float32) for each in series]
    task = Task({"waveform": series, "log-mel": series}, labels, groups, cuts=())  # series are no log-mel frames
    compare(task, "Activities", "activities.png")


if __name__ == "__main__":
    main(*sys.argv[1:2])
