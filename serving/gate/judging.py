"""A batch of JSON records to messages for Kafka and verdicts, by the very rules that both layers judge by. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

import polars as pl

from schemas.codec import Schemas, Unencodable, encode_record
from schemas.frames import TIMESTAMP, milliseconds
from schemas.json_form import objection
from schemas.subjects import subject
from schemas.topics import MAX_RECORD_BYTES
from schemas.verdicts import judge
from serving.gate.contract import EVENTS, Intake

Identity = tuple[str, ...]
_NUMBERS = frozenset({bool, float})


class Outcome(StrEnum):
    """What became of a record. `duplicate`: its like was accepted before; only the first counts."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    REFUSED = "refused"


class GateReason(StrEnum):
    """Why the gate refuses a record before the rules of `schemas.rules` judge it; their codes are `schemas.reasons`."""

    NOT_THE_CONTRACT = "not_the_contract"
    SET_BY_THE_GATE = "set_by_the_gate"
    TOO_LARGE = "too_large"


@dataclass(frozen=True, slots=True)
class Verdict:
    """On one record. `reason` and `message` only of refused ones."""

    id: str | None
    outcome: Outcome
    reason: str | None = None
    message: str | None = None


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A record as Kafka gets it."""

    key: bytes
    partition: int
    value: bytes
    identity: Identity


@dataclass(frozen=True)
class Sender:
    """What the gate knows of who sent a batch: it fills what the client left out, and what no client may say."""

    tenant: str
    received_at: datetime
    ip: str
    user_agent: str


@dataclass(frozen=True)
class Target:
    """What is known of the topic: the registry's id of the newest contract, what ids stand for, and the partitions."""

    schema_id: int
    schemas: Schemas
    partition_for: Callable[[str], int]


@dataclass(frozen=True)
class Judged:
    """Verdicts in the order of the batch, and the messages of the accepted records in their order."""

    verdicts: list[Verdict]
    outgoing: list[Outgoing]


def judge_batch(
    intake: Intake, records: Sequence[Any], sender: Sender, target: Target, seen: Container[Identity]
) -> Judged:
    """Verdicts on a batch. A record that is accepted here is used by both layers, unless Kafka stamps it much later."""
    found = [_encode(intake, record, sender, target) for record in records]
    encoded = {place: one for place, one in enumerate(found) if isinstance(one, Outgoing)}
    refused = _by_the_rules(intake, encoded, sender.received_at, target.schemas)
    outgoing: dict[Identity, Outgoing] = {}
    verdicts: list[Verdict] = []
    for place, one in enumerate(found):
        if isinstance(one, Verdict):
            verdicts.append(one)
        elif place in refused:
            verdicts.append(replace(refused[place], id=records[place][intake.id_field]))
        else:
            known = one.identity in seen or one.identity in outgoing
            verdicts.append(Verdict(records[place][intake.id_field], Outcome.DUPLICATE if known else Outcome.ACCEPTED))
            if not known:
                outgoing[one.identity] = one
    return Judged(verdicts, list(outgoing.values()))


def _encode(intake: Intake, record: Any, sender: Sender, target: Target) -> Outgoing | Verdict:
    name = record.get(intake.id_field) if isinstance(record, dict) else None
    named = name if isinstance(name, str) else None
    if isinstance(record, dict) and (set_ := sorted(record.keys() & intake.filled)):
        return _refused(named, GateReason.SET_BY_THE_GATE, f"{set_[0]} is set by the gate; leave it out")
    complete = _completed(intake, record, sender)
    try:
        value = _written(intake, complete, target.schema_id)
    except Unencodable as error:
        return _refused(named, GateReason.NOT_THE_CONTRACT, objection(complete, intake.type) or str(error))
    if len(value) > MAX_RECORD_BYTES:
        return _refused(named, GateReason.TOO_LARGE, f"a record has at most {MAX_RECORD_BYTES} bytes")
    identity = (intake.name, sender.tenant, *(str(record[part]) for part in intake.identity))
    partition = target.partition_for(record[intake.topic.partition_by])
    return Outgoing(record[intake.topic.key].encode(), partition, value, identity)


def _written(intake: Intake, complete: Any, schema_id: int) -> bytes:
    """The record as Avro. Raises Unencodable."""
    contract = subject(str(intake.topic.subject)).latest
    # The encoder takes true for a 1 and cuts 1.5 to 1. Events come in masses, so only their numbers are looked at.
    loose = (
        intake is not EVENTS or not isinstance(complete, dict) or not _NUMBERS.isdisjoint(map(type, complete.values()))
    )
    if loose and (why := objection(complete, intake.type)):
        raise Unencodable(contract.subject, contract.version, why)
    return encode_record(complete, contract, schema_id)


def _refused(name: str | None, reason: GateReason, message: str) -> Verdict:
    return Verdict(name, Outcome.REFUSED, reason.value, message)


def _completed(intake: Intake, record: Any, sender: Sender) -> Any:
    """The record with what the gate sets, and with what the client left out."""
    if not isinstance(record, dict):
        return record
    if intake is not EVENTS:
        return {**intake.optional, **record, "tenantId": sender.tenant}
    complete = {**intake.optional, **record, "tenantId": sender.tenant}
    complete["receivedAt"] = milliseconds(sender.received_at)
    if isinstance(complete["context"], Mapping):
        request = {"userAgent": sender.user_agent, "ip": sender.ip, "platform": "web", "referrer": None}
        complete["context"] = {**request, **complete["context"]}
    return complete


def _by_the_rules(
    intake: Intake, encoded: Mapping[int, Outgoing], received_at: datetime, schemas: Schemas
) -> dict[int, Verdict]:
    """The refusals of the rules, by place in the batch; the receipt time stands for the time of the log."""
    if not encoded:
        return {}
    places = list(encoded)
    positions = pl.DataFrame(
        {
            "row": pl.Series(range(len(places)), dtype=pl.UInt32),
            "log_epoch": pl.Series([0] * len(places), dtype=pl.Int32),
            "log_partition": pl.Series([0] * len(places), dtype=pl.Int32),
            "log_offset": pl.Series(range(len(places)), dtype=pl.Int64),
            "append_time": pl.Series([received_at] * len(places), dtype=TIMESTAMP),
        }
    )
    values = [message.value for message in encoded.values()]
    _, dead = judge(intake.topic.name, positions, [None] * len(places), values, schemas)
    rows = dead.select("log_offset", "reason", "message").iter_rows()
    return {places[row]: Verdict(None, Outcome.REFUSED, reason, message) for row, reason, message in rows}
