"""Any data set: a JSON object a line, each a UserEvent or a Transaction of the newest contract."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from infra.messages import TRANSACTIONS, USER_EVENTS, Message
from infra.replay.rows import Reject, UnreadableRowError, read_lines, strictly
from schemas.json_form import objection
from schemas.subjects import SchemaVersion, subject
from schemas.topics import TOPICS

IDENTITIES: Mapping[str, str] = {USER_EVENTS: "eventId", TRANSACTIONS: "transactionId"}
"""Topic -> the field by which its records are told from the others."""
PLACES: Mapping[str, tuple[str, str]] = {
    USER_EVENTS: ("sessionId", "sessionId"),
    TRANSACTIONS: ("transactionId", "userId"),
}
"""Topic -> the fields of the key, and of what decides the partition."""
_CONTRACTS: Mapping[str, SchemaVersion] = {
    topic: subject(str(TOPICS[topic].subject)).latest for topic in (USER_EVENTS, TRANSACTIONS)
}


def jsonl_messages(
    path: Path, topic: str | None = None, tenant_id: str | None = None, reject: Reject = strictly
) -> Iterator[Message]:
    """Yield the records in the order of the file; empty lines are skipped.

    Fields for which the contract has a default may be missing. `topic`: all are of this one, else each line's id field
    tells. `tenant_id`: put in the place of the records' own. Raises UnreadableFileError.
    """
    for number, line in read_lines(path, reject):
        if line.strip():
            try:
                yield _message(line, topic, tenant_id)
            except ValueError as problem:
                reject(UnreadableRowError(path, number, str(problem)))


def _message(line: str, topic: str | None, tenant_id: str | None) -> Message:
    """One line. Raises ValueError with what is wrong."""
    record = json.loads(line)
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    name = topic or _topic(record)
    contract = _CONTRACTS[name]
    value = _defaults(contract) | record | ({} if tenant_id is None else {"tenantId": tenant_id})
    if why := objection(value, contract.type):
        raise ValueError(f"not a {contract.subject}: {why}")
    key, placed_by = PLACES[name]
    return Message(name, value[key], value[placed_by], contract.version, value, value["timestamp"])


def _topic(record: Mapping[str, Any]) -> str:
    found = [topic for topic, identity in IDENTITIES.items() if identity in record]
    if len(found) != 1:
        raise ValueError(f"has not one of {' and '.join(IDENTITIES.values())}, so its topic is not known")
    return found[0]


def _defaults(contract: SchemaVersion) -> dict[str, Any]:
    return {field["name"]: field["default"] for field in contract.schema["fields"] if "default" in field}
