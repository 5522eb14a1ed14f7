"""Draw a recording and its feature map (needs the extra `plot`).

python examples/picture.py [FILE [PICTURE.png]]
"""

import sys
from pathlib import Path

from audiotconv.picture import draw

if __name__ == "__main__":
    default = Path(__file__).parent.parent / "data" / "formats" / "24-bit.wav"
    path, picture = [*sys.argv[1:], *[default, "feature-map.png"][len(sys.argv) - 1 :]][:2]
    draw(path, picture, "gammatone-64")
    print(picture)
