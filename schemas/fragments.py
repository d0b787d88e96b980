"""Fragments: partial sessions that are merged instead of the events they came from.

A fragment is a run of a group's events without a gap, given by its bounds, its counts, the pages it has seen and, for
each attribute, the event that decides it. An event is a fragment that starts where it ends. Merging is associative and
commutative, and since a new event never parts what is together, fragments of the same events are the same however they
were cut: `fold` of fragments equals `schemas.sessions.fold` of the events, which the tests hold them to. Duplicates
must be gone before.

Everything here is numbers. A text is a code (`Texts`), and what an event decides is a finding: the number of the event
among the `deciders`, above `CODE_BITS` bits for the code; `NOTHING` where there is none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Protocol, cast

import numpy as np
import polars as pl
import pyarrow as pa

from schemas.distinct import Flags, Ints, begins, distinct
from schemas.frames import TIMESTAMP
from schemas.ids import Ids
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

CODE_BITS = 32
NOTHING = -1
MAX_GROUPS = 1 << 20
"""The most groups of one fold."""

_CODE = (1 << CODE_BITS) - 1
_TIME_BITS = 43
_PAGE_BITS = 43
_LATEST = np.iinfo(np.int64).max
_IS_KIND = [(pl.col("event_type") == kind).alias(kind) for kind in COUNTS.values() if kind is not None]
_COLUMNS = list(dict.fromkeys(rule.column for rule in ATTRIBUTES.values()))
_FIRST = [number for number, rule in enumerate(ATTRIBUTES.values()) if rule.first]
_LAST = [number for number, rule in enumerate(ATTRIBUTES.values()) if not rule.first]


class Texts(Protocol):
    """Numbers texts. Equal texts have one code, below 2^32; null has 0."""

    def codes(self, texts: pl.Series) -> Ints:
        """The code of each text."""
        ...

    def texts(self, codes: Ints) -> pl.Series:
        """The text of each code."""
        ...


@dataclass(frozen=True)
class Lists:
    """A list for each row: their values end to end, and how many each has."""

    values: Ints
    lengths: Ints

    @staticmethod
    def joined(parts: Sequence[Lists]) -> Lists:
        """One after the other."""
        return Lists(*(np.concatenate(column) for column in zip(*((p.values, p.lengths) for p in parts), strict=True)))

    def owners(self, row: Ints) -> Ints:
        """What each value's row is numbered."""
        return np.repeat(row, self.lengths)


@dataclass(frozen=True)
class Fragments:
    """Rows of fragments; `group` is any number, equal within a group; times are ms of Unix time.

    `counts` and `attributes` (findings) have a row for each of `COUNTS` and `ATTRIBUTES`; `pages` are hashes of 43
    bits, the smallest up to the page limit; `products` findings of the first ones, in order, each of the first event
    that has it; `experiments` codes of texts experiment=variant. `times` (a list for each fragment) and `ids` are those
    of the deciders.
    """

    group: Ints
    start: Ints
    end: Ints
    counts: Ints
    attributes: Ints
    pages: Lists
    products: Lists
    experiments: Lists
    times: Lists
    ids: Ids

    def __len__(self) -> int:
        return len(self.group)

    @staticmethod
    def joined(parts: Sequence[Fragments]) -> Fragments:
        """One after the other."""
        filled = [part for part in parts if len(part)] or list(parts[:1])
        if len(filled) == 1:
            return filled[0]
        before = np.cumsum([0, *(len(part.ids) for part in filled)])
        products = [
            Lists(_moved(p.products.values, n), p.products.lengths) for p, n in zip(filled, before, strict=False)
        ]
        return Fragments(
            group=np.concatenate([part.group for part in filled]),
            start=np.concatenate([part.start for part in filled]),
            end=np.concatenate([part.end for part in filled]),
            counts=np.hstack([part.counts for part in filled]),
            attributes=np.hstack([_moved(part.attributes, n) for part, n in zip(filled, before, strict=False)]),
            pages=Lists.joined([part.pages for part in filled]),
            products=Lists.joined(products),
            experiments=Lists.joined([part.experiments for part in filled]),
            times=Lists.joined([part.times for part in filled]),
            ids=Ids.joined([part.ids for part in filled]),
        )


def codes_in(fragments: Fragments) -> Iterator[Ints]:
    """The codes of all texts that the fragments have; 0 is none."""
    yield from (
        _codes_of(fragments.attributes).ravel(),
        fragments.products.values & _CODE,
        fragments.experiments.values,
    )


def recoded(fragments: Fragments, codes: Ints) -> Fragments:
    """The fragments with these codes in place of the old ones, by which they are looked up."""

    def changed(findings: Ints) -> Ints:
        return np.where(findings == NOTHING, NOTHING, findings & ~_CODE | codes[_codes_of(findings)])

    products, experiments = fragments.products, fragments.experiments
    return replace(
        fragments,
        attributes=changed(fragments.attributes),
        products=Lists(changed(products.values), products.lengths),
        experiments=Lists(codes[experiments.values], experiments.lengths),
    )


def _codes_of(findings: Ints) -> Ints:
    return np.where(findings == NOTHING, 0, findings & _CODE)


def _moved(findings: Ints, deciders: int) -> Ints:
    """Findings whose deciders come after so many others."""
    return np.where(findings == NOTHING, NOTHING, findings + (deciders << CODE_BITS))


def fragments_of(events: pl.DataFrame, group: Ints, texts: Texts) -> Fragments:
    """Each event as a fragment; `group` numbers the group of each."""
    rows, ones = np.arange(events.height), np.ones(events.height, np.int64)
    is_kind = {flags.name: flags.to_numpy() for flags in events.select(_IS_KIND)}
    codes = {column: texts.codes(events[column]) for column in (*_COLUMNS, "product_id")}
    time = events["event_time"].dt.timestamp("ms").to_numpy()
    attributes = np.empty((len(ATTRIBUTES), events.height), np.int64)
    for number, rule in enumerate(ATTRIBUTES.values()):
        has = codes[rule.column] > 0 if rule.event_type is None else is_kind[rule.event_type] & (codes[rule.column] > 0)
        attributes[number] = np.where(has, rows << CODE_BITS | codes[rule.column], NOTHING)
    seen_page = is_kind["page_view"] & (codes["page"] > 0)
    seen_product = codes["product_id"] > 0
    return Fragments(
        group=group,
        start=time,
        end=time,
        counts=np.stack([ones if kind is None else is_kind[kind].astype(np.int64) for kind in COUNTS.values()]),
        attributes=attributes,
        pages=Lists(_page_hashes(events["page"].filter(pl.Series(seen_page))), seen_page.astype(np.int64)),
        products=Lists((rows << CODE_BITS | codes["product_id"])[seen_product], seen_product.astype(np.int64)),
        experiments=_variants(events["experiments"], texts),
        times=Lists(time, ones),
        ids=Ids.of(events["event_id"]),
    )


def _page_hashes(pages: pl.Series) -> Ints:
    return (pages.hash(0).to_numpy() >> np.uint64(64 - _PAGE_BITS)).astype(np.int64)


def _variants(experiments: pl.Series, texts: Texts) -> Lists:
    """Lists of (experiment, variant) as codes of texts experiment=variant."""
    pairs = experiments.explode(empty_as_null=False, keep_nulls=False).struct.unnest()
    named = pairs.select(pl.concat_str("key", "value", separator="=")).to_series()
    return Lists(texts.codes(named), experiments.list.len().fill_null(0).to_numpy().astype(np.int64))


def fold(fragments: Fragments, rules: SessionRules, texts: Texts) -> tuple[Fragments, Ints]:
    """(sessions, the session of each fragment): fragments merged where the gap allows, by group and start.

    `fragments` are all of their groups, at most `MAX_GROUPS`.
    """
    if not len(fragments):
        return fragments, np.empty(0, np.int64)
    order, first = _cut(fragments, rules)
    session, starts = np.empty(len(fragments), np.int64), np.flatnonzero(first)
    session[order] = np.cumsum(first) - 1
    ranks = _Ranks(fragments, session)
    attributes = _decided(fragments.attributes[:, order], ranks, starts)
    products = _products(fragments.products, ranks, len(starts), rules.product_limit)
    is_named = ranks.named([attributes, products.values])
    kept, places = np.flatnonzero(is_named), np.append(np.cumsum(is_named) - 1, NOTHING)
    return Fragments(
        group=fragments.group[order[starts]],
        start=fragments.start[order[starts]],
        end=np.maximum.reduceat(fragments.end[order], starts),
        counts=np.add.reduceat(fragments.counts[:, order], starts, axis=1),
        attributes=_with_deciders(attributes, places),
        pages=_pages(fragments.pages, session, len(starts), rules.page_limit),
        products=Lists(_with_deciders(products.values, places), products.lengths),
        experiments=_experiments(fragments.experiments, session, len(starts), rules.experiment_limit, texts),
        times=Lists(ranks.times[kept], np.bincount(ranks.session[kept], minlength=len(starts))),
        ids=fragments.ids.take(ranks.row[kept]),
    ), session


def _cut(fragments: Fragments, rules: SessionRules) -> tuple[Ints, Flags]:
    """The fragments' order by group and start, and which of them, so ordered, begin a session."""
    dense = _dense(fragments.group)
    order = np.argsort(dense << _TIME_BITS | fragments.start)
    dense, start = dense[order], fragments.start[order]
    latest = np.maximum.accumulate(dense << _TIME_BITS | fragments.end[order])
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


class _Ranks:
    """The deciders in the order of session, time and id. By rank: `row`, `session` and `times`; `of` is by row."""

    def __init__(self, fragments: Fragments, session: Ints) -> None:
        owner, times = fragments.times.owners(session), fragments.times.values
        key = owner << _TIME_BITS | times
        self.row = _with_ties(np.argsort(key), key, fragments.ids)
        self.session, self.times = owner[self.row], times[self.row]
        # One more, which NOTHING is looked up in.
        self.of = np.zeros(len(key) + 1, np.int64)
        self.of[self.row] = np.arange(len(key))

    def ranked(self, findings: Ints, otherwise: int) -> Ints:
        """The findings with the rank in place of the decider, so that they can be compared."""
        return np.where(findings == NOTHING, otherwise, _with_deciders(findings, self.of))

    def named(self, ranked: Sequence[Ints]) -> Flags:
        """Which ranks these findings name."""
        is_named = np.zeros(len(self.of), np.bool_)
        for findings in ranked:
            is_named[findings >> CODE_BITS] = True
        return is_named[:-1]


def _with_deciders(findings: Ints, numbers: Ints) -> Ints:
    """Findings with these numbers in place of those of the deciders; `numbers` end with one for what has none."""
    found: Ints = numbers[findings >> CODE_BITS] << CODE_BITS | (findings & _CODE)
    return found


def _with_ties(order: Ints, key: Ints, ids: Ids) -> Ints:
    """The order, in which rows of one key are sorted by their ids."""
    same = ~begins(key[order])[1:]
    if not same.any():
        return order
    places = np.flatnonzero(np.append(same, False) | np.append(False, same))
    tied = order[places]
    by_id = tied[ids.take(tied).order()]
    order[places] = by_id[np.argsort(key[by_id], kind="stable")]
    return order


def _decided(attributes: Ints, ranks: _Ranks, starts: Ints) -> Ints:
    """For each attribute and session what its first, or last, event found (by rank); `attributes` are by session."""
    decided = np.empty((len(attributes), len(starts)), np.int64)
    decided[_LAST] = np.maximum.reduceat(ranks.ranked(attributes[_LAST], NOTHING), starts, axis=1)
    first = np.minimum.reduceat(ranks.ranked(attributes[_FIRST], _LATEST), starts, axis=1)
    decided[_FIRST] = np.where(first == _LATEST, NOTHING, first)
    return decided


def _pages(pages: Lists, session: Ints, sessions: int, limit: int) -> Lists:
    """The distinct pages of each session, the smallest up to the limit."""
    key = distinct(pages.owners(session) << _PAGE_BITS | pages.values)
    key, counts = _head(key, key >> _PAGE_BITS, sessions, limit)
    return Lists(key & ((1 << _PAGE_BITS) - 1), counts)


def _products(products: Lists, ranks: _Ranks, sessions: int, limit: int) -> Lists:
    """The distinct products of each session (by rank) in the order in which they were first seen, up to the limit."""
    ordered = np.sort(ranks.ranked(products.values, NOTHING))
    session = ranks.session[ordered >> CODE_BITS]
    key = session << CODE_BITS | (ordered & _CODE)
    by_key = np.argsort(key, kind="stable")
    rows = np.sort(by_key[begins(key[by_key])])
    return Lists(*_head(ordered[rows], session[rows], sessions, limit))


def _experiments(experiments: Lists, session: Ints, sessions: int, limit: int, texts: Texts) -> Lists:
    """The distinct experiments of each session in alphabetical order, up to the limit."""
    codes = distinct(experiments.values)
    alphabetical = texts.texts(codes).arg_sort().to_numpy()
    place = np.empty(len(codes), np.int64)
    place[alphabetical] = np.arange(len(codes))
    key = distinct(experiments.owners(session) << CODE_BITS | place[np.searchsorted(codes, experiments.values)])
    key, counts = _head(key, key >> CODE_BITS, sessions, limit)
    return Lists(codes[alphabetical][key & _CODE], counts)


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


def sessions_of(folded: Fragments, texts: Texts) -> pl.DataFrame:
    """The figures of `schemas.sessions.SESSION_COLUMNS` that are not flags, from folded fragments."""
    codes = _codes_of(folded.attributes)
    products, experiments = folded.products, folded.experiments
    columns = {
        "session_start": pl.Series(folded.start).cast(TIMESTAMP),
        "session_end": pl.Series(folded.end).cast(TIMESTAMP),
        **{name: pl.Series(row) for name, row in zip(COUNTS, folded.counts, strict=True)},
        "unique_pages": pl.Series(folded.pages.lengths),
        **{name: texts.texts(row) for name, row in zip(ATTRIBUTES, codes, strict=True)},
        "products": lists(texts.texts(products.values & _CODE), products.lengths),
        "experiments": lists(texts.texts(experiments.values), experiments.lengths),
    }
    return pl.DataFrame(columns)
