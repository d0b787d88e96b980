"""Sessions: the events of one group, cut where the gap is 30 minutes or more."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import pairwise

from tests.oracle.records import Event, Log, utc_day
from tests.oracle.verdicts import Rules

ENGAGED_MS = 10_000
ENGAGED_VIEWS = 2


@dataclass(frozen=True)
class Session:
    """One session row. Times are milliseconds; a session belongs to the UTC day of its first event."""

    tenant_id: str
    session_id: str
    log_epoch: int
    log_partition: int
    session_start: int
    session_end: int
    user_id: str | None
    visitor_id: str
    events: int
    page_views: int
    clicks: int
    searches: int
    add_to_carts: int
    purchases: int
    unique_pages: int
    entry_page: str | None
    exit_page: str | None
    referrer: str | None
    platform: str
    device_class: str
    country: str | None
    products: list[str]
    experiments: list[str]
    converted: bool
    engaged: bool
    overlong: bool
    duration_ms: int

    @property
    def day(self) -> date:
        return utc_day(self.session_start)


def sessions_of(events: Iterable[Event], rules: Rules) -> list[Session]:
    """Group, cut and describe; sorted by group and start."""
    groups: dict[tuple[str, str, Log], list[Event]] = defaultdict(list)
    for event in events:
        groups[event.tenant_id, event.session_id, event.position.log].append(event)
    return [
        describe(part, rules) for group in sorted(groups) for part in cut(sorted(groups[group], key=event_order), rules)
    ]


def event_order(event: Event) -> tuple[int, str]:
    """Order events by time, and events of one millisecond by their id."""
    return event.order


def cut(events: list[Event], rules: Rules) -> list[list[Event]]:
    """Split one group's events, in order, at every gap of 30 minutes or more."""
    parts = [[events[0]]]
    for earlier, later in pairwise(events):
        if later.time_ms - earlier.time_ms >= rules.gap_ms:
            parts.append([])
        parts[-1].append(later)
    return parts


def describe(events: list[Event], rules: Rules) -> Session:
    """Return the row of a session from its events in order."""
    first, last = events[0], events[-1]
    users = [event.user_id for event in events if event.user_id is not None]
    pages = [event.page for event in events if event.event_type == "page_view" and event.page is not None]
    countries = [event.country for event in events if event.country is not None]
    products = list(dict.fromkeys(event.product_id for event in events if event.product_id is not None))
    experiments = {f"{name}={variant}" for event in events for name, variant in event.experiments}
    referrers = [event.referrer for event in events if event.referrer is not None]
    count = {kind: sum(event.event_type == kind for event in events) for kind in KINDS}
    duration = last.time_ms - first.time_ms
    overlong = duration > rules.overlong_ms
    active = count["purchase"] > 0 or count["add_to_cart"] > 0 or count["page_view"] >= ENGAGED_VIEWS
    return Session(
        tenant_id=first.tenant_id,
        session_id=first.session_id,
        log_epoch=first.position.log.epoch,
        log_partition=first.position.log.partition,
        session_start=first.time_ms,
        session_end=last.time_ms,
        user_id=users[-1] if users else None,
        visitor_id=users[-1] if users else first.session_id,
        events=len(events),
        page_views=count["page_view"],
        clicks=count["click"],
        searches=count["search"],
        add_to_carts=count["add_to_cart"],
        purchases=count["purchase"],
        unique_pages=min(len(set(pages)), rules.unique_pages),
        entry_page=pages[0] if pages else None,
        exit_page=pages[-1] if pages else None,
        referrer=referrers[0] if referrers else None,
        platform=first.platform,
        device_class=first.device_class,
        country=countries[0] if countries else None,
        products=products[: rules.products],
        experiments=sorted(experiments)[: rules.experiments],
        converted=count["purchase"] > 0,
        engaged=not overlong and (duration > ENGAGED_MS or active),
        overlong=overlong,
        duration_ms=duration,
    )


KINDS = ("page_view", "click", "search", "add_to_cart", "purchase")
