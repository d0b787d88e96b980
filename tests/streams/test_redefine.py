"""A changed session rule: the hot days are derived again, and no row by the old rule is left."""

from __future__ import annotations

from datetime import timedelta

from schemas.sessions import SessionRules
from streams import progress
from streams.redefine import derive_again
from tests.merge.scenarios import History
from tests.merge.store import Store
from tests.merge.world import HORIZON, RULES

SHORTER = SessionRules(gap=timedelta(minutes=5))
_LEFT = (
    "SELECT definition, toInt64(count()) AS rows, toInt64(sum(length(sessions))) AS sessions,"
    " toInt64(max(as_of)) AS as_of FROM speed_sessions FINAL GROUP BY definition ORDER BY definition"
)


def test_all_rows_are_by_the_new_rules(store: Store) -> None:
    store.clear()
    history = History(store)
    history.until(1450)
    for minute in (1300, 1310, 1320, 1435, 1445):  # two sessions by the old rules, the second across midnight
        history.event(minute)
    history.event(1302, session="other")
    history.checked()
    [old] = store.rows(_LEFT)
    assert (old["definition"], old["sessions"]) == (RULES.definition, 3)
    known = {(epoch, place): at for (_, epoch, place), (at, _) in progress.applied(store.client).items()}
    assert derive_again(store.client, SHORTER, HORIZON, known) == old["rows"]
    assert store.rows(_LEFT) == [old | {"definition": SHORTER.definition, "sessions": 6}]
    assert derive_again(store.client, SHORTER, HORIZON, known) == 0
