"""The cosine transform that turns log-mel energies into cepstra, and lifters."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ..errors import ParameterError
from ..geometry import integer

__all__ = ["cepstral_lifter", "cosine_matrix"]

_MOST_WEIGHTS = 10_000_000


def cosine_matrix(
    count: int, bands: int, *, norm: str | None = "ortho", lifter: float = 0.0, lifter_kind: str = "kaldi"
) -> NDArray[np.float64]:
    """The first rows of a cosine transform of type II, each multiplied by its lifter.

    Row n is ``cos(pi n (k + 1/2) / bands)`` for bands k, times a factor: with "ortho" ``sqrt(2 / bands)``, and in row
    0 ``sqrt(1 / bands)``, so that the rows are of length 1; with "htk" ``sqrt(2 / bands)`` in all rows; with None 2.
    Cepstra are ``cosine_matrix(13, 80) @ log_mel``.

    Parameters
    ----------
    count : int
        Rows, at most `bands`.
    bands : int
    norm : "ortho", "htk" or None
        "ortho" is Kaldi's, librosa's and torchaudio's; "htk" is HTK's, and Kaldi's with --htk-compat; None is
        scipy.fft.dct's default.
    lifter, lifter_kind
        As in `cepstral_lifter`.

    Returns
    -------
    array of float64
        Shape: (count, bands)

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    Notes
    -----
    Source: Davis and Mermelstein, "Comparison of parametric representations for monosyllabic word recognition", 1980;
    Young et al., "The HTK book"; Kaldi's matrix-functions.

    Examples
    --------
    >>> cosine_matrix(2, 4).round(3).tolist()
    [[0.5, 0.5, 0.5, 0.5], [0.653, 0.271, -0.271, -0.653]]
    """
    if integer("bands", bands) < 1:
        raise ParameterError(f"bands is {bands}; it must be at least 1")
    if not 1 <= integer("count", count) <= bands:
        raise ParameterError(f"count is {count}; it must be from 1 to the number of bands, {bands}")
    weights = int(count) * int(bands)
    if weights > _MOST_WEIGHTS:
        raise ParameterError(
            f"count is {count} and bands {bands}, which makes {weights:,} weights; at most {_MOST_WEIGHTS:,} are "
            "possible, so take fewer of either"
        )
    if norm not in ("ortho", "htk", None):
        raise ParameterError(f'norm is {norm!r}; it must be "ortho", "htk" or None')
    row = np.arange(count)
    # The cosine of a multiple of pi / 2 / bands, the multiple taken modulo the period while it is an integer.
    matrix = np.cos(np.pi / (2 * bands) * np.mod(np.outer(row, 2 * np.arange(bands) + 1), 4 * bands))
    matrix *= 2.0 if norm is None else math.sqrt(2.0 / bands)
    if norm == "ortho":
        matrix[0] = math.sqrt(1.0 / bands)
    return np.asarray(matrix * cepstral_lifter(count, lifter, lifter_kind)[:, None])


def cepstral_lifter(count: int, lifter: float, kind: str = "kaldi") -> NDArray[np.float64]:
    """Factors that bring higher cepstra to the size of lower ones.

    Parameters
    ----------
    count : int
        How many cepstra, from number 0 on.
    lifter : float
        In cepstra, at least 1; HTK's and Kaldi's default is 22. 0 lifts nothing: all factors are 1.
    kind : "kaldi" or "librosa"
        The factor of cepstrum n is ``1 + lifter / 2 * sin(pi n / lifter)`` in Kaldi and HTK, and in librosa with
        n + 1 instead of n. Beyond n = lifter it falls below 1, in either.

    Returns
    -------
    array of float64
        Shape: (count,)

    Raises
    ------
    ParameterError
        If a parameter is out of its range.

    Notes
    -----
    Source: Young et al., "The HTK book"; librosa.feature.mfcc.

    Examples
    --------
    >>> cepstral_lifter(3, 22.0).round(3).tolist()
    [1.0, 2.565, 4.099]
    """
    if integer("count", count) < 1:
        raise ParameterError(f"count is {count}; it must be at least 1")
    if lifter != 0 and not 1e-3 <= lifter < math.inf:
        raise ParameterError(f"lifter is {lifter}; it must be a number of at least 0.001, or 0 for none")
    if kind not in ("kaldi", "librosa"):
        raise ParameterError(f'the kind of lifter is {kind!r}; it must be "kaldi" or "librosa"')
    if lifter == 0:
        return np.ones(count)
    number = np.arange(count) + (kind == "librosa")
    return np.asarray(1.0 + lifter / 2 * np.sin(np.pi * number / lifter))
