"""Fragments: partial sessions that are merged instead of the events they came from.

A fragment is a run of a group's events without a gap, given by its bounds, its counts, the pages it has seen and, for
each attribute, the event that decides it. An event is a fragment that starts where it ends. Merging is associative and
commutative, and since a new event never parts what is together, fragments of the same events are the same however they
were cut: `fold` of fragments equals `schemas.sessions.fold` of the events, which the tests hold them to. Duplicates
must be gone before.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import cast

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from schemas.distinct import Flags, Ints, begins, distinct
from schemas.frames import TIMESTAMP, empty
from schemas.sessions import SessionRules

COUNTS: dict[str, str | None] = {
    "events": None,
    "page_views": "page_view",
    "clicks": "click",
    "searches": "search",
    "add_to_carts": "add_to_cart",
    "purchases": "purchase",
}
"""Count -> the event type that it counts; None counts all."""


@dataclass(frozen=True)
class Attribute:
    """A column that the first (or last) event of a session decides, of those that have a value there."""

    column: str
    first: bool
    event_type: str | None = None


ATTRIBUTES: dict[str, Attribute] = {
    "user_id": Attribute("user_id", first=False),
    "entry_page": Attribute("page", first=True, event_type="page_view"),
    "exit_page": Attribute("page", first=False, event_type="page_view"),
    "referrer": Attribute("referrer", first=True),
    "platform": Attribute("platform", first=True),
    "device_class": Attribute("device_class", first=True),
    "country": Attribute("country", first=True),
}
"""Attribute -> what decides it. First and last are by (event_time, event_id)."""

_SEEN = pl.Struct({"value": pl.String, "at": pl.Int64, "by": pl.String})

FRAGMENT_COLUMNS: dict[str, pl.DataType] = {
    "group": pl.Int64(),
    "start": pl.Int64(),
    "end": pl.Int64(),
    **dict.fromkeys(COUNTS, pl.Int64()),
    "pages": pl.List(pl.UInt64),
    "products": pl.List(_SEEN),
    "experiments": pl.List(pl.String),
    **{name: pl.String() for name in ATTRIBUTES},
    **{f"{name}_at": pl.Int64() for name in ATTRIBUTES},
    **{f"{name}_by": pl.String() for name in ATTRIBUTES},
}
"""A fragment. `group`: any number, equal within a group; times are ms of Unix time; `pages`: hashes of 43 bits, the
smallest up to the page limit; `products`: the first ones, in order, each with time and id of the first event that has
it; `experiments`: texts experiment=variant; for each attribute its value, and time and id of the event that decides."""

MAX_GROUPS = 1 << 20
"""The most groups of one fold."""
_TIME_BITS = 43
_PAGE_BITS = 43
_CODE_BITS = 40
_NEVER = np.iinfo(np.int64).max


def fragments_of(events: pl.DataFrame, group: Ints) -> pl.DataFrame:
    """Each event as a fragment (`FRAGMENT_COLUMNS`); `group` numbers the group of each."""
    if not events.height:
        return empty(FRAGMENT_COLUMNS)
    of_lists = [
        pl.Series("group", group, pl.Int64),
        _perhaps(events, _PAGE, _PAGE_HASH).alias("pages"),
        _perhaps(events, _PRODUCT, _PRODUCT_SEEN).alias("products"),
        _texts(events["experiments"]).alias("experiments"),
    ]
    return events.select(*of_lists, *_PLAIN).select(*FRAGMENT_COLUMNS)


_TIME, _KIND = pl.col("event_time").dt.timestamp("ms"), pl.col("event_type")
_PAGE = pl.when(_KIND == "page_view").then(pl.col("page"))
_PAGE_HASH = pl.col("page").hash(0) // (1 << (64 - _PAGE_BITS))
_PRODUCT = pl.col("product_id")
_PRODUCT_SEEN = pl.struct(value=_PRODUCT, at=_TIME, by="event_id")


def _plain() -> Iterator[pl.Expr]:
    """The columns of a fragment of one event that are no lists."""
    kind = _KIND
    yield from (_TIME.alias("start"), _TIME.alias("end"))
    for name, of in COUNTS.items():
        yield (pl.lit(1, pl.Int64) if of is None else (kind == of).cast(pl.Int64)).alias(name)
    for name, rule in ATTRIBUTES.items():
        has = pl.col(rule.column).is_not_null()
        has = has if rule.event_type is None else has & (kind == rule.event_type)
        yield pl.when(has).then(pl.col(rule.column)).alias(name)
        yield pl.when(has).then(_TIME).alias(f"{name}_at")
        yield pl.col("event_id").alias(f"{name}_by")


_PLAIN = tuple(_plain())
"""Made once: to build an expression takes longer than to apply it to the few events of a small tick."""


def _perhaps(events: pl.DataFrame, condition: pl.Expr, value: pl.Expr) -> pl.Series:
    """A list of one value where the condition is not null, else an empty one."""
    has = condition.is_not_null()
    flags, values = events.select(has).to_series(), events.select(value.filter(has)).to_series()
    return lists(values, flags.cast(pl.Int64).to_numpy())


def fold(fragments: pl.DataFrame, rules: SessionRules) -> tuple[pl.DataFrame, Ints]:
    """(sessions, the session of each fragment): fragments merged where the gap allows, by group and start.

    `fragments` are all of their groups, at most `MAX_GROUPS`; the answer has the same columns.
    """
    if not fragments.height:
        return fragments, np.empty(0, np.int64)
    group, start, end = (fragments[name].to_numpy() for name in ("group", "start", "end"))
    order, first = _cut(group, start, end, rules)
    owner = np.cumsum(first) - 1
    session = np.empty(len(group), np.int64)
    session[order] = owner
    starts = np.flatnonzero(first)
    columns: dict[str, pl.Series | Ints] = {
        "group": group[order[starts]],
        "start": start[order[starts]],
        "end": np.maximum.reduceat(end[order], starts),
        **{name: _sums(fragments[name].to_numpy()[order], starts) for name in COUNTS},
        "pages": _pages(fragments["pages"], session, len(starts), rules.page_limit),
        "products": _products(fragments["products"], session, len(starts), rules.product_limit),
        "experiments": _experiments(fragments["experiments"], session, len(starts), rules.experiment_limit),
    }
    times = fragments.select(
        pl.col(f"{name}_at").fill_null(_NEVER if rule.first else -_NEVER) for name, rule in ATTRIBUTES.items()
    )
    for name, rule in ATTRIBUTES.items():
        at, by = times[f"{name}_at"].to_numpy()[order], fragments[f"{name}_by"]
        decided = pl.DataFrame([fragments[part] for part in (name, f"{name}_at", f"{name}_by")])
        columns |= decided[_deciding(at, by, order, owner, starts, rule.first)].to_dict()
    return _typed(pl.DataFrame(columns)), session


def _typed(folded: pl.DataFrame) -> pl.DataFrame:
    """The columns in their order and types, most of which they have already."""
    types = folded.schema
    other = [pl.col(name).cast(kind) for name, kind in FRAGMENT_COLUMNS.items() if types[name] != kind]
    return folded.with_columns(other).select(*FRAGMENT_COLUMNS)


def _cut(group: Ints, start: Ints, end: Ints, rules: SessionRules) -> tuple[Ints, Flags]:
    """The fragments' order by group and start, and which of them, so ordered, begin a session."""
    dense = _dense(group)
    order = np.argsort(dense << _TIME_BITS | start)
    dense, start, end = dense[order], start[order], end[order]
    latest = np.maximum.accumulate(dense << _TIME_BITS | end)
    first = np.ones(len(order), np.bool_)
    # Across groups the difference is no time, but then the group differs.
    pause = start[1:] - (latest[:-1] & ((1 << _TIME_BITS) - 1))
    first[1:] = (dense[1:] != dense[:-1]) | (pause >= rules.gap // timedelta(milliseconds=1))
    return order, first


def _dense(numbers: Ints) -> Ints:
    """The numbers as ranks from 0, so that they leave room for a time beside them."""
    order = np.argsort(numbers)
    ranks = np.empty(len(numbers), np.int64)
    ranks[order] = np.cumsum(begins(numbers[order])) - 1
    return ranks


def _sums(counts: Ints, starts: Ints) -> Ints:
    """The sum of each run of counts."""
    upto = np.append(0, np.cumsum(counts))
    sums: Ints = upto[np.append(starts[1:], len(counts))] - upto[starts]
    return sums


def _deciding(at: Ints, by: pl.Series, order: Ints, owner: Ints, starts: Ints, earliest: bool) -> pl.Series:
    """For each session the row of the fragment that decides an attribute; any row of it where none has a value.

    `at`: the times of the deciding events, and `owner`, their sessions, in this order; `by`: their ids, by row.
    """
    best = (np.minimum if earliest else np.maximum).reduceat(at, starts)
    best[np.abs(best) == _NEVER] = 0
    places = np.flatnonzero(at == best[owner])
    session, rows = owner[places], order[places]
    chosen = order[starts].astype(np.uint32)
    chosen[session] = rows
    again = ~begins(session)
    tied = np.flatnonzero(again | np.append(again[1:], False))
    # Of several rows that are written to one place, the last stays.
    decisive = tied[by.gather(pl.Series(rows[tied])).arg_sort(descending=earliest).to_numpy()]
    chosen[session[decisive]] = rows[decisive]
    return pl.Series(chosen)


def _pages(pages: pl.Series, session: Ints, sessions: int, limit: int) -> pl.Series:
    """The distinct pages of each session, the smallest up to the limit."""
    owner, seen = _flat(pages, session)
    key = distinct(owner << _PAGE_BITS | seen.to_numpy().astype(np.int64))
    key, counts = _head(key, key >> _PAGE_BITS, sessions, limit)
    return lists(pl.Series(key & ((1 << _PAGE_BITS) - 1)).cast(pl.UInt64), counts)


def _products(products: pl.Series, session: Ints, sessions: int, limit: int) -> pl.Series:
    """The distinct products of each session in the order in which they were first seen, up to the limit."""
    owner, entries = _flat(products, session)
    seen = entries.struct.unnest()
    order = np.argsort(owner << _TIME_BITS | seen["at"].to_numpy())
    order = _ties_by_id(order, owner, seen)
    codes = pc.dictionary_encode(seen["value"].to_arrow(compat_level=pl.CompatLevel.oldest())).indices
    key = (owner << _CODE_BITS | codes.to_numpy())[order]
    by_key = np.argsort(key, kind="stable")
    rows = order[np.sort(by_key[begins(key[by_key])])]
    rows, counts = _head(rows, owner[rows], sessions, limit)
    return lists(entries.gather(pl.Series(rows)), counts)


def _ties_by_id(order: Ints, owner: Ints, seen: pl.DataFrame) -> Ints:
    """The order, in which entries of one session and time are sorted by the id of their event."""
    owners, times = owner[order], seen["at"].to_numpy()[order]
    same = (owners[1:] == owners[:-1]) & (times[1:] == times[:-1])
    if not same.any():
        return order
    places = np.flatnonzero(np.append(same, False) | np.append(False, same))
    run = np.cumsum(np.append(True, ~same))[places]
    by_id = seen["by"].gather(pl.Series(order[places])).arg_sort().to_numpy()
    by_run = by_id[np.argsort(run[by_id], kind="stable")]
    order = order.copy()
    order[places] = order[places][by_run]
    return order


def _experiments(experiments: pl.Series, session: Ints, sessions: int, limit: int) -> pl.Series:
    """The distinct experiments of each session in alphabetical order, up to the limit."""
    owner, texts = _flat(experiments, session)
    variants = texts.unique().sort()
    codes = texts.cast(pl.Enum(variants)).to_physical().cast(pl.Int64).to_numpy()
    key = distinct(owner << _CODE_BITS | codes)
    key, counts = _head(key, key >> _CODE_BITS, sessions, limit)
    return lists(variants.gather(pl.Series(key & ((1 << _CODE_BITS) - 1))), counts)


def _texts(experiments: pl.Series) -> pl.Series:
    """Lists of (experiment, variant) as lists of experiment=variant."""
    pairs = experiments.explode(empty_as_null=False, keep_nulls=False).struct.unnest()
    texts = pairs.select(pl.concat_str("key", "value", separator="=")).to_series()
    return lists(texts, experiments.list.len().fill_null(0).to_numpy().astype(np.int64))


def _flat(column: pl.Series, session: Ints) -> tuple[Ints, pl.Series]:
    """The values of lists end to end, and the session of each."""
    lengths = column.list.len().fill_null(0).to_numpy()
    return np.repeat(session, lengths), column.explode(empty_as_null=False, keep_nulls=False)


def _head(rows: Ints, owner: Ints, owners: int, limit: int) -> tuple[Ints, Ints]:
    """The first rows of each owner up to a limit, and how many each has; `rows` are in the order of owners."""
    counts = np.bincount(owner, minlength=owners)
    if counts.max(initial=0) > limit:
        place = np.arange(len(rows)) - np.repeat(np.cumsum(counts) - counts, counts)
        rows, counts = rows[place < limit], np.minimum(counts, limit)
    return rows, counts


def lists(values: pl.Series, lengths: Ints) -> pl.Series:
    """A column of lists of these lengths, from their values end to end."""
    offsets = pa.array(np.concatenate([[0], np.cumsum(lengths)]), pa.int64())
    column = pa.LargeListArray.from_arrays(offsets, values.to_arrow(compat_level=pl.CompatLevel.newest()))
    return cast("pl.Series", pl.from_arrow(column))


def sessions_of(folded: pl.DataFrame) -> pl.DataFrame:
    """The figures of `schemas.sessions.SESSION_COLUMNS` that are not flags, from folded fragments."""
    return folded.select(
        session_start=pl.col("start").cast(TIMESTAMP),
        session_end=pl.col("end").cast(TIMESTAMP),
        user_id="user_id",
        **{name: pl.col(name) for name in COUNTS},
        unique_pages=pl.col("pages").list.len().cast(pl.Int64),
        entry_page="entry_page",
        exit_page="exit_page",
        referrer="referrer",
        platform="platform",
        device_class="device_class",
        country="country",
        products=pl.col("products").list.eval(pl.element().struct.field("value")),
        experiments="experiments",
    )
