"""The live load: paced by the clock and the sleep that are handed in."""

from collections import defaultdict
from itertools import islice, pairwise
from random import Random

from infra.messages import TRANSACTIONS, USER_EVENTS, Message
from infra.simulator.load import live_load
from infra.simulator.simulation import ShopSettings
from tests.infra.simulator.shop import NOW
from tests.oracle.answer import fold
from tests.oracle.feed import as_log


class Clock:
    """Time that passes only in sleep."""

    def __init__(self) -> None:
        self.now = float(NOW)

    def __call__(self) -> int:
        return int(self.now)

    def sleep(self, seconds: float) -> None:
        self.now += seconds * 1000


def load(count: int, rate: float = 10, clock: Clock | None = None) -> list[Message]:
    clock = clock or Clock()
    return list(islice(live_load(ShopSettings(), Random(5), rate, clock, clock.sleep), count))


def test_events_come_at_the_rate_with_the_time_of_the_clock() -> None:
    events = [message for message in load(5_000) if message.topic == USER_EVENTS]
    seconds = (events[-1].send_time_ms - NOW) / 1000
    assert abs(len(events) / seconds - 10) < 0.1
    assert all(not isinstance(e.value, bytes) and e.value["timestamp"] == e.send_time_ms for e in events)


def test_a_slow_reader_is_not_made_to_wait() -> None:
    clock = Clock()
    slept: list[float] = []
    messages = live_load(ShopSettings(), Random(5), 10, clock, slept.append)
    for _ in range(50):
        next(messages)
        clock.now += 60_000
    assert set(slept[1:]) == {0.0}


def test_every_record_is_used_and_visits_are_whole_sessions() -> None:
    answer = fold(as_log(load(20_000)))
    assert all(account.used == account.records for account in answer.accounts.values())
    assert len({(row.tenant_id, row.session_id) for row in answer.sessions}) == len(answer.sessions)
    assert {order.status for order in answer.orders} == {"completed"}


def test_pauses_within_a_visit_are_about_twenty_seconds() -> None:
    times = defaultdict(list)
    for message in load(20_000):
        if message.topic != TRANSACTIONS:
            times[message.key].append(message.send_time_ms)
    pauses = [after - before for visit in times.values() for before, after in pairwise(visit)]
    assert 15_000 < sum(pauses) / len(pauses) < 25_000
