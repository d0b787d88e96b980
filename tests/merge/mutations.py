"""Each mechanism of the merge, taken away. A test that cannot see it missing would prove nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from unittest.mock import patch

import numpy as np
import polars as pl

from batch import publish
from batch.coverage import Coverage, Landing
from schemas.lateness import is_publishable
from serving.merged import STATE, statements
from streams import counts, derived, holes, restore, sessions
from streams.counts import Standing
from streams.heap import Heap
from streams.packing import pack, unpack
from streams.restore import History
from tests.merge import lake, world
from tests.merge.frames import time_of
from tests.merge.store import Store

Mutation = Callable[[Store], AbstractContextManager[object]]

_folded = sessions._folded


def _touched_sessions_only(*args):  # type: ignore[no-untyped-def]
    folded, is_touched = _folded(*args)
    rows, each = np.flatnonzero(is_touched), Heap()
    each.write(pack(replace(folded, group=np.arange(len(folded)))))
    return replace(unpack(each.read(rows)), group=folded.group[rows]), is_touched[rows]


def whole_group_writes(store: Store) -> AbstractContextManager[object]:
    """A speed row holds only the sessions that the slice touched."""
    return patch.object(sessions, "_folded", _touched_sessions_only)


@contextmanager
def fetch_back(store: Store) -> Iterator[None]:
    """A group that is not in memory starts from nothing."""
    empty = pl.DataFrame(schema=sessions.STATE_COLUMNS)
    with (
        patch.object(History, "events", lambda self, groups, below: empty),
        patch.object(History, "open_groups", lambda self, *args: iter(())),
    ):
        yield


def stored_ids(store: Store) -> AbstractContextManager[object]:
    """A worker does not ask which sessions are stored, and takes all that it does not know for new."""
    return patch.object(History, "stored_sessions", lambda self, partitions: np.zeros(0, np.uint64))


@contextmanager
def restart_below_commit(store: Store) -> Iterator[None]:
    """State takes in stored events at or past the committed offset."""

    def all_of_it(stored: pl.DataFrame, below: object) -> pl.DataFrame:
        return stored

    with patch.object(restore, "below_start", all_of_it), patch.object(counts, "below_start", all_of_it):
        yield


def counts_below_commit(store: Store) -> AbstractContextManager[object]:
    """The newest row of a window is believed, also one that was written past the committed offset."""
    return patch.object(derived, "Standing", lambda start, hole_until: Standing(1 << 60, hole_until))


@contextmanager
def changed_view(store: Store, name: str, change: Callable[[str], str]) -> Iterator[None]:
    made = dict(statements())
    original = made[name]
    changed = change(original)
    assert changed != original
    store.client.command(changed)
    try:
        yield
    finally:
        store.client.command(original)
        if said := made.get(f"comments of {name}"):
            store.client.command(said)


def group_level_choice(store: Store) -> AbstractContextManager[object]:
    """A speed session takes the place of the batch session that starts with it, instead of group for group."""
    group = "tenant_id, session_id, log_epoch, log_partition"
    by_group = f"(day, {group}) NOT IN (SELECT day, {group} FROM speed_sessions WHERE"
    by_row = (
        f"(day, {group}, session_start) NOT IN (SELECT day, {group}, session.session_start"
        " FROM speed_sessions ARRAY JOIN sessions AS session WHERE"
    )
    return changed_view(store, "sessions", lambda sql: sql.replace(by_group, by_row))


def correction_of_figures(store: Store) -> AbstractContextManager[object]:
    """The rollup of a day is not corrected by what it holds of late groups."""
    return changed_view(
        store, "closed_figures", lambda sql: sql.replace("AND group_key IN (SELECT", "AND 0 AND group_key IN (SELECT")
    )


def correction_of_members(store: Store) -> AbstractContextManager[object]:
    """A value that a late group brings is counted although another session of the day has it."""
    return changed_view(store, "closed_figures", lambda sql: sql.replace("AND member IN", "AND 0 AND member IN"))


def members_that_stay(store: Store) -> AbstractContextManager[object]:
    """A value that a late group loses is no longer counted although another session of the day has it."""
    return changed_view(
        store,
        "closed_figures",
        lambda sql: sql.replace("arrayPushFront(others,", "arrayPushFront(arrayMap(n -> toUInt64(1), others),"),
    )


@contextmanager
def places_of_open_days(store: Store) -> Iterator[None]:
    """Events of an open day are counted as often as they were written."""
    store.client.command("SYSTEM STOP MERGES events_speed")
    try:
        with changed_view(store, "open_figures", lambda sql: sql.replace("groupBitmap(log_offset)", "count()")):
            yield
    finally:
        store.client.command("SYSTEM START MERGES events_speed")


@contextmanager
def state_of_kept_figures(store: Store) -> Iterator[None]:
    """Figures of a published day are kept whatever the speed layer writes of it."""
    with (
        changed_view(store, "closed_figures", lambda sql: sql.replace(f"{STATE} AS state", "toUInt64(0) AS state")),
        changed_view(store, "known_days", lambda sql: sql.replace(f"any({STATE}) AS state", "toUInt64(0) AS state")),
    ):
        yield


@contextmanager
def state_of_open_days(store: Store) -> Iterator[None]:
    """Figures of an open day are kept whatever is written of it."""

    def constant(sql: str) -> str:
        return sql.replace("(groupArray(day), groupArray(state))", "(groupArray(day), groupArray(toUInt64(0)))")

    def asked(sql: str) -> str:
        return sql.replace("(day, state)) AS kept", "(day, toUInt64(0))) AS kept")

    with changed_view(store, "open_figures", constant), changed_view(store, "open_days", asked):
        yield


@contextmanager
def situation_of_known_days(store: Store) -> Iterator[None]:
    """The days that there are, with their rows, are kept whatever is published or comes late."""

    def constant(sql: str) -> str:
        return sql.replace("sum(DISTINCT sipHash64(", "toUInt64(any(1)) + 0 * sum(DISTINCT sipHash64(")

    with changed_view(store, "known_days", constant), changed_view(store, "daily_metrics", constant):
        yield


def ack_after_write(store: Store) -> AbstractContextManager[object]:
    """The committed offset moves before the rows are written."""
    return patch.object(world.Worker, "acks_first", True)


def ticks_of_one_day(store: Store) -> AbstractContextManager[object]:
    """A tick takes records from both sides of a midnight of the log."""
    return patch.object(world.Worker, "spans_days", True)


def _newest_landing(landings: Sequence[Landing]) -> Coverage:
    last = landings[-1] if landings else Landing(0, 0, 1, {}, {}, time_of(0))
    return Coverage(1, last.end, last.taken_at)


def cut_from_coverage(store: Store) -> AbstractContextManager[object]:
    """The cut is what the newest landing says, whether or not the ranges before it meet."""
    return patch.object(lake, "covered", _newest_landing)


@contextmanager
def connected_days(store: Store) -> Iterator[None]:
    """A recompute publishes only the day that it was asked for."""

    def alone(days, reach, current, until):  # type: ignore[no-untyped-def]
        return frozenset(day for day in days if is_publishable(day, until))

    with patch.object(world, "connected", alone), patch.object(publish, "connected", alone):
        yield


def errors_at_holes(store: Store) -> AbstractContextManager[object]:
    """An answer says nothing of what is missing."""
    return changed_view(store, "found_holes", lambda sql: sql + " LIMIT 0")


def wait_at_holes(store: Store) -> AbstractContextManager[object]:
    """The worker goes on past records that nobody can fold any more."""
    return patch.object(holes, "require_no_open_hole", lambda client, tick, progress: None)


def refusal_of_stale_versions(store: Store) -> AbstractContextManager[object]:
    """A publisher that computed from an older snapshot publishes all the same."""
    return patch.object(publish, "check", lambda days, current, version, coverage: None)


MUTATIONS: dict[str, Mutation] = {
    mutation.__name__: mutation
    for mutation in (
        whole_group_writes,
        fetch_back,
        stored_ids,
        restart_below_commit,
        counts_below_commit,
        group_level_choice,
        correction_of_figures,
        correction_of_members,
        members_that_stay,
        places_of_open_days,
        state_of_kept_figures,
        state_of_open_days,
        situation_of_known_days,
        ack_after_write,
        ticks_of_one_day,
        cut_from_coverage,
        connected_days,
        errors_at_holes,
        wait_at_holes,
        refusal_of_stale_versions,
    )
}
