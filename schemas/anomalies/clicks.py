"""Rapid clicks: a row of clicks of one session id that no hand makes.

Two clicks of a session id are linked when their event times lie less than `click_gap` apart and they reached the log
within `click_pause`, in whatever order. Of the clicks that the log holds up to some offset, those that links join are a
row; with `click_floor` clicks it is a candidate, at the offset of the click that made it so. So the alerts of a
log do not depend on how it is cut, and what must be known of earlier clicks is bounded by the log's own time.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby
from operator import itemgetter
from typing import Any

import polars as pl

from schemas.alerts import CANDIDATE_COLUMNS, AlertRules, Severity
from schemas.frames import POSITION_COLUMNS, TIMESTAMP, milliseconds

RULE = "rapid_clicks"

CLICK_COLUMNS: dict[str, pl.DataType] = {
    "tenant_id": pl.String(),
    "session_id": pl.String(),
    **POSITION_COLUMNS,
    "event_time": TIMESTAMP,
    "user_id": pl.String(),
}
"""What the rule reads of a click."""

TAIL_COLUMNS: dict[str, pl.DataType] = {
    **POSITION_COLUMNS,
    "event_time": TIMESTAMP,
    "key": pl.UInt64(),
    "other_key": pl.UInt64(),
}
"""A click that is remembered; both keys are hashes of its tenant and session id, by which clicks are told apart.

It has no texts: one of a frame keeps in memory all that was read with it.
"""

_KEYS = ("key", "other_key")
_SAME_GROUP = ("log_epoch", "log_partition", *_KEYS)

_REMEMBERED = pl.lit(-1, pl.Int64)
"""In the place of the row of a new click."""

_Row = dict[str, Any]


def lookback(rules: AlertRules) -> timedelta:
    """Clicks that reached the log longer ago make no row with later ones that was not one before.

    A click joins at most two rows that are too short, and neighbours in a row arrive within the pause.
    """
    return rules.click_pause * 2 * (rules.click_floor - 1)


def keyed(clicks: pl.DataFrame) -> pl.DataFrame:
    """`TAIL_COLUMNS` of clicks."""
    hashes = {
        name: pl.col("session_id").hash(seed) ^ pl.col("tenant_id").hash(seed + len(_KEYS))
        for seed, name in enumerate(_KEYS)
    }
    return clicks.select(*POSITION_COLUMNS, "event_time", **hashes)


def fold(tail: pl.DataFrame, clicks: pl.DataFrame, rules: AlertRules) -> tuple[pl.DataFrame, pl.DataFrame]:
    """(`CANDIDATE_COLUMNS`, the tail after them) of new clicks: the clicks of at least the last `lookback`.

    `clicks` have `CLICK_COLUMNS`, a tail has `TAIL_COLUMNS`.
    """
    new = keyed(clicks)
    touched = tail.filter(pl.col("key").is_in(new["key"].unique().implode())).with_columns(row=_REMEMBERED)
    told = new.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64))
    dense = _dense(pl.concat([touched, told]), rules).sort("run", "log_offset")
    runs = groupby(dense.iter_rows(named=True), itemgetter("run"))
    texts = clicks.select("tenant_id", "session_id", "user_id")
    found = [_told(row, texts) for _, run in runs for row in _rows(run, rules)]
    return pl.DataFrame(found, schema=CANDIDATE_COLUMNS), _kept(pl.concat([tail, new]), rules)


def _told(candidate: _Row, texts: pl.DataFrame) -> _Row:
    """The candidate with the texts of its last click, which is new."""
    tenant, session, user = texts.row(candidate.pop("row"))
    return {**candidate, "tenant_id": tenant, "session_id": session, "user_id": user, "entity": session}


def _kept(clicks: pl.DataFrame, rules: AlertRules) -> pl.DataFrame:
    """What is remembered; old clicks go when there are about as many as others."""
    oldest, newest = clicks.select(pl.col("append_time").min().alias("a"), pl.col("append_time").max().alias("b")).row(
        0
    )
    if oldest is None or oldest >= newest - 2 * lookback(rules):
        return clicks
    latest = pl.col("append_time").max().over("log_epoch", "log_partition")
    return clicks.filter(pl.col("append_time") >= latest - lookback(rules))


def _dense(clicks: pl.DataFrame, rules: AlertRules) -> pl.DataFrame:
    """The clicks, with their `run`, that stand close enough in event time to be in a long row with a new one."""
    enough = clicks.filter(pl.len().over("key") >= rules.click_floor)
    rows = enough.sort([*_SAME_GROUP, "event_time"])
    same_group = pl.all_horizontal([pl.col(key) == pl.col(key).shift() for key in _SAME_GROUP])
    near = pl.col("event_time") - pl.col("event_time").shift() < rules.click_gap
    rows = rows.with_columns(run=(~(same_group & near).fill_null(value=False)).cum_sum())
    return rows.filter((pl.len().over("run") >= rules.click_floor) & (pl.col("row").max().over("run") >= 0))


def _rows(run: Iterable[_Row], rules: AlertRules) -> Iterator[_Row]:
    """Adds the clicks, which come in the order of the log; a row that one of them makes long enough is told.

    A cooldown is told once: the first candidate in it is the one that counts.
    """
    added: list[tuple[datetime, int]] = []
    by_offset: dict[int, _Row] = {}
    row_of: dict[int, list[_Row]] = {}
    told: set[int] = set()
    for click in run:
        parts = {id(row_of[other]): row_of[other] for other in _linked(added, by_offset, click, rules)}
        row, fresh = _joined(list(parts.values()), click, rules)
        row_of.update((member["log_offset"], row) for member in (row if len(parts) > 1 else [click]))
        by_offset[click["log_offset"]] = click
        insort(added, (click["event_time"], click["log_offset"]))
        windows = {_window(member, rules) for member in fresh} - told
        told |= windows
        if click["row"] >= 0:
            yield from (_candidate(row, click, window, rules) for window in sorted(windows))


def _joined(parts: list[list[_Row]], click: _Row, rules: AlertRules) -> tuple[list[_Row], list[_Row]]:
    """The row that the click makes of others, and those of its clicks that were in no row long enough before."""
    row = max(parts, key=len, default=[])
    fresh = [click, *(member for part in parts if len(part) < rules.click_floor for member in part)]
    row.extend(member for part in parts if part is not row for member in part)
    row.append(click)
    return row, fresh if len(row) >= rules.click_floor else []


def _linked(
    added: list[tuple[datetime, int]], by_offset: dict[int, _Row], click: _Row, rules: AlertRules
) -> Iterator[int]:
    for time, offset in added[bisect_left(added, (click["event_time"] - rules.click_gap, -1)) :]:
        if time - click["event_time"] >= rules.click_gap:
            return
        prompt = abs(click["append_time"] - by_offset[offset]["append_time"]) <= rules.click_pause
        if prompt and click["event_time"] - time < rules.click_gap:
            yield offset


def _window(click: _Row, rules: AlertRules) -> int:
    time: datetime = click["event_time"]
    return milliseconds(time) // (rules.cooldown // timedelta(milliseconds=1))


def _candidate(row: list[_Row], last: _Row, window: int, rules: AlertRules) -> _Row:
    times = [member["event_time"] for member in row]
    end = max(member["event_time"] for member in row if _window(member, rules) == window)
    gap_ms, span_ms = rules.click_gap / timedelta(milliseconds=1), (max(times) - min(times)) / timedelta(milliseconds=1)
    return {
        **{name: last[name] for name in ("row", "log_epoch", "log_partition")},
        "rule": RULE,
        "severity": Severity.WARNING.value,
        "window_start": min(times),
        "window_end": end,
        "observed": span_ms / (len(row) - 1),
        "threshold": gap_ms,
        "log_topic": "user-events",
        "as_of": last["log_offset"],
        "message": f"{len(row)} clicks within {span_ms:g} ms, each less than {gap_ms:g} ms from the next.",
        "evidence": [{"key": "clicks", "value": str(len(row))}, {"key": "span_ms", "value": f"{span_ms:g}"}],
    }
