"""Fragments merged in any pieces are the sessions of their events."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import polars as pl
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.fragments import ATTRIBUTES, COUNTS, Fragments, fold, fragments_of, sessions_of
from schemas.frames import EVENT_COLUMNS, GROUP
from schemas.sessions import SESSION_COLUMNS, SessionRules, with_flags
from schemas.sessions import fold as fold_events
from streams.texts import Texts

RULES = SessionRules(gap=timedelta(minutes=30), page_limit=3, product_limit=3, experiment_limit=1)
BEGIN = datetime(2026, 3, 1, 22, tzinfo=UTC)
PAGES = st.sampled_from(["/", "/a", "/b", "/c", "/d", None])
EVENTS = st.lists(
    st.fixed_dictionaries(
        {
            "session_id": st.sampled_from(["s0", "s1", "s2"]),
            "user_id": st.sampled_from(["u0", "u1", None]),
            "event_type": st.sampled_from(["page_view", "click", "search", "add_to_cart", "purchase"]),
            "event_time": st.integers(0, 20).map(lambda step: BEGIN + timedelta(minutes=10 * step)),
            "page": PAGES,
            "referrer": st.sampled_from(["r0", "r1", None]),
            "platform": st.sampled_from(["web", "ios"]),
            "device_class": st.sampled_from(["desktop", "phone"]),
            "country": st.sampled_from(["DE", "FR", None]),
            "product_id": st.sampled_from(["p0", "p1", "p2", "p3", None]),
            "experiments": st.lists(st.sampled_from([{"key": "a", "value": "1"}, {"key": "b", "value": "2"}])),
            "piece": st.integers(0, 3),
        }
    ),
    min_size=1,
    max_size=30,
)


def frame_of(events: list[dict[str, object]]) -> pl.DataFrame:
    """The events with ids that are not in the order of the log, so that ties are decided by them."""
    rows = [
        dict.fromkeys(EVENT_COLUMNS)
        | event
        | {"tenant_id": "t", "event_id": f"e{number * 7919 % 1000:03}", "log_epoch": 1, "log_partition": 0}
        | {"log_offset": number}
        for number, event in enumerate(events)
    ]
    return pl.DataFrame(rows, schema=EVENT_COLUMNS | {"piece": pl.Int64()})


def merged_in_pieces(events: pl.DataFrame, texts: Texts) -> Fragments:
    """Piece by piece, each folded into what came before."""
    known = fragments_of(events.clear(), np.zeros(0, np.int64), texts)
    for piece in range(4):
        part = events.filter(pl.col("piece") == piece)
        group = part["session_id"].str.slice(1).cast(pl.Int64).to_numpy()
        known, _ = fold(Fragments.joined([known, fragments_of(part, group, texts)]), RULES, texts)
    return known


@given(EVENTS)
@settings(max_examples=200, deadline=None)
def test_pieces_make_the_sessions_of_their_events(events: list[dict[str, object]]) -> None:
    frame = frame_of(events)
    texts = Texts()
    folded = merged_in_pieces(frame, texts)
    ids = "s" + pl.Series(folded.group).cast(pl.String)
    columns = [name for name in SESSION_COLUMNS if name not in GROUP]
    found = with_flags(sessions_of(folded, texts).with_columns(session_id=ids), RULES)
    order = ["session_id", "session_start"]
    expected = fold_events(frame.select(*EVENT_COLUMNS), RULES).select("session_id", *columns)
    assert found.select("session_id", *columns).sort(order).equals(expected.sort(order))


@given(EVENTS)
@settings(max_examples=50, deadline=None)
def test_each_event_is_told_its_session(events: list[dict[str, object]]) -> None:
    frame, texts = frame_of(events), Texts()
    group = frame["session_id"].str.slice(1).cast(pl.Int64).to_numpy()
    folded, session = fold(fragments_of(frame, group, texts), RULES, texts)
    times = frame["event_time"].dt.timestamp("ms").to_numpy()
    assert (folded.group[session] == group).all()
    assert (folded.start[session] <= times).all()
    assert (times <= folded.end[session]).all()


def test_every_figure_of_a_session_has_its_part_in_fragments() -> None:
    follows = {"session_start", "session_end", "visitor_id", "converted", "engaged", "overlong", "duration_ms"}
    assert set(SESSION_COLUMNS) - set(GROUP) - follows == {
        *COUNTS,
        *ATTRIBUTES,
        "unique_pages",
        "products",
        "experiments",
    }
