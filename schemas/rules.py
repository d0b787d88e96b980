"""Quality rules as data.

A verdict depends on the bytes of the record, its schema, its append time and `RULES_VERSION`, and on nothing else. A
rule says what must hold; null is nothing that could break a rule. The kinds are few and plain, so that the batch
layer compiles the same data to expectations.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta

from schemas.checks import (
    Between,
    Check,
    InSet,
    MaxLength,
    NotAfter,
    NotBlank,
    Rule,
    Severity,
    apply,
    count_warnings,
    holds,
)
from schemas.lateness import AHEAD
from schemas.money import EXPONENTS
from schemas.reasons import Reason

__all__ = [
    "RULES",
    "RULES_VERSION",
    "Between",
    "Check",
    "InSet",
    "MaxLength",
    "NotAfter",
    "NotBlank",
    "Rule",
    "Severity",
    "apply",
    "count_warnings",
    "holds",
    "rules_for",
    "version_of",
]

_AHEAD_MS = AHEAD // timedelta(milliseconds=1)
_YEAR_2000_MS = 946_684_800_000
_MAX_AMOUNT_MINOR = 10**14
_MAX_QUANTITY = 1_000_000
_ID_LENGTH = 256
_TEXT_LENGTH = 8_192
_COUNTRY_LENGTH = 2
_PLATFORMS = ("web", "mobile_web", "ios", "android", "server")


def _named(subject: str, *columns: str) -> tuple[Rule, ...]:
    """Names must be there and of a length that keys can have."""
    return tuple(
        rule
        for column in columns
        for rule in (
            Rule(subject, column, NotBlank(), Reason.BLANK, f"{column} is not blank"),
            Rule(
                subject, column, MaxLength(_ID_LENGTH), Reason.TOO_LONG, f"{column} has at most {_ID_LENGTH} characters"
            ),
        )
    )


def _texts(subject: str, *columns: str) -> tuple[Rule, ...]:
    meaning = f"has at most {_TEXT_LENGTH} characters"
    return tuple(Rule(subject, name, MaxLength(_TEXT_LENGTH), Reason.TOO_LONG, f"{name} {meaning}") for name in columns)


def _timed(subject: str, column: str) -> tuple[Rule, ...]:
    """Times lie where data can be: from 2000 to an hour after arrival, which leaves room for clocks that run ahead."""
    return (
        Rule(subject, column, Between(_YEAR_2000_MS, None), Reason.TOO_OLD, f"{column} is not before 2000-01-01"),
        Rule(
            subject,
            column,
            NotAfter("append_time", _AHEAD_MS),
            Reason.TOO_FAR_AHEAD,
            f"{column} is at most an hour after the record arrived in the log",
        ),
    )


USER_EVENT_RULES: tuple[Rule, ...] = (
    *_named("user-event", "tenant_id", "session_id", "event_id", "user_id"),
    Rule("user-event", "product_id", MaxLength(_ID_LENGTH), Reason.TOO_LONG, "product_id has at most 256 characters"),
    *_texts("user-event", "page", "search_query", "platform", "user_agent", "referrer"),
    *_timed("user-event", "event_time"),
    Rule(
        "user-event",
        "platform",
        InSet(_PLATFORMS),
        Reason.UNKNOWN_PLATFORM,
        "platform is one of " + ", ".join(_PLATFORMS),
        Severity.WARN,
    ),
)

TRANSACTION_RULES: tuple[Rule, ...] = (
    *_named("transaction", "tenant_id", "transaction_id", "user_id"),
    *_texts("transaction", "payment_method"),
    Rule(
        "transaction",
        "status",
        InSet(("completed", "refunded", "pending", "cancelled")),
        Reason.UNKNOWN_STATUS,
        "status is one that is booked",
    ),
    Rule(
        "transaction",
        "currency",
        InSet(tuple(sorted(EXPONENTS))),
        Reason.UNKNOWN_CURRENCY,
        "currency is an ISO 4217 code with a minor unit",
    ),
    *(
        Rule(
            "transaction",
            column,
            Between(-_MAX_AMOUNT_MINOR, _MAX_AMOUNT_MINOR),
            Reason.AMOUNT_RANGE,
            f"{column} is within 10^14 minor units, so that the sums of a day stay within 64 bits",
        )
        for column in ("amount_minor", "items.price_minor")
    ),
    Rule(
        "transaction",
        "items.quantity",
        Between(-_MAX_QUANTITY, _MAX_QUANTITY),
        Reason.QUANTITY_RANGE,
        "every line is of at most 1,000,000 pieces, which are negative where they were taken back",
    ),
    *_timed("transaction", "order_time"),
)

USER_PROFILE_RULES: tuple[Rule, ...] = (
    *_named("user-profile", "tenant_id", "user_id"),
    Rule(
        "user-profile",
        "country",
        MaxLength(_COUNTRY_LENGTH),
        Reason.TOO_LONG,
        "country is a code of two letters, not a name",
    ),
    *_timed("user-profile", "updated_at"),
)

INVENTORY_UPDATE_RULES: tuple[Rule, ...] = (
    *_named("inventory-update", "tenant_id", "product_id", "warehouse"),
    *_texts("inventory-update", "reason"),
    *_timed("inventory-update", "updated_at"),
)

SERVICE_TICKET_RULES: tuple[Rule, ...] = (
    *_named("service-ticket", "tenant_id", "ticket_id", "user_id"),
    *_texts("service-ticket", "priority", "category", "channel", "product_id", "transaction_id"),
    Rule(
        "service-ticket",
        "status",
        InSet(("open", "pending", "solved", "closed")),
        Reason.UNKNOWN_STATUS,
        "status is open, pending, solved or closed",
    ),
    *_timed("service-ticket", "updated_at"),
)

EXTERNAL_SIGNAL_RULES: tuple[Rule, ...] = (
    *_named("external-signal", "tenant_id", "source", "metric"),
    *_texts("external-signal", "unit", "product_id"),
    Rule(
        "external-signal",
        "region",
        MaxLength(_COUNTRY_LENGTH),
        Reason.TOO_LONG,
        "region is a code of two letters, not a name",
    ),
    *_timed("external-signal", "observed_at"),
)

RULES: tuple[Rule, ...] = (
    *USER_EVENT_RULES,
    *TRANSACTION_RULES,
    *USER_PROFILE_RULES,
    *INVENTORY_UPDATE_RULES,
    *SERVICE_TICKET_RULES,
    *EXTERNAL_SIGNAL_RULES,
)
"""Every rule. Of the rules that a record breaks, the first of its subject gives the reason."""


def version_of(rules: Sequence[Rule]) -> str:
    """A short digest of the content and order of rules, hex."""
    content = [{**asdict(rule), "kind": rule.kind} for rule in rules]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


RULES_VERSION: str = version_of(RULES)
"""Changes with the content of any rule; stored with every verdict that rests on the rules."""


def rules_for(subject: str) -> tuple[Rule, ...]:
    """The rules of a subject, in the order in which they are judged."""
    return tuple(rule for rule in RULES if rule.subject == subject)
