"""The live load: paced by the clock and the sleep that are handed in."""

from collections import defaultdict
from dataclasses import replace
from itertools import chain, islice, pairwise
from random import Random

from infra.messages import TRANSACTIONS, USER_EVENTS
from infra.simulator.faults import GENTLE, Shares
from infra.simulator.load import LiveLoad
from infra.simulator.simulation import ShopSettings
from infra.simulator.truth import Truth
from tests.infra.simulator.shop import NOW, Run
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


def played(events: int, rate: float = 10, clock: Clock | None = None, shares: Shares = GENTLE) -> Run:
    """A load that ends after so many events."""
    clock, truth = clock or Clock(), Truth()
    shop = LiveLoad(ShopSettings(shares=shares), Random(5), rate, clock, clock.sleep, truth)
    due = chain.from_iterable(islice(shop.due(), events))
    return Run([*due, *shop.rest()], truth)


def test_events_come_at_the_rate_with_the_time_of_the_clock() -> None:
    events = [message for message in played(5_000).messages if message.topic == USER_EVENTS]
    seconds = (events[-1].send_time_ms - NOW) / 1000
    assert abs(len(events) / seconds - 10) < 0.1
    assert all(not isinstance(e.value, bytes) and e.value["timestamp"] == e.send_time_ms for e in events)


def test_a_slow_reader_is_not_made_to_wait() -> None:
    clock = Clock()
    slept: list[float] = []
    load = LiveLoad(ShopSettings(shares=GENTLE), Random(5), 10, clock, slept.append, Truth())
    for _ in islice(load.due(), 50):
        clock.now += 60_000
    assert set(slept[1:]) == {0.0}


def test_every_record_is_used_and_visits_are_whole_sessions() -> None:
    answer = fold(as_log(played(20_000).messages))
    assert all(account.used == account.records for account in answer.accounts.values())
    assert len({(row.tenant_id, row.session_id) for row in answer.sessions}) == len(answer.sessions)
    assert {order.status for order in answer.orders} == {"completed"}


def test_pauses_within_a_visit_are_about_twenty_seconds() -> None:
    times = defaultdict(list)
    for message in played(20_000).messages:
        if message.topic != TRANSACTIONS:
            times[message.key].append(message.send_time_ms)
    pauses = [after - before for visit in times.values() for before, after in pairwise(visit)]
    assert 15_000 < sum(pauses) / len(pauses) < 25_000


def test_whatever_goes_wrong_the_truth_is_what_must_come_out() -> None:
    faulty = replace(GENTLE, resent=0.05, late=0.05, out_of_order=0.1, broken=0.03)
    clock = Clock()
    found = played(6_000, 0.2, clock, faulty)
    found.messages.sort(key=lambda message: message.send_time_ms)
    answer = fold(as_log(found.messages))
    metrics, revenue = found.truth.daily_metrics(), found.truth.daily_revenue()
    assert {tuple(key): vars(row) for key, row in answer.daily_metrics.items()} == {
        key: vars(row) for key, row in metrics.items()
    }
    assert {tuple(key): vars(row) for key, row in answer.daily_revenue.items()} == {
        key: vars(row) for key, row in revenue.items()
    }
    duplicates = sum(account.duplicates for account in answer.accounts.values())
    assert duplicates == sum(found.truth.duplicates.values()) > 100
    assert len(found.messages) == sum(found.truth.sent.values())


def test_a_visit_that_was_left_alone_does_not_go_on() -> None:
    clock = Clock()
    load = LiveLoad(ShopSettings(shares=GENTLE), Random(5), 10, clock, clock.sleep, Truth())
    due = load.due()
    before = {message.key for _ in range(2_000) for message in next(due)}
    clock.now += 40 * 60_000
    after = {message.key for _ in range(2_000) for message in next(due)}
    assert before.isdisjoint(after)
