"""What a day must keep beyond the rules of single records, as limits with the severity of crossing them.

A share is judged by two limits: above `warn` it is reported, above `fail` the day is refused. Volume is compared with
the same weekday of the weeks before, by its median, which one odd week does not move.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from schemas.checks import Severity


@dataclass(frozen=True)
class Check:
    """One expectation and what came of it."""

    name: str
    severity: Severity
    meaning: str
    passed: bool
    unexpected: int
    """Rows that break it; 0 where it does not count rows."""
    observed: str


@dataclass(frozen=True)
class Limit:
    """The greatest share of something bad; `fail` is None where it is never a reason to refuse a day."""

    name: str
    meaning: str
    warn: float
    fail: float | None = None

    def judge(self, bad: int, total: int) -> Check:
        """The check of `bad` among `total`; nothing among nothing is no share at all, and passes."""
        share = bad / total if total else 0.0
        refused = self.fail is not None and share > self.fail
        severity = Severity.FAIL if refused else Severity.WARN
        observed = f"{bad} of {total}, {share:.2%}"
        return Check(
            self.name, severity, f"{self.meaning} (at most {self.warn:.0%})", share <= self.warn, bad, observed
        )


DEAD_LETTERS = Limit("dead_letters_few", "landed records are dead letters", 0.01, 0.5)
DUPLICATES = Limit("duplicates_few", "records repeat another of the same group and id", 0.05, 0.5)
LONG_GROUPS = Limit("robots_few", "events lie in groups of more than 5,000 events on the day", 0.05)
SHARED_SESSIONS = Limit("sessions_of_one_user", "groups are of more than one signed-in user", 0.02)
ORDERS_WITHOUT_EVENT = Limit("orders_have_purchase_events", "completed orders have no purchase event", 0.02, 0.5)
EVENTS_WITHOUT_ORDER = Limit("purchase_events_have_orders", "orders named by purchase events are not there", 0.05)
REVENUE_WITHOUT_EVENT = Limit("revenue_reconciled", "revenue is of orders without a purchase event", 0.02, 0.5)

GROUP_EVENTS = 5_000
"""Above so many events of one day a group is no person's."""

WEEKS = 4
LEAST_WEEKS = 2
"""With fewer weeks of history the volume is not judged."""
ODD, WRONG = 2.0, 20.0
"""Factor away from the median at which the volume is odd, or surely wrong."""

SILENT_HOURS = 6
"""If the last record of the day is so long before its end, its producers may have stopped."""


def volume(rows: int, history: Sequence[int]) -> Check:
    """The check of a day's rows against those of the same weekday of the weeks before."""
    meaning = f"rows are within a factor of {ODD:g} of the same weekday's median"
    if len(history) < LEAST_WEEKS:
        return Check("volume_usual", Severity.WARN, meaning, True, 0, f"{rows} rows; too little history to judge")
    usual = median(history)
    factor = max(rows, 1) / max(usual, 1)
    away = max(factor, 1 / factor)
    severity = Severity.FAIL if away > WRONG else Severity.WARN
    return Check("volume_usual", severity, meaning, away <= ODD, 0, f"{rows} rows, usually {usual:g}")
