"""The merged views on the real data sets, beside the facts that the csv module alone counts."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

from infra.replay.rees46 import KINDS
from tests.e2e.answers import check_rows
from tests.e2e.stack import Live
from tests.infra.replay.facts import Rees46Facts, RetailFacts

COUNTERS = {"view": "views", "cart": "add_to_carts", "purchase": "purchases"}


def check_retail(live: Live, tenant: str, facts: RetailFacts) -> Counter[str]:
    """Every figure of Online Retail, in total and on each day, to the penny; answers how many days each layer gave."""
    revenue = live.ask("SELECT * FROM daily_revenue WHERE tenant_id = %(tenant)s", tenant=tenant)
    check_rows(
        {(row["day"], row["currency"]): row for row in revenue},
        {
            (day, "GBP"): {
                "orders": of_day.sales,
                "refunds": of_day.returns,
                "gross_revenue_minor": _pence(of_day.gross),
                "net_revenue_minor": _pence(of_day.revenue),
            }
            for day, of_day in facts.days.items()
        },
    )
    assert sum(row["net_revenue_minor"] for row in revenue) == _pence(facts.total.revenue)
    check_rows(
        {(row["day"],): row for row in live.ask(_GOODS, tenant=tenant)},
        {
            (day,): {"invoices": of_day.invoices, "lines": of_day.lines, "quantity": of_day.quantity}
            for day, of_day in facts.days.items()
        },
    )
    [names] = live.ask(_NAMES, tenant=tenant)
    assert names == {"customers": facts.customers, "stock_codes": facts.stock_codes}
    return Counter(row["layer"] for row in revenue)


_GOODS = """
SELECT day, count() AS invoices, sum(length(items)) AS lines,
    sum(if(status = 'refunded', -1, 1) * arraySum(item -> toInt64(tupleElement(item, 'quantity')), items)) AS quantity
FROM orders WHERE tenant_id = %(tenant)s GROUP BY day
"""
_NAMES = """
SELECT uniqExactIf(user_id, NOT startsWith(user_id, 'guest:')) AS customers,
    uniqExactArray(arrayMap(item -> tupleElement(item, 'product_id'), items)) AS stock_codes
FROM orders WHERE tenant_id = %(tenant)s
"""


def check_rees46(live: Live, tenant: str, facts: Rees46Facts) -> str:
    """Every figure of the REES46 log, which lies on one day; answers the layer that gave them."""
    [row] = live.ask("SELECT * FROM daily_metrics WHERE tenant_id = %(tenant)s", tenant=tenant)
    assert (row["sessions"], row["conversions"]) == (facts.sessions, facts.converted)
    assert row["active_users"] == row["visitors"] == facts.active_users
    [events] = live.ask(_EVENTS, tenant=tenant)
    assert events == {"events": facts.events - facts.duplicates, "users": facts.users, "labels": facts.labels}
    [whole] = live.ask("SELECT sum(events) AS events FROM sessions WHERE tenant_id = %(tenant)s", tenant=tenant)
    assert whole["events"] == events["events"]
    kinds = live.ask("SELECT event_type, count() AS n FROM events WHERE tenant_id = %(t)s GROUP BY 1", t=tenant)
    distinct: Counter[str] = Counter()
    for (_, kind), count in facts.products.items():
        distinct[KINDS[kind]] += count
    assert {kind["event_type"]: kind["n"] for kind in kinds} == distinct
    expected: dict[str, Counter[str]] = {}
    for (product, kind), count in facts.products.items():
        expected.setdefault(product, Counter())[COUNTERS[kind]] += count
    products = live.ask("SELECT * FROM product_daily WHERE tenant_id = %(tenant)s", tenant=tenant)
    check_rows(
        {(product["product_id"],): product for product in products},
        {(name,): {column: counted[column] for column in COUNTERS.values()} for name, counted in expected.items()},
    )
    return str(row["layer"])


_EVENTS = """
SELECT count() AS events, uniqExact(user_id) AS users, uniqExact(session_id) AS labels
FROM events WHERE tenant_id = %(tenant)s
"""


def _pence(pounds: Decimal) -> int:
    return round(pounds * 100)
