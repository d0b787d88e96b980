"""Memory that a process gives back to the system only to take it anew costs more than what is done with it.

Frames of some megabytes come and go with every tick. By themselves the allocators of polars and Arrow return such
memory within half a second, and the system hands each page out again emptied: a third of what an event cost.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

KEPT_MS = 60_000
MEMORY_KEPT: Mapping[str, str] = {
    "_RJEM_MALLOC_CONF": f"dirty_decay_ms:{KEPT_MS},muzzy_decay_ms:{KEPT_MS}",
    "MIMALLOC_PURGE_DELAY": str(KEPT_MS),
}
"""The environment in which freed memory stays for a minute with polars (jemalloc) and Arrow (mimalloc)."""


def keep_memory() -> None:
    """Applies `MEMORY_KEPT`, unless the environment says otherwise, to libraries that are not yet imported."""
    for name, value in MEMORY_KEPT.items():
        os.environ.setdefault(name, value)
