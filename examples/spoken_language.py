"""Which language is it? Telephone prompts, split by prompt: the same sentence is never in training and in test.

    apt-get install asterisk-core-sounds-{en,es,fr,it,ru}-wav asterisk-prompt-it-menardi-wav
    python examples/spoken_language.py /usr/share/asterisk/sounds

There is one voice for each language, and so a classifier may learn voices. Whether it knows a language shows with a
voice that it has never heard: a second Italian one. Without a folder it does the same with the digits that come along,
where a speaker stands for the new voice.
"""

import sys
from collections import Counter
from pathlib import Path

import numpy as np
from comparison import DATA, FEATURES, Task, compare, log_mel, series_of

VOICES = {
    "English": "en_US_f_Allison",
    "Spanish": "es_MX_f_Allison",
    "French": "fr_CA_f_June",
    "Italian": "it_IT_m_Carlo",
    "Russian": "ru_RU_f_IvrvoiceRU",
}
NEW_VOICE = "Italian", "it_IT_f_Menardi"
SHORTEST = 8000  # bytes, half a second


def prompts(folder):
    """Paths of a voice's prompts that say something."""
    return [path for path in sorted(folder.rglob("*.wav")) if path.stat().st_size > SHORTEST]


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
    series = series_of(paths, recipe, 8000)
    if len(paths) > 1000:
        del series["waveform"]  # half an hour
    task = Task(series, labels, groups)
    compare(task, "Languages of prompts", "languages.png", folds=4 if len(set(groups)) > 9 else None)
    unheard = series_of(new, recipe, 8000)
    print(f"a voice never heard, {len(new)} prompts, of which are called {language}:")
    for name in task.features:
        found = task.trained(name, np.arange(len(paths)), task.groups)(unheard[FEATURES[name][0]])
        print(f"{np.mean(found == language):.3f}  {name} ({dict(Counter(found.tolist()).most_common())})")


if __name__ == "__main__":
    main(*sys.argv[1:2])
