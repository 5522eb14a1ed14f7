"""Stages: parameters, geometry, run; and the convolution and pooling functions on the same kernels."""

from .bands import Bands
from .bank_energy import BankEnergy
from .base import Stage, Step
from .buffer import SequentialBuffer
from .chain import Chain, Flow
from .clamp import Range
from .conv import conv1d
from .conv_layer import Conv1d
from .conv_transpose import conv_transpose1d
from .deltas import Deltas
from .energy import filter_energy
from .frame_stage import FrameStage
from .gaussian_pool import GaussianPool
from .log import Log
from .minirocket import MiniRocketClip, MiniRocketMap
from .normal import MeanVariance
from .pcen import Pcen
from .plan import Plan, plan
from .pool import pool1d
from .pool_layer import Pool1d
from .samples import Samples
from .shape import SpectralShape
from .spectrum import Spectrum
from .stack import Residual, Stack
from .statistics import Statistics
from .stft import stft
from .waveform import Waveform

__all__ = [
    "Bands",
    "BankEnergy",
    "Chain",
    "Conv1d",
    "Deltas",
    "Flow",
    "FrameStage",
    "GaussianPool",
    "Log",
    "MeanVariance",
    "MiniRocketClip",
    "MiniRocketMap",
    "Pcen",
    "Plan",
    "Pool1d",
    "Range",
    "Residual",
    "Samples",
    "SequentialBuffer",
    "SpectralShape",
    "Spectrum",
    "Stack",
    "Stage",
    "Statistics",
    "Step",
    "Waveform",
    "conv1d",
    "conv_transpose1d",
    "filter_energy",
    "plan",
    "pool1d",
    "stft",
]
