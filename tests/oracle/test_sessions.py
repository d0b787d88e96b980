"""Sessions of hand-written logs."""

from datetime import date

from tests.oracle.answer import fold
from tests.oracle.log import at, event
from tests.oracle.records import LogRecord
from tests.oracle.sessions import Session


def sessions(*records: LogRecord) -> list[Session]:
    return list(fold(records).sessions)


def test_a_gap_of_exactly_30_minutes_cuts_and_one_millisecond_less_does_not() -> None:
    kept = sessions(event(0, "2026-03-01 10:00"), event(1, "2026-03-01 10:29:59.999"))
    cut = sessions(event(0, "2026-03-01 10:00"), event(1, "2026-03-01 10:30"))
    assert [session.events for session in kept] == [2]
    assert [session.session_start for session in cut] == [at("2026-03-01 10:00"), at("2026-03-01 10:30")]


def test_a_late_event_bridges_two_sessions() -> None:
    apart = [event(0, "2026-03-01 10:00"), event(1, "2026-03-01 10:50")]
    bridge = event(2, "2026-03-01 10:25", append="2026-03-02 10:00")
    assert [session.events for session in sessions(*apart)] == [1, 1]
    assert [session.events for session in sessions(*apart, bridge)] == [3]


GIVEN = {"price": "a", "checkout": "b"}


def test_every_column_of_a_full_session() -> None:
    [session] = sessions(
        event(7, "2026-03-01 10:00:09", "purchase", product="p1", user="ann"),
        event(3, "2026-03-01 10:00:00", "search", platform="ios", agent="iPad"),
        event(4, "2026-03-01 10:00:02", page="/a", user="bob", referrer="https://first.example"),
        event(5, "2026-03-01 10:00:04", page="/b", referrer="https://second.example"),
        event(6, "2026-03-01 10:00:06", page="/a"),
        event(
            8,
            "2026-03-01 10:00:10",
            "click",
            page="/clicked",
            ip="17.1.2.3",
            tenant="default",
            product="p0",
            experiments=GIVEN,
        ),
    )
    assert session == Session(
        tenant_id="default",
        session_id="s",
        log_epoch=1,
        log_partition=0,
        session_start=at("2026-03-01 10:00:00"),
        session_end=at("2026-03-01 10:00:10"),
        user_id="ann",
        visitor_id="ann",
        events=6,
        page_views=3,
        clicks=1,
        searches=1,
        add_to_carts=0,
        purchases=1,
        unique_pages=2,
        entry_page="/a",
        exit_page="/a",
        referrer="https://first.example",
        platform="ios",
        device_class="tablet",
        country="US",
        products=["p1", "p0"],
        experiments=["checkout=b", "price=a"],
        converted=True,
        engaged=True,
        overlong=False,
        duration_ms=10_000,
    )


def test_a_session_without_user_or_page_has_its_id_as_visitor() -> None:
    [session] = sessions(event(0, "2026-03-01 10:00", "click", page="/ignored"))
    assert (session.user_id, session.visitor_id) == (None, "s")
    assert (session.entry_page, session.exit_page, session.unique_pages) == (None, None, 0)


def test_engaged_needs_more_than_ten_seconds_or_a_cart_a_purchase_or_two_views() -> None:
    def engaged(*kinds_at: tuple[str, str]) -> bool:
        [session] = sessions(*(event(n, f"2026-03-01 10:00:{s}", kind) for n, (kind, s) in enumerate(kinds_at)))
        return session.engaged

    assert not engaged(("page_view", "00"))
    assert not engaged(("page_view", "00"), ("click", "10"))
    assert engaged(("page_view", "00"), ("click", "10.001"))
    assert engaged(("page_view", "00"), ("page_view", "00"))
    assert engaged(("add_to_cart", "00"))
    assert engaged(("purchase", "00"))


def test_a_session_over_midnight_belongs_to_the_day_of_its_first_event() -> None:
    [session] = sessions(event(0, "2026-03-01 23:50"), event(1, "2026-03-02 00:10"))
    assert session.day == date(2026, 3, 1)


def test_over_24_hours_is_overlong_and_never_engaged() -> None:
    minutes = [f"2026-03-0{1 + m // 1440} {m // 60 % 24:02}:{m % 60:02}" for m in range(0, 1441, 20)]
    whole = [event(n, minute) for n, minute in enumerate(minutes)]
    [day_long] = sessions(*whole)
    [longer] = sessions(*whole, event(99, "2026-03-02 00:00:00.001"))
    assert (day_long.overlong, day_long.engaged) == (False, True)
    assert (longer.overlong, longer.engaged, longer.events) == (True, False, 74)


def test_events_of_one_millisecond_go_by_event_id_and_not_by_offset() -> None:
    [session] = sessions(
        event(0, "2026-03-01 10:00", event_id="b", page="/b", user="ben", platform="ios"),
        event(1, "2026-03-01 10:00", event_id="a", page="/a", user="amy", platform="web"),
    )
    assert (session.entry_page, session.exit_page, session.platform, session.user_id) == ("/a", "/b", "web", "ben")


def test_tenant_partition_and_epoch_keep_groups_apart() -> None:
    found = sessions(
        event(0, "2026-03-01 10:00"),
        event(1, "2026-03-01 10:00", tenant="north"),
        event(0, "2026-03-01 10:00", partition=1),
        event(0, "2026-03-01 10:00", epoch=2),
    )
    assert len(found) == 4


def test_at_most_a_thousand_unique_pages_are_counted() -> None:
    [session] = sessions(*(event(n, "2026-03-01 10:00", page=f"/{n}") for n in range(1001)))
    assert (session.page_views, session.unique_pages) == (1001, 1000)
