"""One thread for blocking calls, which never holds up the end of the process."""

import asyncio
from collections.abc import Callable
from queue import SimpleQueue
from threading import Thread

_Call = tuple[Callable[[], None], "asyncio.Future[None]", asyncio.AbstractEventLoop]


class CallThread:
    """Runs calls one after the other in one daemon thread.

    A pool's threads are joined when the interpreter ends, so that a call that hangs would keep the process alive.
    """

    def __init__(self, name: str) -> None:
        self._calls: SimpleQueue[_Call] = SimpleQueue()
        self._thread = Thread(target=self._run, name=name, daemon=True)

    def call(self, function: Callable[[], None]) -> "asyncio.Future[None]":
        """Run it in the thread; the future of the running loop ends with its end."""
        if not self._thread.is_alive():
            self._thread.start()
        loop = asyncio.get_running_loop()
        future = loop.create_future()
        self._calls.put((function, future, loop))
        return future

    def _run(self) -> None:
        while True:
            function, future, loop = self._calls.get()
            error: BaseException | None = None
            try:
                function()
            except BaseException as raised:  # noqa: BLE001 - handed to whoever waits for the future
                error = raised
            if not loop.is_closed():
                loop.call_soon_threadsafe(_resolve, future, error)


def _resolve(future: "asyncio.Future[None]", error: BaseException | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(None)
    else:
        future.set_exception(error)
