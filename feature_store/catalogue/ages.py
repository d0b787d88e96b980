"""How old the newest value normally is, and for how long a value counts."""

from __future__ import annotations

from datetime import timedelta

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
NIGHTLY, WEEK = timedelta(hours=30), 7 * DAY
LIVE = timedelta(seconds=2)
SESSION_GAP, PRODUCT_WINDOW = 30 * MINUTE, 65 * MINUTE
