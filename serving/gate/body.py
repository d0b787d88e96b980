"""The body of a request: bounded before and after it is inflated, and parsed."""

from __future__ import annotations

import zlib
from collections.abc import AsyncIterator
from typing import Any

from pydantic_core import from_json

MAX_BODY_BYTES = 16 << 20
"""Greatest size of a body, as sent and as inflated: a thousand large events."""

_GZIP = 31


class BodyTooLarge(Exception):
    """The body is larger than `MAX_BODY_BYTES`; send smaller batches."""


class BadBody(Exception):
    """The body cannot be read; the message says why."""


class UnknownEncoding(Exception):
    """The body is encoded in a way that is not read here."""


async def read(chunks: AsyncIterator[bytes]) -> bytes:
    """The body as sent. Raises BodyTooLarge as soon as it is."""
    body = bytearray()
    async for chunk in chunks:
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
    return bytes(body)


def inflate(body: bytes, encoding: str) -> bytes:
    """The body without its content encoding. Raises BodyTooLarge, BadBody, UnknownEncoding."""
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise UnknownEncoding(encoding)
    inflater = zlib.decompressobj(_GZIP)
    try:
        inflated = inflater.decompress(body, MAX_BODY_BYTES)
        if inflater.unconsumed_tail:
            raise BodyTooLarge
        inflated += inflater.flush()
    except zlib.error as error:
        raise BadBody(f"the body is not gzip: {error}") from error
    if not inflater.eof:
        raise BadBody("the gzip body ends too early")
    return inflated


def parse(body: bytes, name: str, limit: int) -> list[Any]:
    """The list of records of a body {name: [...]}. Raises BadBody."""
    try:
        document = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise BadBody(f"the body is not JSON: {error}") from error
    records = document.get(name) if isinstance(document, dict) and document.keys() == {name} else None
    if not isinstance(records, list):
        raise BadBody(f'the body must be {{"{name}": [...]}} and nothing else')
    if not 1 <= len(records) <= limit:
        raise BadBody(f"a batch has 1 to {limit} records, this one {len(records)}")
    return records
