"""ETags: an answer of closed days changes only by a publication or a late record, so callers may keep it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Header, Request, Response
from pydantic_core import to_json

from serving.api.days import Days

NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    int(HTTPStatus.NOT_MODIFIED): {"description": "The answer is the one whose ETag was sent in `If-None-Match`"}
}
_CACHE_CONTROL = "private, no-cache"


class NotModified(Exception):
    """The caller has this answer; `etag` names it."""

    def __init__(self, etag: str) -> None:
        super().__init__(etag)
        self.etag = etag


@dataclass(frozen=True)
class Caching:
    """The ETags that a caller has, and where the one of the answer goes."""

    known: str
    response: Response

    def of(self, answer: dict[str, Any], days: Days, now: datetime) -> dict[str, Any]:
        """The answer; with an ETag of its rows where all days are over. Raises `NotModified`."""
        if days.last >= now.date():
            return answer
        content = {name: value for name, value in answer.items() if name != "provenance"}
        etag = f'"{sha256(to_json(content)).hexdigest()[:32]}"'
        if etag in (one.strip().removeprefix("W/") for one in self.known.split(",")):
            raise NotModified(etag)
        self.response.headers["ETag"] = etag
        self.response.headers["Cache-Control"] = _CACHE_CONTROL
        return answer


def _caching(
    response: Response,
    known: Annotated[
        str, Header(alias="If-None-Match", max_length=1000, description="ETags of answers of closed days")
    ] = "",
) -> Caching:
    return Caching(known, response)


InCaching = Annotated[Caching, Depends(_caching)]
"""A route's parameter for answers with an ETag."""


def on_not_modified(_request: Request, error: Exception) -> Response:
    """The response to a caller who has the answer."""
    etag = error.etag if isinstance(error, NotModified) else ""
    return Response(status_code=HTTPStatus.NOT_MODIFIED, headers={"ETag": etag, "Cache-Control": _CACHE_CONTROL})
