"""What the examples of classification share: features to compare, a fair score, and a picture of the confusions.

Run it to see all of it on the spoken digits that come along: `python examples/comparison.py`.
"""

from collections import Counter
from functools import partial
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
SILENCE = np.log(1e-8)  # the least value of log-mel
WHOLE = (None, 12.0)  # a way to cut log-mel: all frames, down to 52 dB below the loudest value


def log_mel(sample_rate, bands=64, fmin="30 Hz", fmax=None):
    """Log-mel frames of 25 ms every 10 ms."""
    recipe = {
        "name": f"log-mel-{bands}",
        "version": 1,
        "sample_rate": f"{sample_rate} Hz",
        "stage": [
            {"kind": "spectrum", "window": "hann", "length": "25 ms", "hop": "10 ms"},
            {"kind": "mel", "bands": bands, "fmin": fmin, "fmax": fmax or f"{sample_rate // 2} Hz"},
            {"kind": "log", "floor": float(np.exp(SILENCE))},
        ],
    }
    return atc.Recipe.from_dict(recipe)


def first(series, count, silence):
    """The first so many values of series (all, if None), filled up with silence."""
    for each in series:
        lacking = 0 if count is None else max(0, count - each.shape[1])
        yield np.pad(each[:, :count], ((0, 0), (0, lacking)), constant_values=silence)


def cut(maps, frames, depth):
    """The first frames of log-mel maps, down to `depth` below the loudest value: recordings are equally loud."""
    return [np.maximum(each - each.max(), -depth) for each in first(maps, frames, SILENCE)]


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
    """Ridge regression from blocks of features to classes, each weighing the same.

    Its strength is chosen on groups left out in turn; what scales features is fitted without them, too.
    """

    strengths = np.logspace(-4, 2, 13)

    def __init__(self, scalers):
        self.scalers = scalers

    def fit(self, blocks, labels, groups):
        self.classes = np.unique(labels)
        folds = min(4, len(np.unique(groups)))
        found = np.empty((len(self.strengths), len(labels)), labels.dtype)
        for train, test in GroupKFold(folds).split(labels, groups=groups) if folds > 1 else ():
            sides = ([block[side] for block in blocks] for side in (train, test))
            for number, scores in enumerate(self._solve(*sides, labels[train], self.strengths)):
                found[number, test] = self.classes[scores.argmax(axis=1)]
        scores = [balanced_accuracy_score(labels, each) for each in found] if folds > 1 else [0.0]
        self.score, self.strength, self.seen = max(scores), self.strengths[int(np.argmax(scores))], (blocks, labels)
        return self

    def predict(self, blocks):
        known, labels = self.seen
        return self.classes[next(iter(self._solve(known, blocks, labels, [self.strength]))).argmax(axis=1)]

    def _solve(self, known, others, labels, strengths):
        """Scores of the others for each strength, from one decomposition of the known rows' products."""
        scalers = [make().fit(block) for make, block in zip(self.scalers, known, strict=True)]
        rows, others = (
            # No block outweighs another, however many features it has.
            np.hstack([s.transform(block) / np.sqrt(block.shape[1]) for s, block in zip(scalers, side, strict=True)])
            for side in (known, others)
        )
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


class Task:
    """Series with labels, in groups that must never be on both sides of a split."""

    def __init__(self, series, labels, groups, cuts=(WHOLE,), waveform_rate=8000):
        self.series, self.labels, self.groups = series, np.asarray(labels), np.asarray(groups)
        self.cuts, self.hop = cuts, waveform_rate // 100
        self._chosen = {}

    @property
    def features(self):
        return [name for name, (kind, _) in FEATURES.items() if kind in self.series]

    def left_out(self, name, folds=None):
        """Labels found for each group by what was learnt from all others (or from those of other folds)."""
        splits = GroupKFold(folds or len(np.unique(self.groups))).split(self.labels, groups=self.groups)
        return self._found(name, splits, self.groups)

    def leaky(self, name):
        """Labels found with a split that ignores groups: what a reader must not believe."""
        folds = max(2, min(5, min(Counter(self.labels.tolist()).values())))
        splits = StratifiedKFold(folds, shuffle=True, random_state=0).split(self.labels, self.labels)
        return self._found(name, splits, np.arange(len(self.labels)))

    def _found(self, name, splits, groups):
        found = np.empty_like(self.labels)
        for train, test in splits:
            found[test] = self.trained(name, train, groups)([self.series[FEATURES[name][0]][at] for at in test])
        return found

    def trained(self, name, train, groups):
        """A function from series to labels, which knows those numbered `train`."""
        kind, parts = FEATURES[name]
        given, prepare = [self.series[kind][at] for at in train], list
        if self.cuts:
            frames, depth = self._best_cut(train, groups)
            if kind == "log-mel":
                prepare = partial(cut, frames=frames, depth=depth)
            else:
                prepare = lambda waves: list(first(waves, frames and frames * self.hop, 0.0))  # noqa: E731
        makers = [make() for make in parts]
        model = Ridge([SparseScaler if make is hydra else StandardScaler for make in parts])
        model.fit([maker.fit_transform(prepare(given)) for maker in makers], self.labels[train], groups[train])
        return lambda others: model.predict([maker.transform(prepare(others)) for maker in makers])

    def _best_cut(self, train, groups):
        """The cut whose statistics do best on groups left out of the training side: the test side has no say."""
        if len(self.cuts) == 1:
            return self.cuts[0]
        key = train.tobytes() + groups.tobytes()
        if key not in self._chosen:
            maps, scores = [self.series["log-mel"][at] for at in train], []
            for each in self.cuts:
                rows = Summary().fit_transform(cut(maps, *each))
                scores.append(Ridge([StandardScaler]).fit([rows], self.labels[train], groups[train]).score)
            self._chosen[key] = self.cuts[int(np.argmax(scores))]
        return self._chosen[key]


def series_of(paths, recipe, waveform_rate):
    """Log-mel maps and waveforms of recordings."""
    raw = atc.get_recipe("waveform-16k").changed(sample_rate=waveform_rate)
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


def compare(task, title, picture, folds=None):
    """Print the score of each kind of features, groups left out, and draw the confusions of the best."""
    found = {name: task.left_out(name, folds) for name in task.features}
    scores = {name: balanced_accuracy_score(task.labels, each) for name, each in found.items()}
    for name, score in scores.items():
        print(f"{score:.3f}  {name}")
    best = max(scores, key=scores.get)
    wrong = balanced_accuracy_score(task.labels, task.leaky(best))
    print(f"{wrong:.3f}  {best}, split by file: leaks what groups have in common")
    draw(task.labels, found[best], f"{title}\n{best}", picture)


def main():
    paths = sorted(DATA.glob("*/*.wav"))
    series = series_of(paths, log_mel(16000, fmax="7600 Hz"), 8000)
    print(f"{len(paths)} spoken digits, speakers left out in turn: balanced accuracy")
    labels, speakers = [path.parent.name for path in paths], [path.stem for path in paths]
    compare(Task(series, labels, speakers), "Spoken digits", "digits.png")


if __name__ == "__main__":
    main()
