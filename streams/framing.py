"""Messages between two processes over a socket: the length of each in eight bytes, then its bytes."""

from __future__ import annotations

import struct
from socket import socket

_LENGTH = struct.Struct("!Q")


def send(to: socket, message: bytes) -> None:
    """Raises OSError when the other end is gone, or does not take it within the timeout of the socket."""
    to.sendall(_LENGTH.pack(len(message)))
    to.sendall(message)


def receive(source: socket) -> bytearray:
    """The next message. Raises OSError as `send` does, and EOFError when no more will come."""
    (length,) = _LENGTH.unpack(_exactly(source, _LENGTH.size))
    return _exactly(source, length)


def _exactly(source: socket, length: int) -> bytearray:
    taken, so_far = bytearray(length), 0
    while so_far < length:
        came = source.recv_into(memoryview(taken)[so_far:])
        if not came:
            raise EOFError
        so_far += came
    return taken
