"""Threads for blocking calls, which never hold up the end of the process."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

_Result = TypeVar("_Result")
_Call = tuple[Callable[[], Any], Future[Any]]


class CallThreads:
    """Runs calls, one at a time in each of some daemon threads.

    A pool's threads are joined when the interpreter ends, so that a call that hangs would keep the process alive.
    """

    def __init__(self, name: str, count: int = 1) -> None:
        self._calls: SimpleQueue[_Call] = SimpleQueue()
        self._threads = [Thread(target=self._run, name=name, daemon=True) for _ in range(count)]
        self._started = False

    def call(self, function: Callable[[], _Result]) -> Future[_Result]:
        """Runs it in a thread; the future has what it returns or raises."""
        if not self._started:
            self._started = True
            for thread in self._threads:
                thread.start()
        future: Future[_Result] = Future()
        self._calls.put((function, future))
        return future

    def _run(self) -> None:
        while True:
            function, future = self._calls.get()
            try:
                future.set_result(function())
            except BaseException as raised:  # noqa: BLE001 - handed to whoever waits for the future
                future.set_exception(raised)
            del function, future  # what they hold would stay until the next call
