"""What happens around the shop: every record keeps its contract and its rules, and a day is a function of its seed."""

from collections import Counter
from random import Random

import polars as pl

from infra.messages import Message
from infra.simulator.catalogue import TENANTS, make_catalogue
from infra.simulator.faults import DAY_MS
from infra.simulator.surroundings import HOUR_MS, KEYS, Amounts, surroundings
from schemas.codec import encode_record
from schemas.frames import POSITION_COLUMNS, TIMESTAMP
from schemas.subjects import subject
from schemas.topics import TOPICS
from schemas.verdicts import READERS, STATE_TOPICS, judge
from tests.infra.simulator.shop import NOW
from tests.schemas.examples import IDS, schemas

START = NOW - NOW % DAY_MS - DAY_MS


def day(seed: int, until: int = NOW) -> list[Message]:
    catalogue = make_catalogue(Random(1), TENANTS, 50, 100)
    return list(surroundings(Random(seed), TENANTS[0], catalogue, START, until, Amounts()))


def test_a_day_brings_all_kinds_in_the_order_of_time_and_modestly() -> None:
    messages = day(1)
    assert Counter(message.topic for message in messages).keys() == set(STATE_TOPICS)
    assert [m.send_time_ms for m in messages] == sorted(m.send_time_ms for m in messages)
    assert len(messages) < 1_000
    assert messages == day(1) != day(2)
    assert {name: (TOPICS[name].key, TOPICS[name].partition_by) for name in KEYS} == {
        n: (k, k) for n, k in KEYS.items()
    }
    assert all(message.send_time_ms <= START + HOUR_MS for message in day(1, START + HOUR_MS))


def test_every_record_can_be_used() -> None:
    for topic in STATE_TOPICS:
        name = str(TOPICS[topic].subject)
        mine = [message for message in day(3) if message.topic == topic]
        values = [
            encode_record(dict(m.value), subject(name).version(m.version), IDS[name, m.version])  # type: ignore[arg-type]
            for m in mine
        ]
        times = pl.Series([m.send_time_ms for m in mine], dtype=pl.Int64).cast(TIMESTAMP)
        positions = pl.DataFrame({"append_time": times}).with_columns(
            pl.lit(0, kind).alias(column) for column, kind in POSITION_COLUMNS.items() if column != "append_time"
        )
        good, dead = judge(topic, positions.with_row_index("row"), [None] * len(values), values, schemas())
        assert (good.height, dead.height) == (len(mine), 0)
        assert good.columns == list(READERS[topic].columns)


def test_stock_never_sells_what_is_not_there() -> None:
    stock = [m.value for m in day(4) if m.topic == "inventory-updates"]
    assert min(value["quantity"] for value in stock if not isinstance(value, bytes)) >= 0
