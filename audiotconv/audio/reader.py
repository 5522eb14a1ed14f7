"""Opening a sound file safely and reading it: whole, or block by block with overlap.

libsndfile decodes; what it does not tell is checked here and in `container`. It clamps files that end early, takes any
sample rate and channel count, reads 24-bit samples in 4-byte containers as noise, waits forever on a named pipe, and
calls every system error "System error". So the path is opened here, must be a regular file, and the descriptor is
handed over.
"""

from __future__ import annotations

import errno
import functools
import os
import stat
from collections.abc import Iterator
from numbers import Real
from types import TracebackType
from typing import Any, BinaryIO, Self

import numpy as np
import soundfile
from numpy.typing import NDArray

from ..errors import AudioError, AudioFileError, ParameterError
from .container import Descriptor, FileObject, Header, read_header
from .samples import check_amplitude

__all__ = ["DECODED_VALUES", "MAX_CHANNELS", "MAX_RATE", "MIN_RATE", "AudioReader", "selected", "shown"]

MIN_RATE, MAX_RATE = 50, 2_000_000
MAX_CHANNELS = 256
DECODED_VALUES = 1 << 20  # values that are decoded at a time

# What each libsndfile subtype is read as, so that integers stay exact; all others are decoded to float32. 8- and 24-bit
# samples come in the upper bits of the next wider type.
_AS_INT16 = {"PCM_16", "PCM_S8", "PCM_U8", "ULAW", "ALAW", "ALAC_16", "DPCM_8", "DPCM_16", "DWVW_12", "DWVW_16"}
_AS_INT16 |= {"IMA_ADPCM", "MS_ADPCM", "GSM610", "G721_32", "G723_24", "G723_40", "VOX_ADPCM"}
_AS_INT16 |= {"NMS_ADPCM_16", "NMS_ADPCM_24", "NMS_ADPCM_32"}
_AS_INT32 = {"PCM_24", "PCM_32", "ALAC_20", "ALAC_24", "ALAC_32", "DWVW_24"}
# Where a file of these can be entered anywhere with the same samples; others are decoded from their beginning.
_ENTERED = {"PCM_S8", "PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"}
# Their length in the header is an estimate.
_ESTIMATED_LENGTH = {"MPEG_LAYER_I", "MPEG_LAYER_II", "MPEG_LAYER_III"}
_UNKNOWN_LENGTH = 2**62
_HEAD_BYTES = 1 << 16  # where headers are
_SYSTEM_ERROR = 2  # libsndfile's SF_ERR_SYSTEM
_MOST_SHOWN = 400
_MOST_SECONDS = 1e9


def shown(path: Any) -> str:
    """A path as a message can show it: on one line, undecodable bytes and control characters escaped."""
    name = os.fsdecode(path) if isinstance(path, str | bytes | os.PathLike) else getattr(path, "name", None)
    if not isinstance(name, str):
        return "the file object"
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    line = "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)
    return line if len(line) <= _MOST_SHOWN else f"{line[: _MOST_SHOWN // 2]} ... {line[-_MOST_SHOWN // 2 :]}"


class AudioReader:
    """An open sound file: its format, and its samples as (channels, time), integers kept as integers.

    Parameters
    ----------
    source : path or binary file object
        A path must name a regular file. A file object must be seekable; it is not closed.
    strict : bool
        Raise AudioError, reason "truncated", where a file holds less than its header says; otherwise the difference
        goes to `notes`.
    name : str, optional
        For messages, where it is not the source's own.

    Attributes
    ----------
    size, mtime : int or None
        Of a path's file when it was opened: bytes, and nanoseconds since 1970.
    sample_rate, channels : int
    format, subtype : str
        As libsndfile names them, such as "WAV" and "PCM_16".
    dtype : numpy.dtype
        Of the samples that `read` gives: int16, int32 (24-bit samples in the upper bits) or float32.
    frames : int or None
        What the header declares after libsndfile's own corrections; None where unknown.
    first : int
        The first sample to be read: 0, unless `select` says otherwise.
    position : int
        The next sample to be read.
    notes : list of str
        What was found odd so far.

    Raises
    ------
    AudioFileError
        If the file is missing, cannot be read, or is not a regular file.
    AudioError
        If it is not sound, or sound of a kind that cannot be read right.

    Examples
    --------
    >>> import io, soundfile
    >>> file = io.BytesIO()
    >>> soundfile.write(file, [[0.0], [0.5]], 8000, format="WAV")
    >>> with AudioReader(file) as reader:
    ...     reader.sample_rate, reader.read(10).tolist()
    (8000, [[0, 16384]])
    """

    def __init__(
        self, source: str | bytes | os.PathLike[Any] | BinaryIO, *, strict: bool = False, name: str | None = None
    ) -> None:
        self.name = shown(source if name is None else name)
        self.strict = strict
        self.notes: list[str] = []
        self.size: int | None = None
        self.mtime: int | None = None
        self.first = self.position = 0
        self._stop: int | None = None  # what `select` ends at, if not with the file
        self._decoded_to = 0
        self._descriptor: int | None = None
        self._file: soundfile.SoundFile | None = None
        self._before: os.stat_result | None = None
        self._header = Header()
        try:
            if isinstance(source, str | bytes | os.PathLike):
                self._file = self._decode(self._open_path(source))
            else:
                self._file = self._decode(self._open_object(source))
            self._check_format()
        except BaseException:
            self.close()
            raise

    # --- opening ---

    def _open_path(self, path: str | bytes | os.PathLike[Any]) -> int:
        flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
        try:
            self._descriptor = os.open(path, flags)
            self._before = os.fstat(self._descriptor)
        except (OSError, ValueError) as error:
            raise self._system_error(error) from None
        self.size, self.mtime = self._before.st_size, self._before.st_mtime_ns
        if not stat.S_ISREG(self._before.st_mode):
            kind = "a directory" if stat.S_ISDIR(self._before.st_mode) else "not a regular file"
            raise AudioFileError(f"{self.name} is {kind}; a sound file is needed", "not a regular file")
        try:
            self._read_header(Descriptor(self._descriptor))
        except OSError as error:
            raise self._system_error(error) from None
        return self._descriptor

    def _open_object(self, file: BinaryIO) -> BinaryIO:
        try:
            self._read_header(FileObject(file))
            file.seek(0)
        except (AttributeError, TypeError, OSError, ValueError) as error:
            if isinstance(error, AudioError):
                raise
            raise AudioFileError(
                f"{self.name} is {file!r}; a path or a seekable binary file is needed", "unreadable"
            ) from None
        return file

    def _read_header(self, source: Descriptor | FileObject) -> None:
        if source.size == 0:
            raise AudioError(f"{self.name} is empty (0 bytes)", "empty")
        self._header = read_header(source)
        if self._header.refused:
            raise AudioError(f"{self.name} {self._header.refused}", self._header.reason)

    def _system_error(self, error: OSError | ValueError) -> AudioFileError:
        code = getattr(error, "errno", None)
        if isinstance(error, FileNotFoundError | NotADirectoryError):
            return AudioFileError(f"{self.name} does not exist", "missing", code)
        if isinstance(error, PermissionError):
            return AudioFileError(f"{self.name} cannot be read: permission denied", "unreadable", code)
        if code == errno.ENXIO:
            message = f"{self.name} is a socket or device; a sound file is needed"
            return AudioFileError(message, "not a regular file", code)
        why = getattr(error, "strerror", None) or error
        return AudioFileError(f"{self.name} cannot be read: {why}", "unreadable", code)

    def _decode(self, source: int | BinaryIO) -> soundfile.SoundFile:
        try:
            return soundfile.SoundFile(source, closefd=False)  # the descriptor stays ours, also where this fails
        except (soundfile.LibsndfileError, TypeError, ValueError, RuntimeError, OverflowError) as error:
            self._check_system(error)
            self._check_readable()
            if self._header.truncated:
                raise AudioError(f"{self.name} is truncated: {self._header.truncated}", "truncated") from None
            reason = str(getattr(error, "error_string", error)).strip().rstrip(".") or "libsndfile does not say why"
            raise AudioError(f"{self.name} is not a sound file that can be read: {reason}", "not audio") from None

    def _check_system(self, error: Exception) -> None:
        """What libsndfile calls a system error came from reading, and does not lie in the file's content."""
        if getattr(error, "code", None) == _SYSTEM_ERROR:
            message = f"{self.name} cannot be read after sample {self._decoded_to}: {os.strerror(errno.EIO)}"
            raise AudioFileError(message, "unreadable", errno.EIO) from None

    def _check_readable(self) -> None:
        """libsndfile takes what it cannot read for something that it does not know."""
        if self._descriptor is not None:
            try:
                os.pread(self._descriptor, _HEAD_BYTES, 0)
            except OSError as error:
                raise self._system_error(error) from None

    def _check_format(self) -> None:
        assert self._file is not None
        file = self._file
        self.sample_rate, self.channels = int(file.samplerate), int(file.channels)
        self.format, self.subtype = str(file.format), str(file.subtype)
        declared = int(file.frames)
        self.frames = declared if 0 <= declared < _UNKNOWN_LENGTH else None
        if not MIN_RATE <= self.sample_rate <= MAX_RATE:
            raise AudioError(
                f"{self.name} claims a sample rate of {self.sample_rate} Hz; {MIN_RATE} to {MAX_RATE} Hz are accepted",
                "unsupported",
            )
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise AudioError(
                f"{self.name} has {self.channels} channels; 1 to {MAX_CHANNELS} are accepted", "unsupported"
            )
        name = "int16" if self.subtype in _AS_INT16 else "int32" if self.subtype in _AS_INT32 else "float32"
        self.dtype = np.dtype(name)
        self._held = np.empty((self.channels, 0), self.dtype)
        if self._header.truncated:
            self._truncated(self._header.truncated)

    def _truncated(self, how: str) -> None:
        if self.strict or not any("is truncated" in note for note in self.notes):
            self._odd(f"{self.name} is truncated: {how}", "truncated")

    def _odd(self, message: str, reason: str) -> None:
        if self.strict:
            raise AudioError(message, reason)
        self.notes.append(message)

    def select(self, start: float | None = None, stop: float | None = None) -> None:
        """Read only what lies between two times, in seconds, rounded to the nearest sample: before the first `read`.

        Where the file ends before `stop`, that goes to `notes`, or raises where the reader is strict.

        Raises
        ------
        ParameterError
            If the times are not finite, or not in order.
        AudioError, AudioFileError
            If the file ends before `start`, or cannot be decoded up to there.
        """
        first, end = selected(self.sample_rate, start, stop)
        if self._decoded_to or self._stop is not None:
            raise ParameterError(f"{self.name} has been read from already; select comes before")
        if self.frames is not None and self.subtype not in _ESTIMATED_LENGTH:
            self._check_start(first, self.frames)
        assert self._file is not None
        if first and self.frames is not None and self.subtype in _ENTERED and self._file.seekable():
            try:
                self._file.seek(first)
            except (soundfile.LibsndfileError, RuntimeError) as error:
                reason = str(getattr(error, "error_string", error)).strip().rstrip(".")
                message = f"{self.name} cannot be entered at {first / self.sample_rate:g} s: {reason}"
                raise AudioError(message, "damaged") from None
            self._decoded_to = first
        else:
            while self._decoded_to < first:
                self._held = self._decoded()
                if self._held.shape[1] == 0:
                    break
            self._check_start(first, self._decoded_to)
            self._held = self._held[:, max(0, self._held.shape[1] - (self._decoded_to - first)) :]
        self.first = self.position = first
        self._stop = end

    def _check_start(self, first: int, length: int) -> None:
        if first and first >= length:
            raise AudioError(
                f"{self.name} is {length / self.sample_rate:g} s long; it holds nothing from "
                f"{first / self.sample_rate:g} s on",
                "too short",
            )

    @property
    def length(self) -> int | None:
        """How many samples will be read, by the header; None where unknown."""
        if self.frames is None:
            return None if self._stop is None else self._stop - self.first
        return max(0, min(self.frames, self._stop or self.frames) - self.first)

    # --- reading ---

    def read(self, count: int) -> NDArray[Any]:
        """The next `count` samples of every channel, fewer only at the end of the file.

        Shape: (channels, time), C-contiguous, of type `dtype`.

        Raises
        ------
        AudioError
            If a sample is NaN, infinite or beyond 1e12 in amplitude, or the data cannot be decoded.
        AudioFileError
            If the system cannot read the file.
        """
        parts: list[NDArray[Any]] = []
        missing = count if self._stop is None else min(count, self._stop - self.position)
        count = missing
        while missing:
            if self._held.shape[1] == 0:
                self._held = self._decoded()
                if self._held.shape[1] == 0:
                    break
            parts.append(self._held[:, :missing])
            self._held = self._held[:, missing:]
            missing -= parts[-1].shape[1]
        self.position += count - missing
        if len(parts) == 1:
            return np.ascontiguousarray(parts[0])
        return np.concatenate([np.empty((self.channels, 0), self.dtype), *parts], axis=1)

    def _decoded(self) -> NDArray[Any]:
        """The next samples, as many as suits the decoder.

        What libsndfile decodes from MP3 and Opus depends, by a last bit or by much more, on where its reads begin and
        end. So it is always asked for the same stretches, whatever the blocks that go out: a fixed number of samples,
        the last of them with the rest, as Opus goes wrong when a read begins in a file's last packet.
        """
        assert self._file is not None
        size = max(4096, DECODED_VALUES // self.channels)
        if self.frames is not None and self.frames - self._decoded_to < 2 * size:
            size = max(1, self.frames - self._decoded_to)
        try:
            block = self._file.read(size, dtype=self.dtype.name, always_2d=True)
        except OSError as error:
            raise self._system_error(error) from None
        except (soundfile.LibsndfileError, RuntimeError) as error:
            self._check_system(error)
            reason = str(getattr(error, "error_string", error)).strip().rstrip(".")
            message = f"{self.name} cannot be decoded after sample {self._decoded_to}: {reason}"
            raise AudioError(message, "damaged") from None
        samples = np.ascontiguousarray(block.T)
        if self.dtype == np.float32:
            check_amplitude(samples, name=self.name, first=self._decoded_to)
        self._decoded_to += samples.shape[1]
        return samples

    def finish(self) -> None:
        """Check, once all has been read, that the file held what it declared and did not change meanwhile."""
        if self._stop is None:
            self._check_length()
        elif self.position < self._stop:
            seconds = (
                f"{self.position / self.sample_rate:g} s, before the {self._stop / self.sample_rate:g} s asked for"
            )
            self._odd(f"{self.name} ends at {seconds}", "too short")
        if self._descriptor is not None and self._before is not None:
            now = os.fstat(self._descriptor)
            if (now.st_size, now.st_mtime_ns) != (self._before.st_size, self._before.st_mtime_ns):
                raise AudioError(f"{self.name} was changed while it was read; read it again", "changed while reading")
        if self.position == self.first:
            raise AudioError(f"{self.name} holds no samples", "empty")

    def _check_length(self) -> None:
        if self.frames is not None and self.position < self.frames and self.subtype not in _ESTIMATED_LENGTH:
            self._truncated(f"its header declares {self.frames} samples and it holds {self.position}")
        if self._header.samples is not None and self.position < self._header.samples:
            self._truncated(f"its header declares at least {self._header.samples} samples and it holds {self.position}")

    def blocks(self, size: int | None = None) -> Iterator[NDArray[Any]]:
        """The file from the current position on, in blocks of `size` samples, the last one shorter; then `finish`.

        By default blocks hold about a million values of all channels together.

        Shape of each: (channels, time).
        """
        size = max(4096, DECODED_VALUES // self.channels) if size is None else size
        while True:
            block = self.read(size)
            if block.shape[1]:
                yield block
            if block.shape[1] < size:
                break
        self.finish()

    def rest(self) -> NDArray[Any]:
        """All samples that have not been read yet, in memory.

        Shape: (channels, time)

        Raises
        ------
        AudioError, AudioFileError
            As `blocks` raises them.
        """
        return np.concatenate([np.empty((self.channels, 0), self.dtype), *self.blocks()], axis=1)

    def close(self) -> None:
        """Close the file (a file object given by the caller stays open)."""
        if self._file is not None:
            self._file.close()
            self._file = None
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def selected(sample_rate: int, start: float | None, stop: float | None) -> tuple[int, int | None]:
    """The samples, from and to, that lie between two times in seconds; rounded to the nearest.

    Raises
    ------
    ParameterError
        If the times are not finite, or not in order.

    Examples
    --------
    >>> selected(8000, 0.5, None), selected(8000, None, 0.25)
    ((4000, None), (0, 2000))
    """
    for name, value in (("start", start), ("stop", stop)):
        real = isinstance(value, Real) and not isinstance(value, bool)
        if value is not None and not (real and 0 <= value <= _MOST_SECONDS):
            raise ParameterError(f"{name} is {value!r}; it must be a number of seconds of at least 0")
    first = round((start or 0) * sample_rate)
    if stop is None:
        return first, None
    end = round(stop * sample_rate)
    if end <= first:
        raise ParameterError(f"start is {start or 0:g} s and stop {stop:g} s; no sample lies between them")
    return first, end


@functools.cache
def sound_suffixes() -> frozenset[str]:
    """File name endings (with the dot, lower case) that a folder is searched for: libsndfile's formats."""
    known = {f".{name.lower()}" for name in soundfile.available_formats() if name not in ("RAW", "MAT4", "MAT5", "SD2")}
    return frozenset(known | {".aif", ".aifc", ".oga", ".opus", ".rf64", ".wave", ".snd"})


def is_sound_name(name: str) -> bool:
    """Whether a file's name ends like a sound file's."""
    return os.path.splitext(name)[1].lower() in sound_suffixes()
