"""Sound in: the only room that imports soundfile."""

from .reader import MAX_RATE, AudioReader, is_sound_name, shown, sound_suffixes
from .samples import as_samples, mean_of_channels, scale_of

__all__ = [
    "MAX_RATE",
    "AudioReader",
    "as_samples",
    "is_sound_name",
    "mean_of_channels",
    "scale_of",
    "shown",
    "sound_suffixes",
]
