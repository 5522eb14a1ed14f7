"""Sound in: the only room that imports soundfile and soxr."""

from .intake import Inlet, Intake
from .reader import MAX_RATE, MIN_RATE, AudioReader, is_sound_name, selected, shown, sound_suffixes
from .resample import MAX_RATIO, Resampler, resampled_length, resampling_delay
from .samples import as_samples, mean_of_channels, scale_of

__all__ = [
    "MAX_RATE",
    "MAX_RATIO",
    "MIN_RATE",
    "AudioReader",
    "Inlet",
    "Intake",
    "Resampler",
    "as_samples",
    "is_sound_name",
    "mean_of_channels",
    "resampled_length",
    "resampling_delay",
    "scale_of",
    "selected",
    "shown",
    "sound_suffixes",
]
