"""One late event changes one session of a closed day, in the truth as in the oracle."""

from collections.abc import Sequence
from datetime import date
from random import Random

import pytest

from infra.simulator.late import NoSessionToJoinError, late_event
from infra.simulator.truth import IntendedSession, Truth
from tests.infra.simulator.shop import NOW, run
from tests.oracle.answer import fold
from tests.oracle.feed import as_log
from tests.oracle.log import at
from tests.oracle.sessions import Session

CLOSED = date(2026, 3, 6)


@pytest.mark.parametrize("tenant", ["default", "north", "sakura"])
def test_one_session_grows_and_the_truth_follows(tenant: str) -> None:
    shop = run()
    before = fold(as_log(shop.messages))
    late = late_event(shop.truth, Random(3), tenant, CLOSED, NOW + 1000)
    after = fold(as_log([*shop.messages, late.message]))
    gone, come = rows_without(before.sessions, after.sessions), rows_without(after.sessions, before.sessions)
    assert [bounds(row) for row in gone] == [(tenant, late.before.session_id, late.before.start_ms, late.before.end_ms)]
    assert [bounds(row) for row in come] == [(tenant, late.after.session_id, late.after.start_ms, late.after.end_ms)]
    assert {row.engaged for row in gone} == {False} and {row.engaged for row in come} == {True}
    changed = {tuple(key) for key, row in after.daily_metrics.items() if row != before.daily_metrics[key]}
    assert changed == {(tenant, CLOSED)}
    expected = shop.truth.daily_metrics()
    assert all(vars(row) == vars(expected[key.tenant_id, key.day]) for key, row in after.daily_metrics.items())


def test_further_late_events_join_too() -> None:
    shop = run()
    late = [late_event(shop.truth, Random(n), "default", CLOSED, NOW + n).message for n in range(20)]
    answer, expected = fold(as_log([*shop.messages, *late])), shop.truth.daily_metrics()
    assert all(vars(row) == vars(expected[key.tenant_id, key.day]) for key, row in answer.daily_metrics.items())


def test_a_day_without_sessions_is_refused() -> None:
    with pytest.raises(NoSessionToJoinError, match="no session of tenant north on 2026-03-06") as refused:
        late_event(Truth(), Random(0), "north", CLOSED, NOW)
    assert (refused.value.tenant_id, refused.value.day) == ("north", CLOSED)


def lone(session_id: str, start: str, end: str, purchases: int = 0) -> IntendedSession:
    return IntendedSession("north", session_id, None, at(start), at(end), 1, 0, purchases, {})


def test_only_a_session_whose_event_can_touch_no_other_and_no_other_day_is_joined() -> None:
    truth = Truth()
    truth.add_session(lone("resumed", "2026-03-06 10:00", "2026-03-06 10:00"))
    truth.add_session(lone("resumed", "2026-03-06 10:30:05", "2026-03-06 10:31"))
    truth.add_session(lone("over midnight", "2026-03-06 23:59", "2026-03-06 23:59:50"))
    truth.add_session(lone("crawler", "2026-03-06 01:00", "2026-03-07 03:00"))
    with pytest.raises(NoSessionToJoinError):
        late_event(truth, Random(0), "north", CLOSED, NOW)
    truth.add_session(lone("engaged", "2026-03-06 12:00", "2026-03-06 12:00", purchases=1))
    assert late_event(truth, Random(0), "north", CLOSED, NOW).before.session_id == "engaged"
    truth.add_session(lone("bounced", "2026-03-06 12:00", "2026-03-06 12:00"))
    assert late_event(truth, Random(0), "north", CLOSED, NOW).before.session_id == "bounced"


def rows_without(rows: Sequence[Session], others: Sequence[Session]) -> list[Session]:
    return [row for row in rows if row not in others]


def bounds(row: Session) -> tuple[str, str, int, int]:
    return row.tenant_id, row.session_id, row.session_start, row.session_end
