"""What the processor time of a worker goes into."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stages(dict[str, float]):
    """Stage -> CPU seconds since the start. Each stage belongs to one thread at a time."""

    @contextmanager
    def __call__(self, name: str, clock: Callable[[], float] = time.process_time) -> Iterator[None]:
        """Counts what is spent in the block under a name: by all threads of the process, or as `clock` says."""
        began = clock()
        try:
            yield
        finally:
            self[name] = self.get(name, 0.0) + clock() - began
