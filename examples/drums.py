"""Which drum is it? Kits of Hydrogen's, each left out in turn: never some files of a kit in training, others in test.

    apt-get install hydrogen-drumkits
    python examples/drums.py /usr/share/hydrogen/data/drumkits

Without a folder it does the same with the spoken digits that come along, where speakers stand for kits.
"""

import re
import sys
from pathlib import Path
from xml.etree import ElementTree

from comparison import DATA, Task, compare, log_mel, series_of

DRUMS = {
    "kick": r"kick|bass ?drum",
    "snare": r"snare",
    "tom": r"\btom|tom ",
    "hi-hat": r"\bhat\b|\bo?hh\b|hi-hat|hi hat",
    "cymbal": r"crash|ride|china|splash|cymbal|paiste bell",
}
# The stroke, or how long it rings? How deep? Chosen on kits left out of the training side.
CUTS = [(frames, depth) for frames in (20, 40, 80, None) for depth in (8.0, 12.0, 18.0)]


def drums(folder):
    """(path, drum, kit) of every sample whose instrument's name says what it is."""
    for kit in sorted(Path(folder).glob("*/drumkit.xml")):
        seen = set()
        for instrument in ElementTree.parse(kit).iterfind(".//{*}instrument"):
            name = (instrument.findtext("{*}name") or "").lower()
            kinds = [drum for drum, words in DRUMS.items() if re.search(words, name)]
            for file in instrument.iterfind(".//{*}filename"):
                path = kit.parent / (file.text or "")
                if kinds and path not in seen and path.is_file():
                    seen.add(path)
                    yield path, kinds[0], kit.parent.name


def main(folder=None):
    if folder is None:
        found = [(path, path.parent.name, path.stem) for path in sorted(DATA.glob("*/*.wav"))]
        recipe, rate = log_mel(16000, fmax="7600 Hz"), 8000
    else:
        found = list(drums(folder))
        recipe, rate = log_mel(44100, fmax="20 kHz"), 16000
    paths, labels, kits = zip(*found, strict=True)
    print(f"{len(paths)} samples of {len(set(labels))} classes, {len(set(kits))} kits left out in turn:")
    task = Task(series_of(paths, recipe, rate), labels, kits, CUTS, rate)
    compare(task, "Drums of a kit never heard", "drums.png")


if __name__ == "__main__":
    main(*sys.argv[1:2])
