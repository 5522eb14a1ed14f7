"""Stages: parameters, geometry, run; and the convolution and pooling functions on the same kernels."""

from .bank_energy import BankEnergy
from .base import Stage
from .chain import Chain
from .conv import conv1d
from .log import Log
from .pool import pool1d

__all__ = ["BankEnergy", "Chain", "Log", "Stage", "conv1d", "pool1d"]
