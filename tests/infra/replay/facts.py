"""Facts about the real data sets, counted with the csv module alone: no mapping, no oracle, nothing of ours."""

import csv
import gzip
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

RETAIL_FILE = "online_retail.csv.gz"
REES46_FILE = "rees46_2019-10-01.csv.gz"
HALF_HOUR = 30 * 60


@dataclass(frozen=True)
class RetailDay:
    """Money and goods of some invoices. `revenue` is the exact sum of Quantity * UnitPrice in pounds.

    Invoices with a positive sum are sales and make up `gross`, those with a negative sum are returns.
    """

    lines: int
    invoices: int
    sales: int
    returns: int
    quantity: int
    gross: Decimal
    revenue: Decimal


@dataclass(frozen=True)
class RetailFacts:
    """The whole file, and each day of it."""

    total: RetailDay
    days: dict[date, RetailDay]
    customers: int
    stock_codes: int
    cancelled_lines: int
    lines_without_customer: int


@dataclass(frozen=True)
class Rees46Facts:
    """The store log. Counts of `events`, `kinds` and `duplicates` go by row; the rest by distinct rows.

    `sessions` are runs of one user_session, `user_sessions` runs of one user_id, cut at gaps of 30 minutes or more;
    `converted` are sessions with a purchase, `active_users` the last users of the sessions; `products` counts rows by
    (product_id, event_type).
    """

    events: int
    kinds: dict[str, int]
    duplicates: int
    users: int
    labels: int
    sessions: int
    converted: int
    active_users: int
    user_sessions: int
    products: dict[tuple[str, str], int]


class Act(NamedTuple):
    """What one distinct row says: when, what, and who."""

    second: int
    kind: str
    user: str


def read(path: Path) -> Iterator[dict[str, str]]:
    with gzip.open(path, "rt", encoding="utf-8", newline="") as lines:
        yield from csv.DictReader(lines)


def retail_facts(folder: Path) -> RetailFacts:
    rows = list(read(folder / RETAIL_FILE))
    by_day: dict[date, list[dict[str, str]]] = defaultdict(list)
    for row in rows:
        by_day[date.fromisoformat(row["InvoiceDate"][:10])].append(row)
    return RetailFacts(
        total=retail_day(rows),
        days={day: retail_day(of_day) for day, of_day in by_day.items()},
        customers=len({row["CustomerID"] for row in rows} - {""}),
        stock_codes=len({row["StockCode"] for row in rows}),
        cancelled_lines=sum(row["InvoiceNo"].startswith("C") for row in rows),
        lines_without_customer=sum(row["CustomerID"] == "" for row in rows),
    )


def retail_day(rows: list[dict[str, str]]) -> RetailDay:
    sums: dict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[row["InvoiceNo"]] += int(row["Quantity"]) * Decimal(row["UnitPrice"])
    return RetailDay(
        lines=len(rows),
        invoices=len(sums),
        sales=sum(amount > 0 for amount in sums.values()),
        returns=sum(amount < 0 for amount in sums.values()),
        quantity=sum(int(row["Quantity"]) for row in rows),
        gross=sum((amount for amount in sums.values() if amount > 0), Decimal(0)),
        revenue=sum(sums.values(), Decimal(0)),
    )


def rees46_facts(folder: Path) -> Rees46Facts:
    rows = [tuple(row.values()) for row in read(folder / REES46_FILE)]
    distinct = set(rows)
    by_label = runs((row[8], Act(seconds(row[0]), row[1], row[7])) for row in distinct)
    by_user = runs((row[7], Act(seconds(row[0]), row[1], row[7])) for row in distinct)
    return Rees46Facts(
        events=len(rows),
        kinds=dict(Counter(row[1] for row in rows)),
        duplicates=len(rows) - len(distinct),
        users=len({row[7] for row in rows}),
        labels=len({row[8] for row in rows}),
        sessions=len(by_label),
        converted=sum(any(act.kind == "purchase" for act in run) for run in by_label),
        active_users=len({run[-1].user for run in by_label}),
        user_sessions=len(by_user),
        products=dict(Counter((row[2], row[1]) for row in distinct)),
    )


def seconds(text: str) -> int:
    return int(datetime.strptime(text, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC).timestamp())


def runs(acts: Iterable[tuple[str, Act]]) -> list[list[Act]]:
    """Cut each owner's acts, in order of time, at gaps of half an hour or more."""
    owned: dict[str, list[Act]] = defaultdict(list)
    for owner, act in acts:
        owned[owner].append(act)
    found = []
    for timeline in owned.values():
        timeline.sort()
        found.append([timeline[0]])
        for before, after in pairwise(timeline):
            if after.second - before.second >= HALF_HOUR:
                found.append([])
            found[-1].append(after)
    return found
