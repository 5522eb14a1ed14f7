"""Which language is it? Telephone prompts, split by prompt: the same sentence is never in training and in test.

    apt-get install asterisk-core-sounds-{en,es,fr,it,ru}-wav asterisk-prompt-it-menardi-wav
    python examples/spoken_language.py /usr/share/asterisk/sounds

There is one voice for each language, and so a classifier may learn voices. Whether it knows a language shows with a
voice that it has never heard: a second Italian one. Prompts left out say nothing about that; so what makes features is
chosen on prompts left out that are made to sound like another voice on another line. Without a folder it does the same
with the digits that come along, where a speaker stands for the new voice.
"""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
import soundfile
from comparison import DATA, FEATURES, STATISTICS, Ridge, Task, compare, log_mel, series_of
from scipy.signal import lfilter, resample_poly
from sklearn.metrics import balanced_accuracy_score
from sklearn.model_selection import GroupKFold
from sklearn.preprocessing import StandardScaler

from audiotconv.learn import FeatureExtractor

VOICES = {
    "English": "en_US_f_Allison",
    "Spanish": "es_MX_f_Allison",
    "French": "fr_CA_f_June",
    "Italian": "it_IT_m_Carlo",
    "Russian": "ru_RU_f_IvrvoiceRU",
}
NEW_VOICE = "Italian", "it_IT_f_Menardi"
SHORTEST = 8000  # bytes, half a second
FRONT_ENDS = ("whisper-80", "librosa-mel-128", "kaldi-fbank-80", "kaldi-mfcc-13", "librosa-mfcc-20", "htk-mfcc-39")


def prompts(folder):
    """Paths of a voice's prompts that say something."""
    return [path for path in sorted(folder.rglob("*.wav")) if path.stat().st_size > SHORTEST]


def told(found):
    return f"({', '.join(f'{count} {name}' for name, count in Counter(found.tolist()).most_common())})"


def another_voice(sound, random):
    """A prompt as if somebody else had said it elsewhere: higher or lower, brighter or darker."""
    up, down = ((7, 8), (13, 14), (14, 13), (8, 7))[random.integers(4)]
    return lfilter([1, random.choice([-0.4, 0.4])], [1], resample_poly(sound, up, down)).astype(np.float32)


def best_front_end(paths, labels, groups):
    """The recipe whose statistics do best on prompts left out, in another voice; its extractor; what has learnt all."""
    sounds, rates = zip(*(soundfile.read(path, dtype="float32") for path in paths), strict=True)
    random = np.random.default_rng(0)
    others = [another_voice(sound, random) for sound in sounds]
    labels, groups, best = np.asarray(labels), np.asarray(groups), (-1.0,)
    for name in FRONT_ENDS:
        extractor = FeatureExtractor(name, list(STATISTICS), sample_rate=rates[0], n_jobs=-1).fit(sounds)
        rows, changed = extractor.transform(sounds), extractor.transform(others)
        as_said, as_changed = np.empty_like(labels), np.empty_like(labels)
        for train, test in GroupKFold(4 if len(set(groups)) > 3 else 3).split(labels, groups=groups):
            model = Ridge([StandardScaler]).fit([rows[train]], labels[train], groups[train])
            as_said[test], as_changed[test] = model.predict([rows[test]]), model.predict([changed[test]])
        scores = [balanced_accuracy_score(labels, found) for found in (as_said, as_changed)]
        print(f"{scores[0]:.3f}, in another voice {scores[1]:.3f}  statistics of {name}")
        if scores[1] > best[0]:
            best = scores[1], name, extractor, Ridge([StandardScaler]).fit([rows], labels, groups)
    return best[1:]


def main(folder=None):
    if folder is None:
        paths = sorted(DATA.glob("*/*.wav"))
        new = [path for path in paths if path.stem == "dan" and path.parent.name == "one"]
        language = "one"
        paths = [path for path in paths if path.stem != "dan"]
        labels, groups = [path.parent.name for path in paths], [path.stem for path in paths]
        recipe = log_mel(16000, fmax="7600 Hz")
    else:
        found = {name: Path(folder) / voice for name, voice in VOICES.items()}
        paths = [path for voice in found.values() for path in prompts(voice)]
        labels = [name for name, voice in found.items() for _ in prompts(voice)]
        groups = [str(path.relative_to(voice)) for voice in found.values() for path in prompts(voice)]
        language, new = NEW_VOICE[0], prompts(Path(folder) / NEW_VOICE[1])
        recipe = log_mel(8000, 40, "100 Hz", "3800 Hz")
    print(f"{len(paths)} prompts of {len(set(labels))} classes, prompts left out in turn:")
    name, extractor, model = best_front_end(paths, labels, groups)
    found = model.predict([extractor.transform(new)])
    print(f"a voice never heard, {len(new)} prompts, of which are called {language}:")
    print(f"{np.mean(found == language):.3f}  statistics of {name} {told(found)}")
    print("the same of log-mel, prompts left out in turn:")
    series = series_of(paths, recipe, 8000)
    if len(paths) > 1000:
        del series["waveform"]  # half an hour
    task = Task(series, labels, groups)
    compare(task, "Languages of prompts", "languages.png", folds=4 if len(set(groups)) > 9 else None)
    unheard = series_of(new, recipe, 8000)
    print("the voice never heard:")
    for name in task.features:
        found = task.trained(name, np.arange(len(paths)), task.groups)(unheard[FEATURES[name][0]])
        print(f"{np.mean(found == language):.3f}  {name} {told(found)}")


if __name__ == "__main__":
    main(*sys.argv[1:2])
