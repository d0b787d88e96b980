"""What the processor time of a worker goes into."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Stages(dict[str, float]):
    """Stage -> CPU seconds of the process since the start, all its threads included."""

    def __init__(self, clock: Callable[[], float] = time.process_time) -> None:
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
