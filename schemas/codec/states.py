"""States to frames: what is true of a user, a stock, a ticket or the world until a newer record says otherwise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from schemas.codec.columnar import Columns, Decoded, Rejects, decode_columns, decoded, fields_of, frame_of
from schemas.codec.wire import Schemas
from schemas.enrich import map_as_list
from schemas.reasons import Reason
from schemas.subjects import subject

_MILLISECONDS = pa.timestamp("ms", "UTC")


def decode_user_profiles(values: Sequence[bytes | None], schemas: Schemas) -> Decoded:
    """Values of `user-profiles` to the PROFILE frame without the position columns, with `row`.

    A record without value is refused as `null_value`: in this topic it deletes the user of its key, which only the
    caller knows. Raises SchemaNotResolved.
    """
    rejects = Rejects()
    columns, record = _read("user-profile", values, schemas, rejects)
    arrays = {
        "tenant_id": record["tenantId"],
        "user_id": record["userId"],
        "email_hash": record["emailHash"],
        "country": record["country"],
        "signup_at": record["signupAt"].cast(_MILLISECONDS),
        "segments": record["segments"],
        "attributes": map_as_list(record["attributes"]),
        "updated_at": record["timestamp"].cast(_MILLISECONDS),
    }
    return decoded(columns, frame_of(arrays), rejects)


def decode_inventory_updates(values: Sequence[bytes | None], schemas: Schemas) -> Decoded:
    """Values of `inventory-updates` to the INVENTORY frame without the position columns, with `row`.

    Raises SchemaNotResolved.
    """
    rejects = Rejects()
    columns, record = _read("inventory-update", values, schemas, rejects)
    arrays = {
        "tenant_id": record["tenantId"],
        "product_id": record["productId"],
        "warehouse": record["warehouse"],
        "quantity": record["quantity"],
        "reserved": record["reserved"],
        "reason": record["reason"],
        "updated_at": record["timestamp"].cast(_MILLISECONDS),
    }
    return decoded(columns, frame_of(arrays), rejects)


def decode_service_tickets(values: Sequence[bytes | None], schemas: Schemas) -> Decoded:
    """Values of `service-tickets` to the TICKET frame without the position columns, with `row`.

    Raises SchemaNotResolved.
    """
    rejects = Rejects()
    columns, record = _read("service-ticket", values, schemas, rejects)
    arrays = {
        "tenant_id": record["tenantId"],
        "ticket_id": record["ticketId"],
        "user_id": record["userId"],
        "status": record["status"],
        "priority": record["priority"],
        "category": record["category"],
        "channel": record["channel"],
        "product_id": record["productId"],
        "transaction_id": record["transactionId"],
        "opened_at": record["openedAt"].cast(_MILLISECONDS),
        "updated_at": record["timestamp"].cast(_MILLISECONDS),
    }
    return decoded(columns, frame_of(arrays), rejects)


def decode_external_signals(values: Sequence[bytes | None], schemas: Schemas) -> Decoded:
    """Values of `external-signals` to the SIGNAL frame without the position columns, with `row`.

    A figure that is infinite or not a number is refused. Raises SchemaNotResolved.
    """
    rejects = Rejects()
    columns, record = _read("external-signal", values, schemas, rejects)
    finite = pc.is_finite(record["value"]).to_numpy(zero_copy_only=False)
    rejects.add(columns.rows[~finite], Reason.AMOUNT_NOT_FINITE, "the figure is infinite or not a number")
    arrays = {
        "tenant_id": record["tenantId"],
        "source": record["source"],
        "metric": record["metric"],
        "value": record["value"],
        "unit": record["unit"],
        "region": record["region"],
        "product_id": record["productId"],
        "observed_at": record["timestamp"].cast(_MILLISECONDS),
    }
    return decoded(columns, frame_of(arrays), rejects)


def decode_user_sightings(values: Sequence[bytes | None], schemas: Schemas) -> Decoded:
    """Values of `user-sightings` to the SIGHTED frame without the position columns, with `row`.

    Raises SchemaNotResolved.
    """
    rejects = Rejects()
    columns, record = _read("user-sighting", values, schemas, rejects)
    arrays = {
        "tenant_id": record["tenantId"],
        "user_id": record["userId"],
        "session_id": record["sessionId"],
        "ip": record["ip"],
        "timestamp": record["timestamp"].cast(_MILLISECONDS),
    }
    return decoded(columns, frame_of(arrays), rejects)


def _read(
    name: str, values: Sequence[bytes | None], schemas: Schemas, rejects: Rejects
) -> tuple[Columns, dict[str, Any]]:
    columns = decode_columns(values, schemas, subject(name).latest.type, rejects)
    return columns, fields_of(columns.records)
