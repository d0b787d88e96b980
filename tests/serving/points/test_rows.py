from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from random import Random

from serving.points.rows import INSERT_SESSIONS, INSERT_USERS, INSERT_WINDOWS, SESSIONS_KEPT, coalesced, writes
from tests.serving.points.messages import DAY, NOON_MS, group, session, window

NOW = datetime(2026, 3, 10, 12, 5, tzinfo=UTC)


def test_of_one_row_only_the_latest_is_written() -> None:
    records = [(topic.name, record) for topic, record in (group("s", n, session()) for n in range(9))]
    for seed in range(5):
        shuffled = Random(seed).sample(records, len(records))
        assert [record["asOf"] for _, record in coalesced(shuffled)] == [8]
    other_day = [
        (topic.name, record) for topic, record in (group("s", 1), group("s", 2, logPartition=1), window("p", 1, 1))
    ]
    assert len(coalesced([*records, *other_day])) == 3


def test_rows_carry_the_offset_as_their_time_and_users_come_first() -> None:
    made = writes([(topic.name, record) for topic, record in (group("s", 7, session()), window("p", 9, 4))], NOW)
    assert list(made.rows) == [INSERT_USERS, INSERT_SESSIONS, INSERT_WINDOWS]
    (row,), (user,), (counted,) = (made.rows[one] for one in (INSERT_SESSIONS, INSERT_USERS, INSERT_WINDOWS))
    assert row[:6] == ("acme", "s", 1, 0, DAY, 7)
    assert json.loads(row[6])[0]["session_start"] == NOON_MS
    assert row[7] == 7
    assert user[:4] == ("acme", "u1", NOON_MS, "s")
    assert counted[5:11] == (9, 4, 0, 0, 0, 9)


def test_rows_go_by_the_time_of_their_events_also_when_they_are_replayed() -> None:
    def lifetime(now: datetime) -> int:
        topic, record = group("s", 7, session())
        return int(writes([(topic.name, record)], now).rows[INSERT_SESSIONS][0][8])

    end = datetime(2026, 3, 11, tzinfo=UTC) + SESSIONS_KEPT
    assert lifetime(NOW) == (end - NOW).total_seconds()
    assert lifetime(NOW + timedelta(days=3)) == lifetime(NOW) - 3 * 86400
    assert lifetime(NOW + timedelta(days=3000)) > 0


def test_a_group_without_sessions_is_written_as_such() -> None:
    topic, record = group("s", 8)
    made = writes([(topic.name, record)], NOW)
    assert (made.rows[INSERT_SESSIONS][0][6], made.rows[INSERT_USERS]) == ("[]", [])
