"""The REES46 log: the published facts, and that they survive the mapping."""

import gzip
from pathlib import Path

import pytest

from infra.replay.rees46 import COLUMNS, KINDS, rees46_messages
from infra.replay.rows import UnreadableFileError, UnreadableRowError
from tests.infra.replay.facts import REES46_FILE, Rees46Facts
from tests.oracle.answer import Answer, fold
from tests.oracle.feed import as_log
from tests.oracle.figures import PRODUCT_KINDS
from tests.oracle.verdicts import Rules

ANY_AGE = Rules(horizon_days=100_000)
ROW = "2019-10-01 00:00:01 UTC,cart,17200506,2053013559792632471,furniture.sofa,,543.10,519107250,566511c2"


@pytest.fixture(scope="module")
def answer(real_data: Path) -> Answer:
    return fold(as_log(rees46_messages(real_data / REES46_FILE)), ANY_AGE)


@pytest.mark.real_data
def test_the_published_facts(rees46: Rees46Facts) -> None:
    assert rees46.events == 17_434
    assert rees46.kinds == {"view": 17_055, "cart": 165, "purchase": 214}
    assert (rees46.users, rees46.labels, rees46.duplicates, rees46.user_sessions) == (4_504, 5_066, 5, 4_518)
    assert len({product for product, _ in rees46.products}) == 6_493


@pytest.mark.real_data
def test_rows_that_stand_twice_are_duplicates_and_all_others_events(rees46: Rees46Facts, answer: Answer) -> None:
    accounts = answer.accounts.values()
    assert sum(account.records for account in accounts) == rees46.events
    assert sum(account.duplicates for account in accounts) == rees46.duplicates
    assert sum(account.used for account in accounts) == len(answer.events) == rees46.events - rees46.duplicates


@pytest.mark.real_data
def test_sessions_users_and_conversions(rees46: Rees46Facts, answer: Answer) -> None:
    [row] = answer.daily_metrics.values()
    assert (row.sessions, row.conversions) == (rees46.sessions, rees46.converted)
    assert row.active_users == row.visitors == rees46.active_users == 4_503
    assert len({event.user_id for event in answer.events}) == rees46.users


@pytest.mark.real_data
def test_product_counters(rees46: Rees46Facts, answer: Answer) -> None:
    counted = {(key.product_id, key.kind): count for key, count in answer.products.items()}
    assert counted == {
        (product, PRODUCT_KINDS[KINDS[kind]]): count for (product, kind), count in rees46.products.items()
    }


def test_the_value_of_a_row(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(f"{','.join(COLUMNS)}\n{ROW}\n{ROW}\n{ROW.replace('543.10', '543.11')}\n")
    first, again, other = rees46_messages(path, "shop")
    assert first == again
    assert not isinstance(first.value, bytes) and not isinstance(other.value, bytes)
    assert first.value["eventId"] != other.value["eventId"]
    assert {name: part for name, part in first.value.items() if name != "eventId"} == {
        "userId": "519107250",
        "sessionId": "566511c2",
        "eventType": "add_to_cart",
        "timestamp": 1_569_888_001_000,
        "properties": {
            "productId": "17200506",
            "categoryId": "2053013559792632471",
            "category": "furniture.sofa",
            "price": "543.10",
        },
        "context": {"userAgent": "", "ip": "", "platform": "web", "referrer": None},
        "tenantId": "shop",
        "receivedAt": None,
        "experiments": {},
    }


def test_a_kind_that_the_log_does_not_have_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    path.write_text(f"{','.join(COLUMNS)}\n{ROW.replace('cart', 'remove')}\n")
    with pytest.raises(UnreadableRowError, match=r"line 2: cannot read 'remove'"):
        list(rees46_messages(path))


def test_the_rows_after_one_that_cannot_be_read_follow(tmp_path: Path) -> None:
    path = tmp_path / "log.csv"
    rows = [ROW, ROW.replace("cart", "remove"), "short", ROW.replace("furniture", "m\xf6bel"), ROW]
    path.write_bytes("\n".join([",".join(COLUMNS), *rows]).encode("latin-1"))
    told: list[UnreadableRowError] = []
    assert len(list(rees46_messages(path, "shop", told.append))) == 2
    assert [(error.line, error.why) for error in told] == [
        (3, "cannot read 'remove'"),
        (4, "1 fields instead of 9"),
        (5, "not UTF-8"),
    ]


def test_a_file_that_ends_in_the_middle_is_told(tmp_path: Path) -> None:
    path = tmp_path / "log.csv.gz"
    path.write_bytes(gzip.compress("\n".join([",".join(COLUMNS), *[ROW] * 100]).encode())[:-20])
    with pytest.raises(UnreadableFileError, match="check the format"):
        list(rees46_messages(path))
