"""A feature store in Hugging Face's datasets, which reads its Parquet shards as they are.

python examples/hugging_face.py [FOLDER]
"""

import json
import sys
import tempfile
from pathlib import Path

import numpy as np

import audiotconv as atc

try:
    import datasets
except ImportError:  # nothing of audiotconv needs it
    datasets = None


def main(folder: str) -> None:
    if datasets is None:
        print("datasets is not installed")
        return
    with tempfile.TemporaryDirectory() as target:
        atc.extract_folder(folder, target, "gammatone-64", label="parent", channels="mono")
        run = json.loads((Path(target) / "audiotconv.json").read_text())["folder"]
        shards = str(Path(target) / run / "*.parquet")
        data = datasets.load_dataset("parquet", data_files=shards, split="train", cache_dir=f"{target}/cache")
        row = data[0]
        values = np.array(row["values"], np.float32).reshape(row["shape"])
        print(f"{len(data)} rows of {data.column_names[:3]}...; {row['key']}: {values.shape}, label {row['label']}")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else str(Path(__file__).parent.parent / "data" / "digits"))
