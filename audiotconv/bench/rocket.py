"""`audiotconv bench rocket`: the ROCKET family on one-second clips and on a long series, against aeon.

Both sides have the same kernels and limits: those fitted here are handed to aeon, whose features are equal then.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..filters.nine_taps import KERNEL_PLACES, NineTapBank
from ..learn import Hydra, MiniRocket, MultiRocket
from ..learn.minirocket import kernel_outputs
from .timing import Case, Work

__all__ = ["rocket_cases"]

_RATE = 16_000


def rocket_cases(threads: int, clips: int = 200, seconds: int = 60) -> Iterator[Case]:
    """Transforming clips of one second, and one series of many seconds; fitting to clips.

    The error of each is that of the first clip's features.
    """
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((max(2, clips), 1, _RATE)).astype(np.float32)
    few = noise[: max(2, clips // 20)]  # what takes aeon about a second each
    options: dict[str, Any] = {"random_state": 0, "n_jobs": threads}
    mini = MiniRocket(**options).fit(noise[:8])
    for name, model, x, reference, theirs in (
        ("MiniRocket", mini, noise, _ppv, _aeon_mini),
        ("MultiRocket", MultiRocket(**options).fit(few), few, _pooled, _aeon_multi),
        ("Hydra", Hydra(**options).fit(few), few, _competed, _aeon_hydra),
    ):
        yield _case(f"{name}, {len(x)} clips of 1 s", model, x, reference(model, x[0]), theirs)
    long = rng.standard_normal((1, 1, seconds * _RATE)).astype(np.float32)
    case = _case(f"MiniRocket, one series of {seconds} s", mini, long, mini.transform(long[:1])[0], _aeon_mini)
    if threads > 1:
        alone = MiniRocket(**options | {"n_jobs": 1})
        alone.bank_, alone.n_channels_ = mini.bank_, 1
        case.contenders["audiotconv on one core"] = lambda: alone.transform(long)[0]
    yield case
    yield _fitting(noise[:100], options)


def _case(
    name: str,
    model: Any,
    x: NDArray[np.float32],
    reference: NDArray[Any],
    theirs: Callable[[Any, Any], dict[str, Work]],
) -> Case:
    contenders: dict[str, Work] = {"audiotconv": lambda: model.transform(x)[0]}
    return Case(name, x.size / _RATE, 0.0, reference, contenders | theirs(model, x))


def _fitting(x: NDArray[np.float32], options: dict[str, Any]) -> Case:
    """How the limits are chosen: there is nothing to compare but how many there are."""

    def ours() -> Any:
        return np.array(len(MiniRocket(**options).fit(x).bank_.limits))

    contenders: dict[str, Work] = {"audiotconv": ours}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            from aeon.transformations.collection.convolution_based import MiniRocket as Theirs
        except ImportError:
            pass
        else:
            contenders["aeon"] = lambda: np.array(len(Theirs(**options).fit(x).parameters[4]))
    return Case(f"MiniRocket, fitted to {len(x)} clips", x.size / _RATE, 0.0, np.array(9996.0), contenders)


# --- in float64 ---


def _outputs(bank: NineTapBank, x: NDArray[Any]) -> Iterator[tuple[NDArray[np.float64], NDArray[np.float64], int]]:
    """For each limit, all that counts of its kernel's outputs, and where in the series that begins."""
    leads, at = bank.leads(x.shape[1]), 0
    for j, (dilation, count) in enumerate(zip(bank.dilations, bank.features_per_dilation, strict=True)):
        for k, places in enumerate(KERNEL_PLACES):
            first = bank.starts[j * len(KERNEL_PLACES) + k]
            rows = bank.channel_indices[first : bank.starts[j * len(KERNEL_PLACES) + k + 1]]
            outputs = kernel_outputs(x[rows].astype(np.float64), int(dilation), places)
            for limit in range(at, at + count):
                lead = int(leads[limit])
                yield outputs[lead : len(outputs) - lead], bank.limits[limit].astype(np.float64), lead
            at += count


def _ppv(model: MiniRocket, x: NDArray[np.float32]) -> NDArray[np.float64]:
    return np.array([(outputs > limit).mean() for outputs, limit, _ in _outputs(model.bank_, x)])


def _pooled(model: MultiRocket, x: NDArray[np.float32]) -> NDArray[np.float64]:
    """Of the series; what is compared of the difference is what was computed."""
    rows = []
    for outputs, limit, _ in _outputs(model.bank_, x):
        above = np.flatnonzero(outputs > limit)
        below = np.concatenate([[0], np.flatnonzero(outputs < limit), [len(outputs) - 1]])
        mean = outputs[above].mean() + limit if len(above) else 0.0
        rows.append((len(above) / len(outputs), np.diff(below).max(), mean, above.mean() if len(above) else -1.0))
    return np.concatenate([np.array(rows).T.ravel(), model.transform(x[None])[0, 4 * len(rows) :]])


def _competed(model: Hydra, x: NDArray[np.float32]) -> NDArray[np.float64]:
    series = x.astype(np.float64)[0]
    out = []
    for dilation, halves in zip(model.dilations_.tolist(), model.weights_.astype(np.float64), strict=True):
        for seen, groups in zip((series, np.diff(series)), halves, strict=False):
            padded = np.pad(seen, 4 * dilation)
            taps = np.stack([padded[g * dilation :][: len(seen)] for g in range(9)])
            answers = groups @ taps
            count = groups.shape[1]
            first, last = answers.argmax(axis=1), answers.argmin(axis=1)
            best = answers.max(axis=1)
            out += [[np.bincount(w, b, count) for w, b in zip(first, best, strict=True)]]
            out += [[np.bincount(w, minlength=count) for w in last]]
    return np.array(out, np.float64).ravel()


# --- aeon ---


def _aeon_mini(model: MiniRocket, x: NDArray[np.float32]) -> dict[str, Work]:
    try:
        from aeon.transformations.collection.convolution_based import MiniRocket as Theirs
    except ImportError:
        return {}
    peer = Theirs(n_jobs=model.n_jobs, random_state=0).fit(x[:1, :, :_RATE])
    bank = model.bank_
    integers = (bank.channel_counts, bank.channel_indices, bank.dilations, bank.features_per_dilation)
    peer.parameters = (*(array.astype(np.int32) for array in integers), bank.limits)
    return {"aeon": lambda: peer._transform(x)[0]}  # `transform` refuses another length than it was fitted to


def _aeon_multi(model: MultiRocket, x: NDArray[np.float32]) -> dict[str, Work]:
    try:
        from aeon.transformations.collection.convolution_based import MultiRocket as Theirs
    except ImportError:
        return {}
    peer = Theirs(n_jobs=model.n_jobs, random_state=0).fit(x[:2])
    peer.parameter, peer.parameter1 = (
        (bank.dilations.astype(np.int32), bank.features_per_dilation.astype(np.int32), bank.limits)
        for bank in (model.bank_, model.difference_bank_)
    )
    return {"aeon": lambda: peer.transform(x)[0]}


def _aeon_hydra(model: Hydra, x: NDArray[np.float32]) -> dict[str, Work]:
    try:
        import torch
        from aeon.transformations.collection.convolution_based import HydraTransformer
    except ImportError:
        return {}
    peer = HydraTransformer(n_jobs=model.n_jobs, random_state=0, output_type="numpy").fit(x[:1])
    peer._hydra.W = torch.from_numpy(model.weights_.reshape(peer._hydra.W.shape))
    return {"aeon": lambda: peer.transform(x)[0]}
