"""The identities of records that Kafka has acknowledged lately, as many as fit."""

from __future__ import annotations

from collections.abc import Iterable
from threading import Lock

from serving.gate.judging import Identity

REMEMBERED = 100_000


class Seen:
    """A bounded memory: what it has forgotten is sent again, and both layers drop it as the duplicate that it is."""

    def __init__(self, limit: int = REMEMBERED) -> None:
        self._limit = limit
        self._lock = Lock()
        self._known: dict[Identity, None] = {}

    def __contains__(self, identity: object) -> bool:
        return identity in self._known

    def add(self, identities: Iterable[Identity]) -> None:
        """Remember these, and forget the oldest where there are too many."""
        with self._lock:
            self._known.update(dict.fromkeys(identities))
            while len(self._known) > self._limit:
                del self._known[next(iter(self._known))]
