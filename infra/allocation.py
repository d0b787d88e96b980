"""Memory that a process gives back to the system only to take it anew costs more than what is done with it.

Frames of some megabytes come and go with every tick. By themselves the allocators of polars, Arrow and numpy return
such memory at once or within half a second, and the system hands each page out again emptied: a third of what an event
cost.
"""

from __future__ import annotations

import ctypes
import gc
import os
from collections.abc import Mapping

KEPT_MS = 2_000
_ARENAS = 2
"""Of jemalloc. What one thread has freed is of use to its arena only; by itself there are four for each core."""
MEMORY_KEPT: Mapping[str, str] = {
    "_RJEM_MALLOC_CONF": f"narenas:{_ARENAS},dirty_decay_ms:{KEPT_MS},muzzy_decay_ms:{KEPT_MS}",
    "MIMALLOC_PURGE_DELAY": str(KEPT_MS),
}
"""The environment in which freed memory stays for some ticks with polars (jemalloc) and Arrow (mimalloc)."""

_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_THRESHOLD, _M_ARENA_MAX = -1, -2, -3, -8
_MALLOC = {_M_TRIM_THRESHOLD: 128 << 20, _M_TOP_PAD: 16 << 20, _M_MMAP_THRESHOLD: 32 << 20, _M_ARENA_MAX: 1}
"""For numpy, by glibc's malloc.h: what arrays below 32 MiB leave is taken by the next ones, also of other threads,
which come one at a time as the interpreter runs. More the library does not allow; its own beginning is 128 KiB."""

_COLLECT = 400_000, 50, 100


def keep_memory() -> None:
    """Applies `MEMORY_KEPT`, unless the environment says otherwise, to libraries that are not yet imported; and the
    like to the C library, where that is glibc."""
    for name, value in MEMORY_KEPT.items():
        os.environ.setdefault(name, value)
    set_option = getattr(ctypes.CDLL(None), "mallopt", None)
    if set_option:
        for option, octets in _MALLOC.items():
            set_option(option, octets)


def give_back() -> None:
    """Returns to the system what the C library has free between what is in use; other threads may go on meanwhile.

    Arrays that come and go leave room between those that stay: a sixth of what a worker with a million sessions takes.
    """
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim:
        trim(0)


def collect_rarely() -> None:
    """Looks for garbage in cycles more seldom than Python does by itself, and not among what is there already.

    Slices are lists of many objects without cycles: looking through them often is waste.
    """
    gc.freeze()
    gc.set_threshold(*_COLLECT)
