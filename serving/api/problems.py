"""Errors as ``application/problem+json`` (RFC 9457). `type` is stable, `detail` says what to do next."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

MEDIA_TYPE = "application/problem+json"
TYPE_PREFIX = "urn:rivermeet:problem:"


@dataclass(frozen=True)
class Kind:
    """A kind of problem. `retry_after`: seconds after which the same request may succeed by itself."""

    name: str
    status: HTTPStatus
    title: str
    retry_after: int | None = None

    @property
    def type(self) -> str:
        """The stable identifier that clients compare."""
        return TYPE_PREFIX + self.name


INVALID = Kind("invalid-parameters", HTTPStatus.UNPROCESSABLE_ENTITY, "A parameter has a value that cannot be used")
UNAUTHENTICATED = Kind("unauthenticated", HTTPStatus.UNAUTHORIZED, "A valid API key is needed")
FORBIDDEN = Kind("forbidden", HTTPStatus.FORBIDDEN, "The API key does not open this")
NOT_FOUND = Kind("not-found", HTTPStatus.NOT_FOUND, "There is no such thing")
WRONG_METHOD = Kind("method-not-allowed", HTTPStatus.METHOD_NOT_ALLOWED, "The path takes another method")
INCOMPLETE = Kind("incomplete", HTTPStatus.CONFLICT, "Neither layer can answer for all of the days asked for")
PAGE_EXPIRED = Kind("page-expired", HTTPStatus.GONE, "Days were published anew since the first page")
UNAVAILABLE = Kind("store-unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "ClickHouse does not answer", 5)
BUSY = Kind("busy", HTTPStatus.SERVICE_UNAVAILABLE, "Too much is going on at this moment", 1)
TOO_MANY = Kind("too-many-requests", HTTPStatus.TOO_MANY_REQUESTS, "More came than is taken at once", 1)
BAD_BODY = Kind("bad-body", HTTPStatus.BAD_REQUEST, "The body cannot be read")
BODY_TOO_LARGE = Kind("body-too-large", HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "The body is too large")
UNKNOWN_ENCODING = Kind("unknown-encoding", HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "The body's encoding is not read here")
LOG_UNAVAILABLE = Kind("log-unavailable", HTTPStatus.SERVICE_UNAVAILABLE, "Kafka does not take records now", 5)
INTERNAL = Kind("internal", HTTPStatus.INTERNAL_SERVER_ERROR, "The server made a mistake")

KINDS = (
    INVALID, UNAUTHENTICATED, FORBIDDEN, NOT_FOUND, WRONG_METHOD, INCOMPLETE, PAGE_EXPIRED, UNAVAILABLE, BUSY, TOO_MANY,
    BAD_BODY, BODY_TOO_LARGE, UNKNOWN_ENCODING, LOG_UNAVAILABLE, INTERNAL
)  # fmt: skip
"""Every kind that the API answers with."""


class BadParameter(BaseModel):
    """One parameter that cannot be used."""

    where: str = Field(description="Place and name of the parameter, for example query.from")
    message: str = Field(description="What is wrong with it")


class Hole(BaseModel):
    """A day that neither layer can answer."""

    dataset: str = Field(description="events or orders")
    day: str = Field(description="UTC day")
    log_partition: int = Field(description="Kafka partition that is missing")
    message: str = Field(description="What is missing, and the command that mends it")


class ProblemDocument(BaseModel):
    """An error (RFC 9457). Compare `type`; read `detail`."""

    type: str = Field(description="Stable identifier of the kind of problem")
    title: str = Field(description="The kind of problem, in words")
    status: int = Field(description="HTTP status")
    detail: str = Field(description="What happened here and what to do next")
    instance: str = Field(description="Path of the request")
    request_id: str = Field(description="Id of the request, also in the header X-Request-ID and in the log")
    errors: list[BadParameter] | None = Field(default=None, description="Of invalid-parameters: each wrong parameter")
    holes: list[Hole] | None = Field(default=None, description="Of incomplete: each day that is missing")


class Problem(Exception):
    """A request ends with a problem of this kind; `members` are further members of the document."""

    def __init__(self, kind: Kind, detail: str, headers: Mapping[str, str] | None = None, **members: Any) -> None:
        super().__init__(detail)
        self.kind = kind
        self.detail = detail
        self.headers = dict(headers or {})
        self.members = members


def invalid(where: str, message: str) -> Problem:
    """The problem of one parameter, found after it was parsed."""
    return Problem(INVALID, f"{where}: {message}", errors=[{"where": where, "message": message}])


def response(problem: Problem, path: str, request_id: str) -> JSONResponse:
    """The HTTP response of a problem."""
    kind = problem.kind
    retry = {} if kind.retry_after is None else {"Retry-After": str(kind.retry_after)}
    document = ProblemDocument(
        type=kind.type,
        title=kind.title,
        status=kind.status,
        detail=problem.detail,
        instance=path,
        request_id=request_id,
        **problem.members,
    )
    return JSONResponse(
        document.model_dump(exclude_none=True), kind.status, {**retry, **problem.headers}, media_type=MEDIA_TYPE
    )


def on_problem(request: Request, error: Exception) -> JSONResponse:
    """Handler of every exception that the API answers with a problem."""
    return response(_problem(error), request.url.path, request.state.request_id)


def _problem(error: Exception) -> Problem:
    if isinstance(error, Problem):
        return error
    if isinstance(error, RequestValidationError):
        return _validation(error)
    if isinstance(error, HTTPException):
        return _http(error)
    return Problem(INTERNAL, "the request failed; the server's log has the reason under this request id")


def _validation(error: RequestValidationError) -> Problem:
    wrong = [
        {"where": ".".join(str(part) for part in found["loc"]), "message": found["msg"]} for found in error.errors()
    ]
    return Problem(INVALID, "; ".join(f"{one['where']}: {one['message']}" for one in wrong), errors=wrong)


def _http(error: HTTPException) -> Problem:
    if error.status_code == HTTPStatus.NOT_FOUND:
        return Problem(NOT_FOUND, "no such path; /docs lists those there are")
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return Problem(WRONG_METHOD, "the header Allow names the methods of this path", error.headers)
    return Problem(INTERNAL, str(error.detail))


def documented(*kinds: Kind) -> dict[int | str, dict[str, Any]]:
    """`responses` of a route: for each status the problems that it stands for."""
    by_status: dict[int | str, list[Kind]] = {}
    for kind in kinds:
        by_status.setdefault(int(kind.status), []).append(kind)
    return {status: _documented(of_status) for status, of_status in by_status.items()}


def _documented(kinds: list[Kind]) -> dict[str, Any]:
    reference = {"$ref": f"#/components/schemas/{ProblemDocument.__name__}"}
    waiting = any(kind.retry_after is not None for kind in kinds)
    header = {"Retry-After": {"description": "Seconds to wait", "schema": {"type": "integer"}}}
    return {
        "description": "; ".join(f"{kind.title} (`{kind.type}`)" for kind in kinds),
        "content": {MEDIA_TYPE: {"schema": reference}},
    } | ({"headers": header} if waiting else {})
