"""What the routes work with; `create_app` puts it into the application's state."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, cast

from fastapi import Depends, Request

from serving.api.feature_reads import FeatureReads
from serving.api.freshness import Freshness
from serving.api.keyring import KeyRing
from serving.api.limits import Limits
from serving.api.provenance import Clock
from serving.api.store import Store
from serving.gate.gate import Gate
from serving.log import LogEnds
from serving.points.reading import PointReads

if TYPE_CHECKING:
    from serving.dashboard.backlog import Backlog
    from serving.dashboard.live import Live


@dataclass(frozen=True)
class Context:
    """What the routes need: the stores, the keys and their shares, the gate, and the clock (timezone-aware times)."""

    store: Store
    keys: KeyRing
    clock: Clock
    limits: Limits
    gate: Gate
    points: PointReads
    freshness: Freshness
    live: Live
    backlog: Backlog
    log: LogEnds
    features: FeatureReads


def _context(request: Request) -> Context:
    return cast("Context", request.app.state.context)


InContext = Annotated[Context, Depends(_context)]
"""A route's parameter that is the application's context."""
