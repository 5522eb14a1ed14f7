"""A .npy file that grows along its last axis, frame by frame, in constant memory."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .place import finish
from .store import checksum

__all__ = ["NpyWriter"]


class NpyWriter:
    """Writes a (channels, features, frames) float32 array to a .npy file as blocks of frames arrive.

    Parameters
    ----------
    path : Path
    rows : (channels, features)
    expected : int
        How many frames will probably come. Rows are laid out for so many, and again where there are more or fewer.
    """

    # Headers lie; an offset that no file system takes must not come of it.
    _MOST_EXPECTED = 1 << 20

    def __init__(self, path: Path, rows: tuple[int, int], expected: int) -> None:
        self.path = path
        self.rows = rows
        self.frames = 0
        self._capacity = min(expected, self._MOST_EXPECTED)
        self._file = open(path, "w+b")  # noqa: SIM115
        self._begin = self._write_header(self._file, self._capacity)

    def _write_header(self, file: io.BufferedRandom, frames: int) -> int:
        layout = {"descr": "<f4", "fortran_order": False, "shape": (*self.rows, frames)}
        file.seek(0)
        write: Any = np.lib.format.write_array_header_1_0  # typed in some versions of NumPy only
        write(file, layout)
        return file.tell()

    def add(self, block: NDArray[np.float32]) -> None:
        """Append frames. Shape: (channels, features, frames)"""
        count = block.shape[2]
        if self.frames + count > self._capacity:
            self._lay_out(max(2 * self._capacity, self.frames + count))
        if self.frames == 0 and count == self._capacity:  # all there is, as of most recordings
            self._file.seek(self._begin)
            self._file.write(np.ascontiguousarray(block, "<f4").data)
            self.frames = count
            return
        for number, row in enumerate(block.reshape(self.rows[0] * self.rows[1], count)):
            self._file.seek(self._begin + 4 * (number * self._capacity + self.frames))
            self._file.write(np.ascontiguousarray(row, "<f4").data)
        self.frames += count

    def _lay_out(self, capacity: int) -> None:
        draft = self.path.with_name(f"{os.urandom(8).hex()}.draft")  # its own name may be as long as they can be
        with open(draft, "w+b") as file:
            begin = self._write_header(file, capacity)
            for number in range(self.rows[0] * self.rows[1]):
                self._file.seek(self._begin + 4 * number * self._capacity)
                file.seek(begin + 4 * number * capacity)
                file.write(self._file.read(4 * min(self.frames, capacity)))
            file.truncate(begin + 4 * self.rows[0] * self.rows[1] * capacity)
        self._file.close()
        os.replace(draft, self.path)
        self._file = open(self.path, "r+b")  # noqa: SIM115
        self._begin, self._capacity = begin, capacity

    def close(self) -> int:
        """Trim the rows to what came, and make sure that all is on the disk. The file's checksum, CRC-32."""
        if self.frames != self._capacity:
            self._lay_out(self.frames)
        finish(self._file)
        self._file.seek(0)
        crc32 = checksum(self._file)
        self._file.close()
        return crc32

    def abandon(self) -> None:
        """Close without finishing."""
        with contextlib.suppress(OSError):  # what could not be written still cannot
            self._file.close()
