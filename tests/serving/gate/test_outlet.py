"""Backpressure of the gate: what Kafka has not acknowledged is bounded."""

from __future__ import annotations

import pytest

from infra.settings import Kafka, Settings
from schemas.topics import USER_EVENTS
from serving.gate.judging import Outgoing
from serving.gate.outlet import Crowded, Outlet

MESSAGE = Outgoing(b"k", 0, b"v", ("events", "t", "s", "e"))


def test_more_than_may_wait_is_not_taken() -> None:
    outlet = Outlet(Settings(kafka=Kafka(bootstrap="127.0.0.1:1")), max_in_flight=3)
    waiting = outlet.send(USER_EVENTS, [MESSAGE, MESSAGE])
    assert (outlet.in_flight, waiting.done()) == (2, False)
    with pytest.raises(Crowded):
        outlet.send(USER_EVENTS, [MESSAGE, MESSAGE])
    assert outlet.in_flight == 2
    outlet.close()
    assert waiting.result(1) is not None
    assert outlet.in_flight == 0
