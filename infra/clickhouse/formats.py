"""Formats and encodings: content types of results, and the compressions that both sides may speak."""

from __future__ import annotations

import gzip
import io
import zlib
from collections.abc import Mapping
from typing import IO, cast

import lz4.frame
import zstandard

from infra.clickhouse.errors import Code, QueryError

DEFAULT_FORMAT = "TabSeparated"
_PLAIN = "text/plain; charset=UTF-8"
_BINARY = "application/octet-stream"
_CONTENT_TYPES = (
    ("JSONEachRow", "application/x-ndjson; charset=UTF-8"),
    ("JSONCompactEachRow", "application/x-ndjson; charset=UTF-8"),
    ("JSONStringsEachRow", "application/x-ndjson; charset=UTF-8"),
    ("JSON", "application/json; charset=UTF-8"),
    ("CSV", "text/csv; charset=UTF-8; header=absent"),
    ("TabSeparated", "text/tab-separated-values; charset=UTF-8"),
    ("TSV", "text/tab-separated-values; charset=UTF-8"),
    ("XML", "application/xml; charset=UTF-8"),
    ("Markdown", "text/markdown; charset=UTF-8"),
    ("Native", _BINARY),
    ("RowBinary", _BINARY),
    ("ArrowStream", "application/vnd.apache.arrow.stream"),
    ("Arrow", "application/vnd.apache.arrow.file"),
    ("Parquet", _BINARY),
    ("ORC", _BINARY),
    ("Avro", _BINARY),
)
NOT_STREAMED = frozenset(("Parquet", "ORC", "Npy", "Avro"))
"""Formats whose reader must seek, so that an insert of them waits for the whole body."""

RESPONSE_ENCODINGS = ("lz4", "zstd", "gzip", "deflate", "br")


def content_type(format_name: str) -> str:
    """The Content-Type that ClickHouse sends with a format."""
    if format_name.endswith("WithNames") and format_name.startswith("CSV"):
        return "text/csv; charset=UTF-8; header=present"
    return next((kind for prefix, kind in _CONTENT_TYPES if format_name.startswith(prefix)), _PLAIN)


def response_encoding(headers: Mapping[str, str], url: Mapping[str, str]) -> str | None:
    """The compression to answer with: the first of ours that the caller accepts and has asked to be used."""
    if url.get("enable_http_compression", "0") not in ("1", "true"):
        return None
    accepted = {part.split(";")[0].strip().lower() for part in headers.get("accept-encoding", "").split(",")}
    return next((encoding for encoding in RESPONSE_ENCODINGS if encoding in accepted), None)


def decoded(body: IO[bytes], encoding: str) -> IO[bytes]:
    """The body as it was before it was compressed; reads of it never hold more than was asked for."""
    match encoding.lower():
        case "" | "identity":
            return body
        case "gzip":
            return cast("IO[bytes]", gzip.GzipFile(fileobj=body))
        case "zstd":
            return cast("IO[bytes]", zstandard.ZstdDecompressor().stream_reader(body, read_across_frames=True))
        case "lz4":
            return cast("IO[bytes]", lz4.frame.LZ4FrameFile(body))
        case "deflate":
            return cast("IO[bytes]", io.BufferedReader(_Inflated(body)))
        case _:
            raise QueryError.of(
                Code.UNKNOWN_COMPRESSION_METHOD, f"Content-Encoding {encoding}: send lz4, zstd, gzip or deflate"
            )


class _Inflated(io.RawIOBase):
    """A zlib stream, as HTTP calls it deflate."""

    def __init__(self, body: IO[bytes]) -> None:
        self._body = body
        self._inflate = zlib.decompressobj()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: object) -> int:
        view = memoryview(buffer).cast("B")  # type: ignore[arg-type]  # the base class types it by a protocol
        while not self._inflate.eof:
            pressed = self._inflate.unconsumed_tail or self._body.read(1 << 16)
            piece = self._inflate.decompress(pressed, len(view))
            if piece or not pressed:
                view[: len(piece)] = piece
                return len(piece)
        return 0
