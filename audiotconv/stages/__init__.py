"""Stages: parameters, geometry, run; and the convolution and pooling functions on the same kernels."""

from .bands import Bands
from .bank_energy import BankEnergy
from .base import Stage
from .chain import Chain, Flow
from .conv import conv1d
from .conv_transpose import conv_transpose1d
from .energy import filter_energy
from .gaussian_pool import GaussianPool
from .log import Log
from .plan import Plan, plan
from .pool import pool1d
from .spectrum import Spectrum
from .stft import stft

__all__ = [
    "Bands",
    "BankEnergy",
    "Chain",
    "Flow",
    "GaussianPool",
    "Log",
    "Plan",
    "Spectrum",
    "Stage",
    "conv1d",
    "conv_transpose1d",
    "filter_energy",
    "plan",
    "pool1d",
    "stft",
]
