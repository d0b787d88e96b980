"""The keys that open the API: those of the keys file, which is read again when it changes, and the stack's own."""

from __future__ import annotations

import hmac
import threading
from datetime import datetime
from pathlib import Path

from serving.keys import ALL_TENANTS, Key, find, parse

STACK_KEY_ID = "stack"


class KeyRing:
    """Finds the valid key that a caller sent. `stack_key` opens every tenant; empty: there is none."""

    def __init__(self, path: Path, stack_key: str = "") -> None:
        self._path = path
        self._stack_key = stack_key.encode()
        self._lock = threading.Lock()
        self._stamp: object = None
        self._keys: dict[str, Key] = {}

    def find(self, text: str, now: datetime) -> Key | None:
        """The key that the text is, None if it is none that is valid now. Raises `BadKeysFile`, OSError."""
        if self._stack_key and hmac.compare_digest(text.encode(), self._stack_key):
            return Key(STACK_KEY_ID, ALL_TENANTS, salt="", digest="", created_at=now, scopes=("read", "write"))
        return find(self._current(), text, now)

    def _current(self) -> dict[str, Key]:
        with self._lock:
            try:
                status = self._path.stat()
            except FileNotFoundError:
                return {}
            stamp = (status.st_ino, status.st_mtime_ns, status.st_size)
            if stamp != self._stamp:
                self._keys = parse(self._path.read_text())
                self._stamp = stamp
            return self._keys
