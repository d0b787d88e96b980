"""A day of events in bulk, for measurements: made in columns and encoded at once, millions a minute."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime

import numpy as np
import polars as pl
import pyarrow as pa
import pyruhvro

from schemas.codec import header
from schemas.subjects import subject

_KINDS = ("page_view", "click", "search", "add_to_cart", "purchase")
_SHARES = (0.58, 0.28, 0.06, 0.06, 0.02)
_AGENTS = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/{n}.0.0.0 Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 17_{n} like Mac OS X) AppleWebKit/605.1.15 Version/17.0 Mobile Safari/604.1",
    "Mozilla/5.0 (Linux; Android 14; Pixel 8) AppleWebKit/537.36 Chrome/{n}.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 14_{n}) AppleWebKit/605.1.15 Version/17.1 Safari/605.1.15",
)
_DAY_MS, _PAUSE_MS = 86_400_000, 25_000


@dataclass(frozen=True)
class BulkDay:
    """What to make. Sessions have `events_per_session` events, some half a minute apart, and lie all over the day."""

    day: date
    events: int
    seed: int = 1
    events_per_session: int = 10
    products: int = 20_000
    duplicates: float = 0.002
    """Share of events that are sent twice, which is what clients do when an answer is lost."""

    @property
    def sessions(self) -> int:
        """How many sessions the day has."""
        return max(1, self.events // self.events_per_session)


def partitioned_values(made: BulkDay, partitions: int, schema_id: int, chunk: int) -> Iterator[tuple[int, list[bytes]]]:
    """(partition, values) in the order in which they are to be sent: `chunk` events at a time, in the wire format.

    A session is in one partition. Which one is by its number: no reader hashes the key again.
    """
    for rows in _chunks(made, chunk):
        for (partition,), part in rows.group_by(pl.col("session") % partitions, maintain_order=True):
            yield int(str(partition)), encode(part, schema_id)


def encode(rows: pl.DataFrame, schema_id: int) -> list[bytes]:
    """Columns of `_chunks` as values of the topic."""
    version = subject("user-event").latest
    head = header(schema_id)
    (encoded,) = pyruhvro.serialize_record_batch(_record_batch(rows), json.dumps(version.schema), 1)
    return [head + value for value in encoded.to_pylist()]


def _chunks(made: BulkDay, chunk: int) -> Iterator[pl.DataFrame]:
    """Events in the order of their time, as they would reach the log, a span of sessions at a time."""
    draw = np.random.default_rng(made.seed)
    per = max(1, chunk // made.events_per_session)
    start = int(datetime(made.day.year, made.day.month, made.day.day, tzinfo=UTC).timestamp() * 1000)
    for first in range(0, made.sessions, per):
        sessions = np.arange(first, min(first + per, made.sessions))
        yield _events(made, draw, sessions, start)


def _events(made: BulkDay, draw: np.random.Generator, sessions: np.ndarray, start: int) -> pl.DataFrame:
    session = np.repeat(sessions, made.events_per_session)
    count = len(session)
    span = _DAY_MS - made.events_per_session * _PAUSE_MS * 2
    begins = start + sessions * span // made.sessions
    pauses = draw.integers(1, 2 * _PAUSE_MS, (len(sessions), made.events_per_session))
    times = (begins[:, None] + np.cumsum(pauses, axis=1)).ravel()
    rows = pl.DataFrame(
        {
            "session": session,
            "number": np.arange(count) + sessions[0] * made.events_per_session,
            "time": times,
            "kind": draw.choice(len(_KINDS), count, p=_SHARES),
            "product": np.minimum(draw.zipf(1.3, count), made.products),
            "user": np.repeat(draw.integers(0, max(1, made.sessions // 2), len(sessions)), made.events_per_session),
            "agent": np.repeat(draw.integers(0, 80, len(sessions)), made.events_per_session),
            "twice": draw.random(count) < made.duplicates,
        }
    ).sort("time")
    return pl.concat([rows, rows.filter("twice")])


def _record_batch(rows: pl.DataFrame) -> pa.RecordBatch:
    """The rows in the Arrow form of the newest schema."""
    number, session = pl.col("number"), pl.col("session")
    agents = [_AGENTS[n % len(_AGENTS)].format(n=n) for n in range(80)]
    signed_in = session % 3 > 0
    product = pl.format("P{}", pl.col("product"))
    frame = rows.select(
        eventId=pl.format("e-{}-{}", number.hash(1) % 10**12, number),
        userId=pl.when(signed_in).then(pl.format("user-{}", pl.col("user"))),
        sessionId=pl.format("s-{}-{}", session.hash(2) % 10**12, session),
        eventType=pl.col("kind").replace_strict(dict(enumerate(_KINDS)), return_dtype=pl.String),
        timestamp=pl.col("time").cast(pl.Int64),
        productId=product,
        page=pl.format("/product/{}", product),
        position=(number % 10).cast(pl.String),
        userAgent=pl.col("agent").replace_strict(dict(enumerate(agents)), return_dtype=pl.String),
        ip=pl.format("203.{}.{}.{}", session % 250, session // 250 % 250, session % 251),
        platform=pl.when(pl.col("agent") % 2 == 0).then(pl.lit("web")).otherwise(pl.lit("mobile_web")),
        referrer=pl.when(session % 2 == 0).then(pl.lit("https://example.com/")),
        tenantId=pl.when(session % 5 == 0).then(pl.lit("acme")).otherwise(pl.lit("default")),
    ).to_arrow(compat_level=pl.CompatLevel.oldest())
    column = {name: frame[name].combine_chunks() for name in frame.column_names}
    text = {name: array.cast(pa.string()) for name, array in column.items() if name != "timestamp"}
    context = ["userAgent", "ip", "platform", "referrer"]
    arrays = {
        **{name: text[name] for name in ("eventId", "userId", "sessionId", "eventType")},
        "timestamp": column["timestamp"],
        "properties": _maps({name: text[name] for name in ("productId", "page", "position")}),
        "context": pa.StructArray.from_arrays([text[name] for name in context], names=context),
        "tenantId": text["tenantId"],
        "receivedAt": column["timestamp"],
        "experiments": _maps({"checkout": text["position"]}),
    }
    return pa.RecordBatch.from_pydict(arrays)


def _maps(entries: dict[str, pa.Array]) -> pa.MapArray:
    """Maps that all have the same keys."""
    count, width = len(next(iter(entries.values()))), len(entries)
    order = np.arange(count * width).reshape(width, count).T.ravel()
    values = pa.concat_arrays(list(entries.values())).take(pa.array(order))
    keys = pa.array(list(entries)).take(pa.array(np.tile(np.arange(width), count)))
    return pa.MapArray.from_arrays(pa.array(np.arange(count + 1) * width, pa.int32()), keys, values)
