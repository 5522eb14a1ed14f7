"""What the examples of classification share: features to compare, a fair score, and a picture of the confusions.

Run it to see all of it on the spoken digits that come along: `python examples/comparison.py`.
"""

from collections import Counter
from pathlib import Path

import numpy as np
from sklearn.metrics import balanced_accuracy_score, confusion_matrix
from sklearn.model_selection import GroupKFold, StratifiedKFold
from sklearn.preprocessing import StandardScaler

import audiotconv as atc
from audiotconv.learn import FeatureExtractor, Hydra, MiniRocket, MultiRocket, SparseScaler
from audiotconv.stages import Statistics

STATISTICS = ("mean", "std", "max", "min", "delta_mean", "delta_std", "p10", "p90")
DATA = Path(__file__).parent.parent / "data" / "digits"


def log_mel(sample_rate, bands=64, fmin="30 Hz", fmax=None, duration=None):
    """Log-mel frames of 25 ms every 10 ms, 52 dB deep below the loudest value: recordings are equally loud."""
    recipe = {
        "name": f"log-mel-{bands}",
        "version": 1,
        "sample_rate": f"{sample_rate} Hz",
        "stage": [
            {"kind": "spectrum", "window": "hann", "length": "25 ms", "hop": "10 ms"},
            {"kind": "mel", "bands": bands, "fmin": fmin, "fmax": fmax or f"{sample_rate // 2} Hz"},
            {"kind": "log", "floor": 1e-8},
            {"kind": "range", "below": 12.0, "from_maximum": True},
        ],
    }
    return atc.Recipe.from_dict(recipe | ({"duration": duration} if duration else {}))


class Rows:
    """Rows of features of series: fitted to the training side, and scaled by it."""

    def __init__(self, *parts):
        self.parts = [(make(), SparseScaler() if make is hydra else StandardScaler()) for make in parts]

    def fit_transform(self, series):
        return self._scaled([scaler.fit_transform(part.fit_transform(series)) for part, scaler in self.parts])

    def transform(self, series):
        return self._scaled([scaler.transform(part.transform(series)) for part, scaler in self.parts])

    def _scaled(self, blocks):
        # No block outweighs another, however many features it has.
        return np.hstack([block / np.sqrt(block.shape[1]) for block in blocks]).astype(np.float32)


class Summary:
    """Statistics over time of series that are there already."""

    def fit_transform(self, series):
        names = tuple(map(str, range(len(series[0]))))
        self.stage = Statistics(names, statistics=STATISTICS)
        return self.transform(series)

    def transform(self, series):
        return np.stack([self.stage.run(each[None], 0, 1, 1)[0, :, 0] for each in series])


def mini():
    return MiniRocket(random_state=0, n_jobs=-1)


def multi():
    return MultiRocket(random_state=0, n_jobs=-1)


def hydra():
    return Hydra(random_state=0, n_jobs=-1)


# What is compared: a name, which series, and what makes rows of them.
FEATURES = {
    "statistics of log-mel": ("log-mel", (Summary,)),
    "MiniRocket on the waveform": ("waveform", (mini,)),
    "MiniRocket on log-mel": ("log-mel", (mini,)),
    "MultiRocket on log-mel": ("log-mel", (multi,)),
    "Hydra on log-mel": ("log-mel", (hydra,)),
    "statistics + MiniRocket + Hydra": ("log-mel", (Summary, mini, hydra)),
}


class Ridge:
    """Ridge regression to the classes, each weighing the same; its strength is chosen on groups left out in turn."""

    strengths = np.logspace(-4, 2, 13)

    def fit(self, rows, labels, groups):
        self.classes = np.unique(labels)
        folds = min(4, len(np.unique(groups)))
        found = np.empty((len(self.strengths), len(labels)), labels.dtype)
        for train, test in GroupKFold(folds).split(rows, labels, groups) if folds > 1 else ():
            for number, scores in enumerate(self._solve(rows[train], labels[train], rows[test], self.strengths)):
                found[number, test] = self.classes[scores.argmax(axis=1)]
        scores = [balanced_accuracy_score(labels, each) for each in found] if folds > 1 else [0.0]
        self.strength, self.seen = self.strengths[int(np.argmax(scores))], (rows, labels)
        return self

    def predict(self, rows):
        scores = next(iter(self._solve(*self.seen, rows, [self.strength])))
        return self.classes[scores.argmax(axis=1)]

    def _solve(self, rows, labels, others, strengths):
        """Scores of the others for each strength, from one decomposition of the rows' products."""
        targets = np.where(labels[:, None] == self.classes, 1.0, -1.0)
        counts = Counter(labels.tolist())
        root = np.sqrt([len(labels) / (len(counts) * counts[label]) for label in labels.tolist()])[:, None]
        middle, offset = rows.mean(axis=0), (targets * root**2).mean(axis=0)
        weighted = (rows - middle) * root
        values, vectors = np.linalg.eigh(weighted @ weighted.T)
        across = (others - middle) @ weighted.T @ vectors
        goal = vectors.T @ ((targets - offset) * root)
        for strength in strengths:
            yield across @ (goal / (np.maximum(values, 0) + strength * len(rows))[:, None]) + offset


def left_out(series, labels, groups, parts, folds=None):
    """Predictions for each group by what was learnt from all others (or from those of other folds)."""
    found = np.empty(len(labels), labels.dtype)
    for train, test in GroupKFold(folds or len(np.unique(groups))).split(labels, labels, groups):
        found[test] = trained(series, labels, groups, parts, train)([series[at] for at in test])
    return found


def trained(series, labels, groups, parts, train):
    """A function from series to labels, which knows those numbered `train`."""
    rows = Rows(*parts)
    model = Ridge().fit(rows.fit_transform([series[at] for at in train]), labels[train], groups[train])
    return lambda others: model.predict(rows.transform(others))


def leaky(series, labels, parts):
    """The score of a split that ignores groups: what a reader must not believe."""
    found = np.empty(len(labels), labels.dtype)
    folds = max(2, min(5, min(Counter(labels.tolist()).values())))
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=0).split(labels, labels):
        found[test] = trained(series, labels, np.arange(len(labels)), parts, train)([series[at] for at in test])
    return balanced_accuracy_score(labels, found)


def series_of(paths, recipe, waveform_rate):
    """Log-mel maps and waveforms of recordings."""
    raw = atc.get_recipe("waveform-16k").changed(sample_rate=waveform_rate, duration=recipe.duration)
    kinds = {"log-mel": recipe, "waveform": raw}
    return {kind: FeatureExtractor(each, None, n_jobs=-1).fit(paths).transform(paths) for kind, each in kinds.items()}


def draw(labels, found, title, path):
    """A confusion matrix as a picture, in shares of each class; nothing without matplotlib."""
    try:
        from matplotlib.figure import Figure
    except ImportError:
        return
    classes = np.unique(labels)
    shares = confusion_matrix(labels, found, labels=classes, normalize="true")
    size = 2.5 + 0.55 * len(classes)
    axes = Figure(figsize=(size + 1, size), layout="constrained").add_subplot()
    image = axes.imshow(shares, vmin=0, vmax=1, cmap="Blues")
    for row, column in np.ndindex(shares.shape):
        colour = "white" if shares[row, column] > 0.5 else "black"
        axes.text(column, row, f"{shares[row, column]:.0%}", ha="center", va="center", color=colour)
    axes.set(xlabel="found", ylabel="is", title=title, xticks=range(len(classes)), yticks=range(len(classes)))
    axes.set_xticklabels(classes, rotation=45, ha="right")
    axes.set_yticklabels(classes)
    axes.figure.colorbar(image, label="share of the class")
    axes.figure.savefig(path, dpi=120)
    print(f"confusions: {path}")


def compare(series, labels, groups, title, picture, folds=None):
    """Print the score of each kind of features, groups left out, and draw the confusions of the best."""
    labels, groups = np.asarray(labels), np.asarray(groups)
    found = {
        name: left_out(series[kind], labels, groups, parts, folds)
        for name, (kind, parts) in FEATURES.items()
        if kind in series
    }
    for name, each in found.items():
        print(f"{balanced_accuracy_score(labels, each):.3f}  {name}")
    best = max(found, key=lambda name: balanced_accuracy_score(labels, found[name]))
    kind, parts = FEATURES[best]
    print(f"{leaky(series[kind], labels, parts):.3f}  {best}, split by file: leaks what groups have in common")
    draw(labels, found[best], f"{title}\n{best}", picture)


def main():
    paths = sorted(DATA.glob("*/*.wav"))
    series = series_of(paths, log_mel(16000, fmax="7600 Hz"), 8000)
    print(f"{len(paths)} spoken digits, speakers left out in turn: balanced accuracy")
    labels, speakers = [path.parent.name for path in paths], [path.stem for path in paths]
    compare(series, labels, speakers, "Spoken digits", "digits.png")


if __name__ == "__main__":
    main()
