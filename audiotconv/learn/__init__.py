"""From feature maps to classifiers: scikit-learn transformers, and the ROCKET family for audio.

Needs scikit-learn: ``pip install "audiotconv[learn]"``.
"""

try:
    import sklearn as _sklearn  # noqa: F401
except ImportError:
    raise ImportError('audiotconv.learn needs scikit-learn: pip install "audiotconv[learn]"') from None

from .extractor import FeatureExtractor
from .hydra import Hydra, SparseScaler
from .minirocket import MiniRocket
from .multirocket import MultiRocket
from .rocket import Rocket

__all__ = ["FeatureExtractor", "Hydra", "MiniRocket", "MultiRocket", "Rocket", "SparseScaler"]
