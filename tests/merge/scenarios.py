"""Histories written by hand, each of which goes wrong without one mechanism. Times are minutes after midnight."""

from __future__ import annotations

import random
from collections.abc import Sequence
from datetime import date
from typing import TypeVar

from tests.merge.answers import check
from tests.merge.log import FIRST_MIDNIGHT, MINUTE
from tests.merge.schedules import settled
from tests.merge.store import Store
from tests.merge.world import World
from tests.oracle.records import utc_day

T = TypeVar("T")
DAY = 1440
AFTER_MIDNIGHT = 66
"""Minutes after which a landing may publish the day before."""


class Everything(random.Random):
    """Draws that take all there is, in the order in which it comes."""

    def choice(self, seq: Sequence[T]) -> T:  # type: ignore[override]  # the signature is looser in the library
        return seq[-1]

    def sample(self, population: Sequence[T], k: int) -> list[T]:  # type: ignore[override]  # looser in the library
        return list(population[:k])

    def shuffle(self, x: object) -> None:
        """Nothing is shuffled."""


class History:
    """The words of the scenarios."""

    def __init__(self, store: Store) -> None:
        store.clear()
        self.world = World(store)
        self.event, self.order = self.world.log.event, self.world.log.order

    def until(self, minute: int) -> None:
        self.world.log.clock = FIRST_MIDNIGHT + minute * MINUTE

    def tick(self) -> None:
        self.world.worker.step(Everything(), 999)

    def writes(self, count: int) -> None:
        """So many writes of the next tick, which then is left as it is."""
        self.world.worker.step(Everything(), count + 1)

    def crash(self) -> None:
        self.world.crash(random.Random(0))

    def land(self) -> None:
        self.world.land(random.Random(0))

    def publish(self, day: int, dataset: str = "events") -> None:
        """Recomputes a day from the newest landing and publishes it."""
        for _ in self.publisher(day, dataset):
            pass

    def published(self) -> None:
        """All events are streamed, and after the first midnight landed; the first day is published."""
        self.tick()
        self.until(DAY + AFTER_MIDNIGHT)
        self.land()
        self.publish(0)

    def both_published(self) -> None:
        """After the second midnight all events are streamed and landed; the first two days are published."""
        self.until(2 * DAY + AFTER_MIDNIGHT)
        for _ in range(3):
            self.tick()
        self.land()
        self.publish(0)
        self.publish(1)

    def publisher(self, day: int, dataset: str = "events"):  # type: ignore[no-untyped-def]  # a generator of steps
        lake = self.world.lakes[dataset]
        assert lake.head is not None
        return self.world.recompute(dataset, {self.date(day)}, lake.head, random.Random(1))

    def date(self, day: int) -> date:
        return utc_day(FIRST_MIDNIGHT + day * DAY * MINUTE)

    def lose_the_store(self) -> None:
        """The speed store is lost, and of the log all that has been landed and committed is gone."""
        self.world.wipe(Last())

    def checked(self) -> None:
        settled(self.world)


class Last(random.Random):
    """Draws the upper end."""

    def randint(self, a: int, b: int) -> int:
        return b


def fetch_back(history: History) -> None:
    """A session goes on after a restart."""
    history.event(1300)
    history.tick()
    history.crash()
    history.event(1310)
    history.checked()


def stored_ids(history: History) -> None:
    """A session that had ended before a restart gets a late event."""
    history.event(1200, session="ended")
    history.event(1300, session="other")
    history.tick()
    history.crash()
    history.event(1210, session="ended")
    history.checked()


def whole_group_writes(history: History) -> None:
    """One of a visitor's two sessions of a day goes on."""
    history.event(1200)
    history.event(1300)
    history.tick()
    history.event(1210)
    history.checked()


def restart_below_commit(history: History) -> None:
    """The worker dies between the counts of a window and its progress."""
    history.event(1300, product="p")
    history.tick()
    history.event(1301, product="p")
    history.writes(3)
    history.crash()
    history.checked()


counts_below_commit = restart_below_commit
places_of_open_days = restart_below_commit


def group_level_choice(history: History) -> None:
    """A late event comes before the first one of a published session."""
    history.event(1300)
    history.published()
    history.event(1290)
    history.checked()


def correction_of_figures(history: History) -> None:
    """A published session goes on."""
    history.event(1300)
    history.published()
    history.event(1310, kind="purchase")
    history.checked()


def correction_of_members(history: History) -> None:
    """A user of a published day has another session on it."""
    history.event(1300)
    history.published()
    history.event(1310, session="s2")
    history.checked()


def members_that_stay(history: History) -> None:
    """One of two sessions of a user turns out to be another user's."""
    history.event(1300)
    history.event(1305, session="s2")
    history.published()
    history.event(1310, session="s2", user="u1")
    history.checked()


def state_of_kept_figures(history: History) -> None:
    """A published session goes on, and then once more."""
    history.event(1300)
    history.tick()
    history.until(DAY + AFTER_MIDNIGHT)
    history.land()
    history.publish(0)
    history.event(1310)
    history.checked()
    history.event(1315)
    history.checked()


situation_of_known_days = state_of_kept_figures


def state_of_open_days(history: History) -> None:
    """A session of an open day goes on between two questions."""
    history.event(1300)
    history.checked()
    history.event(1310)
    history.checked()


def ack_after_write(history: History) -> None:
    """The worker dies before its first write."""
    history.event(1300)
    history.tick()
    history.event(1310)
    history.writes(0)
    history.crash()
    history.event(1315)
    history.checked()


def ticks_of_one_day(history: History) -> None:
    """A session of a day goes on just before the day's horizon ends, and its visitor comes again just after."""
    history.until(DAY)
    history.event(1400)
    history.tick()
    history.until(3 * DAY - 1)
    history.event(1410)
    history.until(3 * DAY)
    history.event(3 * DAY)
    history.tick()
    history.checked()


def cut_from_coverage(history: History) -> None:
    """The lake is rolled back while a landing is under way, which then commits past a gap."""
    history.event(1300)
    history.land()
    history.event(1301)
    history.until(DAY + AFTER_MIDNIGHT)
    lake = history.world.lakes["events"]
    lander = lake.lander(history.world.log)
    next(lander)
    lake.head = None
    next(lander)
    history.tick()
    history.publish(0)
    history.checked()


def connected_days(history: History) -> None:
    """After both days' horizon an event joins yesterday's session with today's; then yesterday is computed again."""
    history.event(1410)
    history.until(DAY + 60)
    history.event(DAY + 5)
    history.tick()
    history.until(2 * DAY + AFTER_MIDNIGHT)
    history.land()
    history.publish(0)
    history.publish(1)
    history.until(5 * DAY)
    history.event(1430)
    history.tick()
    history.land()
    history.publish(0)
    history.checked()


def errors_at_holes(history: History) -> None:
    """The store is lost on a day that is not published."""
    history.event(1300)
    history.tick()
    history.land()
    history.lose_the_store()
    history.event(1302)
    history.tick()
    check(history.world)


def wait_at_holes(history: History) -> None:
    """The store is lost, and a session goes on of which the first part is only in the lake."""
    history.event(1300)
    history.tick()
    history.until(DAY + AFTER_MIDNIGHT)
    history.land()
    history.lose_the_store()
    history.event(1310)
    history.tick()
    history.publish(0)
    history.checked()


def refusal_of_stale_versions(history: History) -> None:
    """A publisher stalls, a newer one overtakes it, then it goes on."""
    history.event(1300)
    history.tick()
    history.until(DAY + AFTER_MIDNIGHT)
    history.land()
    slow = history.publisher(0)
    next(slow)
    history.event(1310)
    history.tick()
    history.land()
    history.publish(0)
    check(history.world)
    for _ in slow:
        pass
    history.checked()
