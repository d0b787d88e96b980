"""What is kept of sessions: runs of words by owner, fragments packed into them, ids and texts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
import pytest

from schemas.fragments import Fragments, fold, fragments_of, sessions_of
from schemas.frames import EVENT_COLUMNS
from schemas.ids import Ids
from schemas.sessions import SessionRules
from streams.heap import BLOCK, Heap, Run
from streams.packing import pack, unpack
from streams.sessions import SessionMemory, apply
from streams.table import Ints
from streams.texts import Texts


def run_of(owners: Ints, sizes: Ints, first: int) -> Run:
    """A run of so many blocks for each owner, of words that count up from a number."""
    words = np.arange(first, first + BLOCK * int(sizes.sum()), dtype=np.uint64)
    return Run(owners, words, BLOCK * (np.cumsum(sizes) - sizes), sizes % 3 + 1)


def runs_in(run: Run) -> dict[int, tuple[list[int], int]]:
    """Owner -> words and rows."""
    words = np.split(run.words, run.begins[1:])
    return {int(o): (w.tolist(), int(r)) for o, w, r in zip(run.owners, words, run.rows, strict=True)}


def test_a_heap_gives_back_the_newest_run_of_each_owner_and_keeps_little_else() -> None:
    rng = np.random.default_rng(5)
    heap, expected = Heap(segment=100), dict[int, tuple[list[int], int]]()
    for step in range(300):
        owners = rng.choice(3000, rng.integers(1, 60), replace=False)
        sizes = rng.integers(1, 9, len(owners)) if step % 50 else np.full(len(owners), 130)
        run = run_of(owners, sizes, 1_000_000 * step)
        heap.write(run)
        expected |= runs_in(run)
        if step in (60, 200):
            kept = rng.random(3000) < 0.4
            heap.keep(kept)
            number = np.cumsum(kept) - 1
            expected = {int(number[owner]): run for owner, run in expected.items() if kept[owner]}
    found = heap.read(np.arange(3000))
    assert runs_in(found) == expected
    assert heap.rows == sum(rows for _, rows in expected.values())
    assert heap.bytes < 1.25 * found.words.nbytes + 10 * 8 * BLOCK * 130 + 16 * 4096
    assert runs_in(heap.read(np.array([5_000_000, *list(expected)[:2]]))).keys() == set(list(expected)[:2])


BEGIN = datetime(2026, 3, 1, tzinfo=UTC)
ID_TEXTS = ["e", "e\0", "0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdef", "ü" * 100, "E"]


def events_of(groups: int, each: int, ids: list[str]) -> pl.DataFrame:
    """Visits of so many events, with a page, and mostly a product, in each; `ids` begin their ids."""
    rows = [
        dict.fromkeys(EVENT_COLUMNS)
        | {"tenant_id": "t", "session_id": str(group), "event_id": f"{ids[place % len(ids)]}{group:08}{place:08}"}
        | {"event_type": "page_view", "event_time": BEGIN + timedelta(seconds=group + 2 * (place // 2))}
        | {"page": f"/{place % 7}", "platform": "web", "device_class": "phone", "user_id": f"u{group % 100}"}
        | {"product_id": f"p{place % 5}" if place % 3 else None, "experiments": [{"key": "x", "value": "1"}]}
        for group in range(groups)
        for place in range(each)
    ]
    return pl.DataFrame(rows, schema=EVENT_COLUMNS)


def folded_of(events: pl.DataFrame, texts: Texts, gap: timedelta) -> Fragments:
    """Their sessions."""
    group = events["session_id"].cast(pl.Int64).to_numpy()
    return fold(fragments_of(events, group, texts), SessionRules(gap=gap), texts)[0]


@pytest.mark.parametrize("ids", [ID_TEXTS, ID_TEXTS[2:3], ID_TEXTS[3:4]])
def test_packed_fragments_come_back_as_they_were(ids: list[str]) -> None:
    texts, heap, events = Texts(), Heap(), events_of(30, 9, ids)
    folded = folded_of(events, texts, timedelta(seconds=2))
    assert len(folded) > 30, "some groups have several sessions"
    heap.write(pack(folded))
    found = unpack(heap.read(np.arange(30)))
    assert sessions_of(found, texts).equals(sessions_of(folded, texts))
    for name in ("group", "start", "end", "counts", "attributes"):
        assert (getattr(found, name) == getattr(folded, name)).all(), name
    assert (found.times.values == folded.times.values).all()
    assert (found.ids.lengths == folded.ids.lengths).all()
    assert (found.ids.words == folded.ids.words).all()
    assert len(unpack(heap.read(np.zeros(0, np.int64)))) == 0


def test_texts_of_no_session_are_forgotten_and_the_others_stay_right() -> None:
    memory, rules = SessionMemory(most_texts=20), SessionRules()
    sizes = []
    for tick in range(30):
        new = events_of(10, 3, ID_TEXTS).with_columns(
            tenant_id=pl.lit("t"),
            session_id=pl.lit(f"{tick}-") + pl.col("session_id"),
            user_id=pl.lit(f"user {tick}"),
            log_epoch=pl.lit(1, pl.Int32),
            log_partition=pl.lit(0, pl.Int32),
            log_offset=pl.int_range(30) + 30 * tick,
            append_time=pl.col("event_time"),
        )
        change = apply(memory, new.select(*EVENT_COLUMNS), lambda groups: groups.clear(), rules, timedelta(days=7))
        memory.take_in(change.news, change.fragments, tick)
        memory.keep(np.arange(len(memory.seen)) >= len(memory.seen) - 30)
        sizes.append(len(memory.texts))
    assert max(sizes) <= 26
    assert sizes != sorted(sizes), "some were forgotten"
    left = sessions_of(unpack(memory.fragments.read(np.arange(30))), memory.texts)
    assert left["user_id"].to_list() == [f"user {tick}" for tick in (27, 28, 29) for _ in range(10)]
    assert set(left["platform"]) == {"web"}
    assert left["products"].to_list() == [["p1", "p2"]] * 30
    assert left["experiments"].to_list() == [["x=1"]] * 30


def test_a_group_takes_few_bytes() -> None:
    texts, heap = Texts(), Heap()
    heap.write(pack(folded_of(events_of(2_000, 6, ID_TEXTS[2:3]), texts, timedelta(minutes=30))))
    assert heap.read(np.arange(2_000)).words.nbytes / 2_000 < 450


def test_ids_are_in_the_order_of_their_texts() -> None:
    rng = np.random.default_rng(7)
    texts = pl.Series(["", "a", "a\0", "ab", "b", "ü", "z" * 9, "z" * 8, "€", "\0", "0" * 256, "zz", "aa" * 20])
    shuffled = texts.gather(rng.permutation(len(texts)))
    for given in (shuffled, shuffled.reverse()):
        ids = Ids.joined([Ids.of(given[:4]), Ids.of(given[4:5]), Ids.of(given[5:])])
        assert given.gather(ids.order()).to_list() == texts.sort().to_list()
    assert len(Ids.of(texts[:0])) == 0


def test_texts_have_one_code_each_also_when_others_are_forgotten() -> None:
    texts, rng = Texts(), np.random.default_rng(8)
    words = pl.Series([None if number % 10 == 0 else f"a rather long text {number}" for number in range(1_000)])
    codes = np.zeros(1_000, np.int64)
    for part in np.array_split(np.arange(1_000), 9):
        codes[part] = texts.codes(words[part.tolist()])
    assert (texts.codes(words) == codes).all()
    assert ((codes == 0) == words.is_null().to_numpy()).all()
    assert len(np.unique(codes)) == len(texts) == 901
    kept = np.append(True, rng.random(900) < 0.5)
    renumbered = texts.keep(kept)
    assert len(texts) == kept.sum()
    still = kept[codes]
    assert texts.texts(renumbered[codes[still]]).equals(words.filter(still))
    assert (texts.codes(words.filter(still)) == renumbered[codes[still]]).all()
