"""Online Retail: the published facts, and that they survive the mapping."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from infra.messages import Message
from infra.replay.retail import COLUMNS, retail_messages
from infra.replay.rows import UnreadableFileError, UnreadableRowError
from tests.infra.replay.facts import RETAIL_FILE, RetailFacts
from tests.oracle.answer import Answer, fold
from tests.oracle.feed import as_log
from tests.oracle.records import Order
from tests.oracle.verdicts import Rules

ANY_AGE = Rules(horizon_days=100_000)


def pence(pounds: Decimal) -> int:
    return round(pounds * 100)


def units(orders: Sequence[Order]) -> int:
    """Net pieces: what went out, less what came back."""
    return sum((-1 if order.status == "refunded" else 1) * item.quantity for order in orders for item in order.items)


@pytest.fixture(scope="module")
def messages(real_data: Path) -> list[Message]:
    return list(retail_messages(real_data / RETAIL_FILE))


@pytest.fixture(scope="module")
def answer(messages: list[Message]) -> Answer:
    return fold(as_log(messages), ANY_AGE)


@pytest.mark.real_data
def test_the_published_facts(retail: RetailFacts) -> None:
    assert (retail.total.lines, retail.total.invoices) == (541_909, 25_900)
    assert (retail.customers, retail.stock_codes) == (4_372, 4_070)
    assert (retail.cancelled_lines, retail.lines_without_customer) == (9_288, 135_080)
    assert (retail.total.revenue, retail.total.quantity) == (Decimal("9747747.934"), 5_176_450)


@pytest.mark.real_data
def test_the_mapping_keeps_lines_invoices_customers_products_and_quantities(
    retail: RetailFacts, answer: Answer
) -> None:
    orders = answer.orders
    assert len(orders) == retail.total.invoices
    assert sum(len(order.items) for order in orders) == retail.total.lines
    assert len({order.user_id for order in orders if not order.user_id.startswith("guest:")}) == retail.customers
    assert len({item.product_id for order in orders for item in order.items}) == retail.stock_codes
    assert units(orders) == retail.total.quantity


@pytest.mark.real_data
def test_revenue_is_the_facts_to_the_penny_in_total_and_on_every_day(retail: RetailFacts, answer: Answer) -> None:
    days = {key.day: row for key, row in answer.daily_revenue.items()}
    assert sum(row.net_revenue_minor for row in days.values()) == pence(retail.total.revenue) == 974_774_793
    orders: dict[date, list[Order]] = defaultdict(list)
    for order in answer.orders:
        orders[order.day].append(order)
    assert days.keys() == retail.days.keys()
    for day, facts in retail.days.items():
        row = days[day]
        assert (row.orders, row.refunds) == (facts.sales, facts.returns)
        assert (row.gross_revenue_minor, row.net_revenue_minor) == (pence(facts.gross), pence(facts.revenue))
        assert units(orders[day]) == facts.quantity


@pytest.mark.real_data
def test_only_four_invoices_are_not_whole_pennies_and_they_lose_a_tenth_of_one_each(messages: list[Message]) -> None:
    rounded = {
        message.key: Decimal(repr(message.value["totalAmount"])) - round(Decimal(repr(message.value["totalAmount"])), 2)
        for message in messages
        if not isinstance(message.value, bytes)
    }
    tenth = Decimal("0.001")
    assert {invoice: lost for invoice, lost in rounded.items() if lost} == dict.fromkeys(
        ["550193", "561226", "568200", "568375"], tenth
    )


@pytest.mark.real_data
def test_every_status_follows_the_sign_of_the_total(answer: Answer) -> None:
    assert Counter(order.status for order in answer.orders) == {
        "completed": 19_960,
        "refunded": 3_838,
        "cancelled": 2_102,
    }
    assert all((order.amount_minor > 0) == (order.status != "cancelled") for order in answer.orders)


@pytest.mark.real_data
def test_messages_come_in_order_of_time(messages: list[Message]) -> None:
    times = [message.send_time_ms for message in messages]
    assert times == sorted(times)


def write(folder: Path, *rows: str) -> Path:
    path = folder / "retail.csv"
    path.write_text("\n".join([",".join(COLUMNS), *rows]) + "\n")
    return path


def read(path: Path) -> list[Message]:
    return list(retail_messages(path, "shop"))


def test_interleaved_lines_of_one_day_become_one_transaction_at_the_first_minute(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "1,a,LAMP,2,2011-01-05 13:40:00,1.50,17850.0,France",
        "C2,a,LAMP,-1,2011-01-05 13:40:00,1.50,,France",
        "1,b,BAG,1,2011-01-05 13:41:00,0.001,17850.0,France",
    )
    sale, back = read(path)
    assert sale.value == {
        "transactionId": "1",
        "userId": "17850",
        "orderItems": [
            {"productId": "a", "quantity": 2, "price": 1.5, "category": "uncategorised"},
            {"productId": "b", "quantity": 1, "price": 0.001, "category": "uncategorised"},
        ],
        "totalAmount": 3.001,
        "currency": "GBP",
        "paymentMethod": "invoice",
        "status": "completed",
        "timestamp": 1_294_234_800_000,
        "tenantId": "shop",
    }
    assert (sale.key, sale.partition_key, sale.version) == ("1", "17850", 2)
    assert not isinstance(back.value, bytes)
    assert (back.value["status"], back.value["userId"], back.value["totalAmount"]) == ("refunded", "guest:C2", 1.5)
    assert back.value["orderItems"][0]["quantity"] == 1


def test_write_offs_and_bad_debts_keep_their_signs_in_the_items(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "3,a,lost,-960,2011-01-05 13:40:00,0.0,,United Kingdom",
        "A4,B,Adjust bad debt,1,2011-01-05 13:40:00,-11062.06,,United Kingdom",
    )
    found = [(order.status, order.amount_minor, order.items[0]) for order in fold(as_log(read(path)), ANY_AGE).orders]
    by_status = {status: (amount, item.quantity, item.price_minor) for status, amount, item in found}
    assert by_status == {"cancelled": (0, -960, 0), "refunded": (1_106_206, -1, -1_106_206)}


def test_an_invoice_on_two_days_is_refused(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "1,a,LAMP,2,2011-01-05 23:59:00,1.50,,France",
        "1,b,BAG,2,2011-01-06 00:00:00,1.50,,France",
    )
    with pytest.raises(UnreadableRowError, match=r"retail.csv, line 3: invoice 1 has lines on two days"):
        read(path)


@pytest.mark.parametrize("row", ["1,a,LAMP,two,2011-01-05 13:40:00,1.50,,", "1,a,LAMP,2,2011-01-05 13:40:00,,,", "1,a"])
def test_a_row_that_does_not_fit_is_named(tmp_path: Path, row: str) -> None:
    with pytest.raises(UnreadableRowError, match="line 2") as refused:
        read(write(tmp_path, row))
    assert refused.value.line == 2


def test_another_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(UnreadableFileError, match="header"):
        read(path)


def test_an_invoice_of_which_a_line_cannot_be_read_is_left_out_and_told(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "1,a,LAMP,2,2011-01-05 13:40:00,1.50,,France",
        "2,a,LAMP,2,2011-01-05 13:40:00,1.50,,France",
        "1,b,BAG,two,2011-01-05 13:40:00,1.50,,France",
        "1,c",
        "3,a,LAMP,2,2011-01-05 13:40:00,NaN,,France",
    )
    told: list[UnreadableRowError] = []
    assert [message.key for message in retail_messages(path, "shop", told.append)] == ["2"]
    assert [error.line for error in told] == [4, 5, 6]
    assert "invoice 1 is left out" in str(told[0])
