"""What the processor time of a worker goes into."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stages(dict[str, float]):
    """Stage -> CPU seconds since the start, of the thread that is in it, or as `clock` says.

    Each stage belongs to one thread at a time. What polars does in threads of its own is in none.
    """

    def __init__(self, clock: Callable[[], float] = time.thread_time) -> None:
        super().__init__()
        self._clock = clock

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Counts what is spent in the block under a name."""
        began = self._clock()
        try:
            yield
        finally:
            self[name] = self.get(name, 0.0) + self._clock() - began
