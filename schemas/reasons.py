"""Why a record cannot be used: every reason code that a dead letter may carry, with its meaning for operators."""

from __future__ import annotations

from enum import StrEnum


class Reason(StrEnum):
    """Code of a refusal.

    The codes are stored with dead letters, so a code is never renamed and never given to another meaning.
    """

    NULL_VALUE = "null_value"
    TOO_LARGE = "too_large"
    WRONG_MAGIC = "wrong_magic"
    UNKNOWN_SCHEMA = "unknown_schema"
    UNSUPPORTED_SCHEMA = "unsupported_schema"
    INCOMPATIBLE_SCHEMA = "incompatible_schema"
    TRUNCATED = "truncated"
    TRAILING_BYTES = "trailing_bytes"
    BAD_LENGTH = "bad_length"
    ITEM_COUNT = "item_count"
    BAD_VARINT = "bad_varint"
    BAD_BRANCH = "bad_branch"
    BAD_BOOLEAN = "bad_boolean"
    INVALID_UTF8 = "invalid_utf8"
    UNKNOWN_SYMBOL = "unknown_symbol"
    INT_RANGE = "int_range"
    UNDECODABLE = "undecodable"
    UNKNOWN_CURRENCY = "unknown_currency"
    AMOUNT_NOT_FINITE = "amount_not_finite"
    AMOUNT_RANGE = "amount_range"
    BLANK = "blank"
    TOO_LONG = "too_long"
    TOO_OLD = "too_old"
    TOO_FAR_AHEAD = "too_far_ahead"
    QUANTITY_RANGE = "quantity_range"
    UNKNOWN_STATUS = "unknown_status"
    UNKNOWN_PLATFORM = "unknown_platform"


MEANING: dict[Reason, str] = {
    Reason.NULL_VALUE: "The record has no value. Only compacted topics use that, to delete a key.",
    Reason.TOO_LARGE: "The value is longer than any topic allows; it was not decoded.",
    Reason.WRONG_MAGIC: "The first byte is not 0x00: the producer does not write the Confluent wire format.",
    Reason.UNKNOWN_SCHEMA: (
        "The registry answered that it has no schema of this id: the producer uses another registry, or wrote garbage."
    ),
    Reason.UNSUPPORTED_SCHEMA: (
        "The writer's schema uses a type that is not read here, or one that lets few bytes claim many items."
    ),
    Reason.INCOMPATIBLE_SCHEMA: (
        "The writer's schema cannot be resolved to ours: another subject's schema, or a breaking change."
    ),
    Reason.TRUNCATED: "The bytes end before the record does.",
    Reason.TRAILING_BYTES: "Bytes are left after the record: it was written with another schema than its header says.",
    Reason.BAD_LENGTH: "A string claims a negative length.",
    Reason.ITEM_COUNT: "An array or map claims more items than bytes are left.",
    Reason.BAD_VARINT: "A number is longer than 64 bits.",
    Reason.BAD_BRANCH: "A union names a branch that it does not have.",
    Reason.BAD_BOOLEAN: "A boolean is neither 0 nor 1.",
    Reason.INVALID_UTF8: "A string is not valid UTF-8.",
    Reason.UNKNOWN_SYMBOL: "An enum names a symbol that its schema, or ours, does not have.",
    Reason.INT_RANGE: "An int does not fit into 32 bits.",
    Reason.UNDECODABLE: "The bulk decoder refused the bytes for a reason that has no code of its own; see the message.",
    Reason.UNKNOWN_CURRENCY: "The currency is not an ISO 4217 code in capitals, so the amount has no known minor unit.",
    Reason.AMOUNT_NOT_FINITE: "An amount, price or figure is infinite or not a number.",
    Reason.AMOUNT_RANGE: "An amount or price is too large to be kept exactly, or beyond the bound of the rules.",
    Reason.BLANK: "A field that names something is empty or only white space.",
    Reason.TOO_LONG: "A field is longer than the rules allow.",
    Reason.TOO_OLD: "The time in the record lies before any data we can have.",
    Reason.TOO_FAR_AHEAD: "The time in the record lies more than the allowed time after its arrival in the log.",
    Reason.QUANTITY_RANGE: "A quantity in an order is not within the bounds of the rules.",
    Reason.UNKNOWN_STATUS: "The status of an order or ticket is none that is known.",
    Reason.UNKNOWN_PLATFORM: "The platform is none that figures are split by; such records are counted, not refused.",
}
"""What each code tells the operator; complete, held by a test."""


class Refused(ValueError):
    """One record cannot be used; `reason` is the code and `message` what was found. It belongs to the dead letters."""

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message
