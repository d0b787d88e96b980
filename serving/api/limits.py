"""How much a key may ask for: a bucket of tokens per key, filled at a steady rate. Clocks are the caller's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock

BURST_S = 2.0
_KEYS_REMEMBERED = 10_000


@dataclass
class _Bucket:
    tokens: float
    at: float


class Limiter:
    """At most `rate` tokens a second for each key, and `BURST_S` seconds' worth of them at once."""

    def __init__(self, rate: float, monotonic: Callable[[], float]) -> None:
        self._rate, self._monotonic = rate, monotonic
        self._lock = Lock()
        self._buckets: dict[str, _Bucket] = {}

    def take(self, key_id: str, tokens: int = 1) -> float:
        """0 if the tokens were there and are taken, else the seconds after which they will be; none is taken then.

        More tokens than a full bucket holds are had from a full one, which is then in debt.
        """
        with self._lock:
            bucket, full = self._filled(key_id), self._rate * BURST_S
            missing = min(tokens, full) - bucket.tokens
            if missing > 0:
                return missing / self._rate
            bucket.tokens -= tokens
            return 0.0

    def _filled(self, key_id: str) -> _Bucket:
        now, full = self._monotonic(), self._rate * BURST_S
        bucket = self._buckets.pop(key_id, None) or _Bucket(full, now)
        bucket.tokens = min(full, bucket.tokens + (now - bucket.at) * self._rate)
        bucket.at = now
        self._buckets[key_id] = bucket
        if len(self._buckets) > _KEYS_REMEMBERED:
            del self._buckets[next(iter(self._buckets))]
        return bucket


@dataclass(frozen=True)
class Limits:
    """The limits of requests, and of records that come in."""

    requests: Limiter
    records: Limiter
