"""``POST /v1/events`` and ``/v1/transactions``: the gate that records come in by, and the tracker for web pages."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Header, Request
from fastapi.responses import Response
from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import to_json

from serving.api.access import Writer, WrittenTenant, too_many
from serving.api.context import InContext
from serving.api.problems import (
    BAD_BODY,
    BODY_TOO_LARGE,
    FORBIDDEN,
    INVALID,
    LOG_UNAVAILABLE,
    TOO_MANY,
    UNAUTHENTICATED,
    UNKNOWN_ENCODING,
    Problem,
    documented,
)
from serving.gate import body
from serving.gate.contract import EVENTS, ORDERS, Intake
from serving.gate.judging import Outcome, Sender, Verdict
from serving.gate.outlet import Crowded, LogUnavailable

MAX_RECORDS = 1_000
_TRACKER = (Path(__file__).parents[1] / "gate" / "tracker.js").read_text()
_A_DAY = "public, max-age=86400"

_PROBLEMS = documented(
    INVALID, UNAUTHENTICATED, FORBIDDEN, TOO_MANY, BAD_BODY, BODY_TOO_LARGE, UNKNOWN_ENCODING, LOG_UNAVAILABLE
)

router = APIRouter(tags=["records"], responses=_PROBLEMS)
page_router = APIRouter()


class RecordResult(BaseModel):
    """What became of one record."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"id": "e-1", "outcome": "accepted"}]})

    id: str | None = Field(default=None, description="eventId or transactionId of the record, where it has one")
    outcome: Outcome = Field(
        description="accepted: Kafka has acknowledged it; duplicate: it was accepted before; refused: send no more"
    )
    reason: str | None = Field(default=None, description="Of refused ones: the code, as dead letters carry it")
    message: str | None = Field(default=None, description="Of refused ones: what is wrong")


class BatchResult(BaseModel):
    """What became of a batch."""

    accepted: int = Field(description="Records that Kafka has acknowledged")
    duplicates: int = Field(description="Records that were accepted before")
    refused: int = Field(description="Records that break the contract")
    results: list[RecordResult] = Field(description="One for each record, in their order")


def _request_body(intake: Intake, example: dict[str, Any]) -> dict[str, Any]:
    batch = {"type": "array", "items": intake.schema, "minItems": 1, "maxItems": MAX_RECORDS}
    schema = {
        "type": "object",
        "properties": {intake.name: batch},
        "required": [intake.name],
        "additionalProperties": False,
    }
    content = {"application/json": {"schema": schema, "example": {intake.name: [example]}}}
    return {"requestBody": {"required": True, "content": content}}


_EVENT = {
    "eventId": "0b54f1de-2a7e-4b1c-9d05-8a6c6a2f7b11",
    "sessionId": "3f0c9a52",
    "eventType": "page_view",
    "timestamp": 1772452800000,
    "properties": {"page": "/product/sku-1042", "productId": "sku-1042"},
}
_ORDER = {
    "transactionId": "o-1001",
    "userId": "u-77",
    "orderItems": [{"productId": "sku-1042", "quantity": 1, "price": 19.9, "category": "toys"}],
    "totalAmount": 19.9,
    "currency": "EUR",
    "paymentMethod": "card",
    "status": "completed",
    "timestamp": 1772452800000,
}


Encoding = Annotated[str, Header(alias="Content-Encoding", description="gzip, or nothing")]


def _sender(request: Request, context: InContext, tenant: WrittenTenant) -> Sender:
    """Who sent the batch. The address is that of the connection, or of the proxy's header where uvicorn trusts it."""
    address = request.client.host if request.client else ""
    return Sender(tenant, context.clock(), address, request.headers.get("user-agent", ""))


InSender = Annotated[Sender, Depends(_sender)]


@router.post("/events", response_model=BatchResult, openapi_extra=_request_body(EVENTS, _EVENT), summary="Send events")
async def events(
    request: Request, context: InContext, writer: Writer, sender: InSender, encoding: Encoding = ""
) -> Any:
    """Takes up to 1,000 events. What is left out of `context` is taken from the request; tenant and receipt time are
    the gate's. Sending a batch again is safe: the same `eventId` in the same session counts once.
    """
    return await _take(EVENTS, request, context, writer.key_id, sender, encoding)


@router.post(
    "/transactions",
    response_model=BatchResult,
    openapi_extra=_request_body(ORDERS, _ORDER),
    summary="Send changes of orders",
)
async def transactions(
    request: Request, context: InContext, writer: Writer, sender: InSender, encoding: Encoding = ""
) -> Any:
    """Takes up to 1,000 changes of an order's status. The same transaction, status and timestamp count once."""
    return await _take(ORDERS, request, context, writer.key_id, sender, encoding)


@page_router.get("/tracker.js", include_in_schema=False)
def tracker() -> Response:
    """The script that web pages load."""
    headers = {"Cache-Control": _A_DAY, "Cross-Origin-Resource-Policy": "cross-origin"}
    return Response(_TRACKER, media_type="text/javascript", headers=headers)


async def _take(
    intake: Intake, request: Request, context: InContext, key_id: str, sender: Sender, encoding: str
) -> Response:
    records = await _records(intake, request, encoding.strip().lower())
    if wait := context.limits.records.take(key_id, len(records)):
        raise too_many("records", wait)
    try:
        verdicts = await context.gate.take(intake, records, sender)
    except Crowded as error:
        raise Problem(TOO_MANY, "Kafka is behind with what was taken before; send the batch again") from error
    except LogUnavailable as error:
        detail = "not all of the batch was acknowledged; send it again as it is: what came through becomes a duplicate"
        raise Problem(LOG_UNAVAILABLE, detail) from error
    return Response(to_json(_answer(verdicts), exclude_none=True), media_type="application/json")


async def _records(intake: Intake, request: Request, encoding: str) -> list[Any]:
    try:
        return body.parse(body.inflate(await body.read(request.stream()), encoding), intake.name, MAX_RECORDS)
    except body.BodyTooLarge as error:
        raise _too_large() from error
    except body.UnknownEncoding as error:
        raise Problem(UNKNOWN_ENCODING, f"{error} is not read; send gzip or nothing") from error
    except body.BadBody as error:
        raise Problem(BAD_BODY, str(error)) from error


def _too_large() -> Problem:
    return Problem(
        BODY_TOO_LARGE, f"a body has at most {body.MAX_BODY_BYTES >> 20} MiB, also when inflated; send smaller batches"
    )


def _answer(verdicts: list[Verdict]) -> dict[str, Any]:
    outcomes = [verdict.outcome for verdict in verdicts]
    return {
        "accepted": outcomes.count(Outcome.ACCEPTED),
        "duplicates": outcomes.count(Outcome.DUPLICATE),
        "refused": outcomes.count(Outcome.REFUSED),
        "results": verdicts,
    }
