"""Values between a run and the processes it started: anything that can be pickled, with the frames in it beside it.

A message is one byte on a socket that carries open files: the first holds the pickled value, the others a frame each, as an Arrow file
that the reader maps into its memory. So rows are written once and copied nowhere else. The files have no name, on Linux not even a disk:
whoever dies leaves nothing behind. Both ends are processes of one run, so that what is unpickled is nobody else's.
"""

from __future__ import annotations

import array
import copyreg
import os
import pickle
import socket
import tempfile
from types import MappingProxyType
from typing import IO, Any, Final

import polars as pl

_MOST: Final = 250
"""Files a message may carry; Linux takes 253."""


class _Pickler(pickle.Pickler):
    """Frames are left out and numbered; views of a mapping become a mapping."""

    dispatch_table = copyreg.dispatch_table.copy()
    dispatch_table[MappingProxyType] = lambda view: (dict, (dict(view),))

    def __init__(self, file: IO[bytes], files: list[IO[bytes]]) -> None:
        super().__init__(file, protocol=5)
        self._files = files

    def persistent_id(self, value: Any) -> int | None:
        if not isinstance(value, pl.DataFrame):
            return None
        file = _nameless()
        self._files.append(file)
        value.write_ipc(file)
        return len(self._files) - 1


class _Unpickler(pickle.Unpickler):
    def __init__(self, file: IO[bytes], files: list[int]) -> None:
        super().__init__(file)
        self._files = files

    def persistent_load(self, number: int) -> pl.DataFrame:
        return pl.read_ipc(f"/dev/fd/{self._files[number]}")


def send(line: socket.socket, value: Any) -> None:
    """Hand a value to the other end. Raises `OSError` if there is nobody, and what pickle raises for a value that cannot be pickled."""
    files = [_nameless()]
    try:
        _Pickler(files[0], files).dump(value)
        socket.send_fds(line, [b"."], [file.fileno() for file in files])
    finally:
        for file in files:
            file.close()


def receive(line: socket.socket) -> Any:
    """The next value. Raises `EOFError` once the other end is gone."""
    files = _files_of(line)
    try:
        with os.fdopen(os.dup(files[0]), "rb") as file:
            file.seek(0)
            return _Unpickler(file, files).load()
    finally:
        for number in files:
            os.close(number)


def _files_of(line: socket.socket) -> list[int]:
    numbers = array.array("i")
    room = socket.CMSG_SPACE(_MOST * numbers.itemsize)
    said, carried, _, _ = line.recvmsg(1, room, getattr(socket, "MSG_CMSG_CLOEXEC", 0))
    for level, kind, data in carried:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            numbers.frombytes(data[: len(data) - len(data) % numbers.itemsize])
    if not said or not numbers:
        raise EOFError
    return numbers.tolist()


def _nameless() -> IO[bytes]:
    """An open file without a name: in memory where the system has such, else a file that is deleted already."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("tieout"), "w+b", buffering=0)
    return tempfile.TemporaryFile(buffering=0)
