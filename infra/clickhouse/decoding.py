"""Bodies as they were before they were compressed, read piece by piece."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any, Protocol

import lz4.frame
import zstandard

from infra.clickhouse.errors import Code, QueryError

_PIECE = 4 << 10
"""Little compressed input at a time: a piece of it may stand for thousands of times as much."""


class Readable(Protocol):
    """Bytes that are read in turn."""

    def read(self, size: int, /) -> bytes:
        """At most `size` of the next bytes; none at the end."""
        ...


_DECODERS: dict[str, Callable[[], Any]] = {
    "gzip": lambda: zlib.decompressobj(zlib.MAX_WBITS | 16),
    "deflate": zlib.decompressobj,
    "zstd": lambda: zstandard.ZstdDecompressor().decompressobj(),
    "lz4": lz4.frame.LZ4FrameDecompressor,
}


def decoded(body: Readable, encoding: str) -> Readable:
    """The body without its Content-Encoding; its `read` raises `QueryError` where it is cut short or something else."""
    if encoding.lower() in ("", "identity"):
        return body
    if encoding.lower() not in _DECODERS:
        raise QueryError.of(
            Code.UNKNOWN_COMPRESSION_METHOD, f"Content-Encoding {encoding}: send {', '.join(_DECODERS)} or none"
        )
    return _Decoded(body, encoding.lower())


class _Decoded:
    """Several frames after each other are one body, as parallel compressors write them."""

    def __init__(self, body: Readable, encoding: str) -> None:
        self._body = body
        self._encoding = encoding
        self._decoder: Any = None
        self._rest = b""
        self._ready = b""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes."""
        while not self._ready:
            pressed = self._rest or self._body.read(_PIECE)
            if not pressed:
                if self._decoder is not None:
                    raise self._broken("it ends too early")
                return b""
            self._ready = self._decode(pressed)
        piece, self._ready = self._ready[:size], self._ready[size:]
        return piece

    def _decode(self, pressed: bytes) -> bytes:
        decoder = self._decoder or _DECODERS[self._encoding]()
        try:
            piece: bytes = decoder.decompress(pressed)
        except (zlib.error, zstandard.ZstdError, RuntimeError) as error:
            raise self._broken(str(error)) from error
        self._decoder = None if decoder.eof else decoder
        self._rest = (decoder.unused_data or b"") if decoder.eof else b""
        return piece

    def _broken(self, reason: str) -> QueryError:
        return QueryError.of(Code.INCORRECT_DATA, f"the body is not valid {self._encoding}: {reason}")
