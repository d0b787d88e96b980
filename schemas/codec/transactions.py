"""Transactions to order facts: the one place where a double of the wire becomes money."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from schemas.codec.columnar import Decoded, Rejects, Rows, decode_columns, decoded, fields_of, frame_of
from schemas.codec.wire import Schemas
from schemas.money import EXPONENTS, to_minor
from schemas.reasons import Reason
from schemas.subjects import subject

_EXPONENT_OF_CODE = np.array([*EXPONENTS.values(), 0], np.int64)


def decode_transactions(values: Sequence[bytes | None], schemas: Schemas) -> Decoded:
    """Values of `transactions` to the ORDER frame without the position columns, with `row`.

    Amounts and prices are minor units of the currency. A record of an unknown currency, or with an amount or price
    that has no minor units, is refused. Raises SchemaNotResolved.
    """
    rejects = Rejects()
    columns = decode_columns(values, schemas, subject("transaction").latest.type, rejects)
    record = fields_of(columns.records)
    exponents = _exponents(record["currency"], columns.rows, rejects)
    amounts = _minor(record["totalAmount"], exponents, columns.rows, rejects)
    arrays = {
        "tenant_id": record["tenantId"],
        "transaction_id": record["transactionId"],
        "user_id": record["userId"],
        "status": record["status"],
        "order_time": record["timestamp"].cast(pa.timestamp("ms", "UTC")),
        "currency": record["currency"],
        "amount_minor": amounts,
        "payment_method": record["paymentMethod"],
        "items": _items(record["orderItems"], exponents, columns.rows, rejects),
    }
    return decoded(columns, frame_of(arrays), rejects)


def _items(lists: pa.Array, exponents: Rows, rows: Rows, rejects: Rejects) -> pa.Array:
    counts = np.diff(np.asarray(lists.offsets))
    item = fields_of(lists.values)
    prices = _minor(item["price"], np.repeat(exponents, counts), np.repeat(rows, counts), rejects)
    items = pa.StructArray.from_arrays(
        [item["productId"], item["quantity"], prices, item["category"]],
        names=["product_id", "quantity", "price_minor", "category"],
    )
    return pa.ListArray.from_arrays(lists.offsets, items)


def _exponents(currencies: pa.Array, rows: Rows, rejects: Rejects) -> Rows:
    places = np.asarray(pc.index_in(currencies, _codes()).fill_null(len(EXPONENTS)))
    unknown = np.flatnonzero(places == len(EXPONENTS))
    for index in unknown:
        rejects.add(rows[[index]], Reason.UNKNOWN_CURRENCY, f"no ISO 4217 code: {currencies[index].as_py()[:20]!r}")
    exponents: Rows = _EXPONENT_OF_CODE[places]
    return exponents


def _minor(amounts: pa.Array, exponents: Rows, rows: Rows, rejects: Rejects) -> npt.NDArray[np.int64]:
    doubles = np.asarray(amounts)
    minor, fits = to_minor(doubles, exponents)
    finite = np.isfinite(doubles)
    rejects.add(rows[~finite], Reason.AMOUNT_NOT_FINITE, "an amount is infinite or not a number")
    rejects.add(rows[finite & ~fits], Reason.AMOUNT_RANGE, "an amount is too large to be exact in minor units")
    return minor


@cache
def _codes() -> pa.Array:
    """Not made before it is needed: with its first array pyarrow imports pandas, 36 MB for whoever needs none."""
    return pa.array(EXPONENTS, pa.string())
