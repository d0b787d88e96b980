"""Overviews as they change, shared by all who watch the same one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from typing import Any

from pydantic_core import to_json
from starlette.concurrency import run_in_threadpool

from serving.api.problems import BUSY, Problem
from serving.dashboard.overview import Overview

MAX_WATCHERS = 200
PAUSE_SECONDS = 0.25
BEAT_SECONDS = 10.0
EVERY_SECONDS = 5.0
"""Figures that go by the clock, such as active sessions, change also when nothing comes in."""
_LONGEST_PAUSE = 5.0

Key = tuple[Any, ...]


@dataclass
class _Board:
    """One overview, the message that shows it, and who waits for the next one."""

    overview: Overview
    watchers: int = 0
    number: int = 0
    message: bytes = b""
    content: bytes = b""
    shown_at: float = float("-inf")
    read_at: float = float("-inf")
    mark: Any = None
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    task: asyncio.Task[None] | None = None

    async def refresh(self) -> None:
        """Reads again and again while anybody watches; a store that takes long is asked less often."""
        while self.watchers:
            began = time.monotonic()
            found = await self._read()
            if found:
                self._show(*found)
            took = time.monotonic() - began
            await asyncio.sleep(min(_LONGEST_PAUSE, max(PAUSE_SECONDS, took)))

    async def _read(self) -> tuple[str, bytes, bytes] | None:
        """The message's kind and text, and the part of it that matters; None if nothing can have changed."""
        try:
            mark = await run_in_threadpool(self.overview.moved)
            if mark == self.mark and time.monotonic() - self.read_at < EVERY_SECONDS:
                return None
            found = await run_in_threadpool(self.overview.read)
            self.mark, self.read_at = mark, time.monotonic()
        except Problem as problem:
            text = to_json({"type": problem.kind.type, "title": problem.kind.title, "detail": problem.detail})
            return "problem", text, text
        # Times move always; a watcher hears of them with the heartbeat.
        moving = {"until", "before_until", "provenance"}
        return "overview", to_json(found), to_json({name: part for name, part in found.items() if name not in moving})

    def _show(self, kind: str, text: bytes, content: bytes) -> None:
        beat = time.monotonic() - self.shown_at > BEAT_SECONDS
        if content == self.content and not beat:
            return
        self.shown_at = time.monotonic()
        self.number += 1
        self.content = content
        self.message = b"event: %s\nid: %d\ndata: %s\n\n" % (kind.encode(), self.number, text)
        self.changed.set()
        self.changed = asyncio.Event()


class Live:
    """The overviews that are watched."""

    def __init__(self) -> None:
        self._boards: dict[Key, _Board] = {}

    @property
    def watchers(self) -> int:
        """Connections that watch now."""
        return sum(board.watchers for board in self._boards.values())

    def watch(self, key: Key, make: Callable[[], Overview]) -> AsyncIterator[bytes]:
        """Server-sent events of an overview: the present one at once, then each that differs. Raises `Problem`."""
        if self.watchers >= MAX_WATCHERS:
            raise Problem(BUSY, "too many watch already; ask again")
        board = self._boards.setdefault(key, _Board(make()))
        board.watchers += 1
        return self._events(key, board)

    async def _events(self, key: Key, board: _Board) -> AsyncIterator[bytes]:
        try:
            if board.task is None or board.task.done():
                board.task = asyncio.create_task(board.refresh())
            changed = board.changed
            yield b"retry: 1000\n\n" + board.message
            while True:
                try:
                    await asyncio.wait_for(changed.wait(), BEAT_SECONDS)
                except TimeoutError:
                    yield b": nothing new\n\n"
                    continue
                changed = board.changed
                yield board.message
        finally:
            board.watchers -= 1
            if not board.watchers:
                self._boards.pop(key, None)
