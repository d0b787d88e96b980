"""Where the reading of a partition stands, and what to do with records that do not begin there."""

from dataclasses import dataclass
from enum import Enum, auto


class Verdict(Enum):
    """What to do with a fetch."""

    TAKE = auto()
    SEEK_BACK = auto()
    STALE = auto()


@dataclass(slots=True)
class Reading:
    """One partition since it was assigned, read from `begin`: `position` is the next offset to be handed on.

    The client's own position moves on even when a fetch is lost on its way (a cancelled call, a rebalance), so a fetch
    that begins past `position` proves nothing about the log. It is thrown away and read again from `position`; if the
    broker then begins past it too, the records between do not exist. `sought` says that the next fetch is such an
    answer: the client was sent to `position`, and no other fetch was under way then or has ended since.
    """

    begin: int
    position: int
    append_floor: int
    sought: bool

    def judge(self, first: int, last: int) -> Verdict:
        """The verdict on the next fetch, from the offsets of its first and last record."""
        answers, self.sought = self.sought, False
        if last < self.position:
            return Verdict.STALE
        return Verdict.TAKE if answers or first <= self.position else Verdict.SEEK_BACK

    def first_offset(self, first: int, log_start: int) -> int:
        """The lower end of what a fetch from `position` covers, its first record being `first`.

        Records between are gone by compaction (covered) unless the log now starts past `position` (a hole).
        """
        return max(self.position, min(first, log_start))

    def took(self, next_offset: int, append_time: int) -> None:
        """Move on: everything below `next_offset` was handed on; `append_time` is the greatest there (ms)."""
        self.position, self.append_floor = next_offset, append_time
