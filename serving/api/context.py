"""What the routes work with; `create_app` puts it into the application's state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, cast

from fastapi import Depends, Request

from serving.api.keyring import KeyRing
from serving.api.limits import Limits
from serving.api.provenance import Clock
from serving.api.store import Store
from serving.gate.gate import Gate


@dataclass(frozen=True)
class Context:
    """ClickHouse, the keys, the clock (timezone-aware times), what each key may use up, and the gate to Kafka."""

    store: Store
    keys: KeyRing
    clock: Clock
    limits: Limits
    gate: Gate


def _context(request: Request) -> Context:
    return cast("Context", request.app.state.context)


InContext = Annotated[Context, Depends(_context)]
"""A route's parameter that is the application's context."""
