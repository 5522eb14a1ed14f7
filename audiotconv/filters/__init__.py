"""Filter designs: NumPy only, nothing compiled."""

from .bank import FilterBank
from .chroma import chroma_bank
from .cosine import cepstral_lifter, cosine_matrix
from .gabor import gabor_bank
from .gammatone import gammatone_bank
from .mel import mel_bank
from .nine_taps import NineTapBank
from .scales import erb_bandwidth, erb_space, hz_to_mel, mel_space, mel_to_hz
from .sinc import sinc_bank
from .spectral import SpectralBank
from .stored import StoredFilters, read_filters
from .windows import window

__all__ = [
    "FilterBank",
    "NineTapBank",
    "SpectralBank",
    "StoredFilters",
    "cepstral_lifter",
    "chroma_bank",
    "cosine_matrix",
    "erb_bandwidth",
    "erb_space",
    "gabor_bank",
    "gammatone_bank",
    "hz_to_mel",
    "mel_bank",
    "mel_space",
    "mel_to_hz",
    "read_filters",
    "sinc_bank",
    "window",
]
