"""UCI Online Retail as transactions: one `Transaction` for each invoice, its lines as items."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from itertools import groupby
from pathlib import Path
from typing import Any

from infra.messages import TRANSACTIONS, Message
from infra.replay.rows import Reject, UnreadableRowError, read_rows, strictly, utc_ms

COLUMNS = (
    "InvoiceNo",
    "StockCode",
    "Description",
    "Quantity",
    "InvoiceDate",
    "UnitPrice",
    "CustomerID",
    "Country",
)
CURRENCY = "GBP"
CATEGORY = "uncategorised"
PAYMENT_METHOD = "invoice"


@dataclass(frozen=True)
class Line:
    """A line of an invoice as the file has it; `customer_id` is empty where the file names none."""

    number: int
    invoice: str
    stock_code: str
    quantity: int
    time: str
    price: Decimal
    customer_id: str

    @property
    def day(self) -> str:
        """The day of the line, as text."""
        return self.time[:10]


@dataclass
class Invoice:
    """The lines of one invoice, in the order of the file."""

    lines: list[Line] = field(default_factory=list)

    @property
    def total(self) -> Decimal:
        """The exact sum of quantity times price, negative for goods taken back."""
        return sum((line.quantity * line.price for line in self.lines), Decimal(0))

    @property
    def status(self) -> str:
        """A sale is completed, a negative total refunded; an invoice over nothing is cancelled, which books nothing."""
        if self.total > 0:
            return "completed"
        return "refunded" if self.total < 0 else "cancelled"


def retail_messages(path: Path, tenant_id: str = "default", reject: Reject = strictly) -> Iterator[Message]:
    """Yield the invoices in the order of their first lines; a day's lines are in memory at a time.

    An invoice of which a line cannot be read is left out whole: its amount would be wrong. So is a line of an invoice
    on a second day, which would count it twice. Raises UnreadableFileError.
    """
    sent: set[str] = set()
    spoilt: set[str] = set()
    for _, lines in groupby(read_invoice_lines(path, reject, spoilt), key=day_of):
        invoices: dict[str, Invoice] = {}
        for line in lines:
            if line.invoice in sent:
                reject(UnreadableRowError(path, line.number, f"invoice {line.invoice} has lines on two days"))
            else:
                invoices.setdefault(line.invoice, Invoice()).lines.append(line)
        sent.update(invoices)
        yield from (message_of(invoice, tenant_id) for name, invoice in invoices.items() if name not in spoilt)


def day_of(line: Line) -> str:
    """Return the day that lines are gathered by."""
    return line.day


def read_invoice_lines(path: Path, reject: Reject, spoilt: set[str]) -> Iterator[Line]:
    """Yield the lines of the file that can be read; of others the invoice is put among the `spoilt`."""
    for number, row in read_rows(path, COLUMNS, reject):
        try:
            yield line_of(number, row)
        except (ValueError, InvalidOperation) as problem:
            spoilt.add(row["InvoiceNo"])
            reject(UnreadableRowError(path, number, f"{problem}; invoice {row['InvoiceNo']} is left out"))


def line_of(number: int, row: dict[str, str]) -> Line:
    """Return a row as a line. Raises ValueError, InvalidOperation."""
    utc_ms(row["InvoiceDate"])
    price = Decimal(row["UnitPrice"])
    if not price.is_finite():
        raise ValueError(f"{price} is no price")
    return Line(
        number,
        row["InvoiceNo"],
        row["StockCode"],
        int(row["Quantity"]),
        row["InvoiceDate"],
        price,
        row["CustomerID"].removesuffix(".0"),
    )


def message_of(invoice: Invoice, tenant_id: str) -> Message:
    """Return the transaction of an invoice: positive amount, quantities turned round for goods taken back."""
    first = invoice.lines[0]
    sign = -1 if invoice.status == "refunded" else 1
    value: dict[str, Any] = {
        "transactionId": first.invoice,
        "userId": first.customer_id or f"guest:{first.invoice}",
        "orderItems": [
            {
                "productId": line.stock_code,
                "quantity": sign * line.quantity,
                "price": float(line.price),
                "category": CATEGORY,
            }
            for line in invoice.lines
        ],
        "totalAmount": float(abs(invoice.total)),
        "currency": CURRENCY,
        "paymentMethod": PAYMENT_METHOD,
        "status": invoice.status,
        "timestamp": utc_ms(first.time),
        "tenantId": tenant_id,
    }
    return Message(TRANSACTIONS, value["transactionId"], value["userId"], 2, value, value["timestamp"])
