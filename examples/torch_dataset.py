"""A feature store as a torch Dataset: batches of feature maps, padded, with their lengths and labels.

python examples/torch_dataset.py [FOLDER]
"""

import sys
import tempfile
from pathlib import Path

import audiotconv as atc

try:
    import torch
except ImportError:  # nothing of audiotconv needs it
    torch = None


def dataset(store):
    """Items are (values, label number): a map-style Dataset is anything with a length and items by number."""
    names = sorted(set(store.labels))

    class Features(torch.utils.data.Dataset):
        def __len__(self):
            return len(store)

        def __getitem__(self, number):
            row = store[number]
            return torch.from_numpy(row.values[0].copy()), names.index(row.label)

    return Features(), names


def padded(items):
    """Recordings of different lengths in one tensor: (batch, features, frames), and how many frames are real."""
    lengths = torch.tensor([values.shape[1] for values, _ in items])
    x = torch.zeros(len(items), items[0][0].shape[0], int(lengths.max()))
    for row, (values, _) in zip(x, items, strict=True):
        row[:, : values.shape[1]] = values
    return x, lengths, torch.tensor([label for _, label in items])


def main(folder: str) -> None:
    if torch is None:
        print("torch is not installed")
        return
    with tempfile.TemporaryDirectory() as target:
        atc.extract_folder(folder, target, "kaldi-fbank-80", label="parent", channels="mono")
        train, test = atc.load(target).split(0.3, by=lambda key: key.rpartition("/")[2])
        data, names = dataset(train)
        loader = torch.utils.data.DataLoader(data, batch_size=8, collate_fn=padded)
        for x, lengths, labels in loader:
            print(tuple(x.shape), lengths.tolist(), [names[label] for label in labels][:3])
        print(f"{len(train)} recordings to train on, {len(test)} of other speakers to test on")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(Path(__file__).parent.parent / "data" / "digits"))
