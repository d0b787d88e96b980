"""Formats and encodings: content types of results, and the compressions that both sides may speak."""

from __future__ import annotations

from collections.abc import Mapping

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
