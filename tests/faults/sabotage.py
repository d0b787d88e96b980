"""Mechanisms taken away from a worker, from outside: each must be seen by the suite (`test_controls.py`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

SABOTAGES: Mapping[str, Callable[[], None]] = {}
"""Name -> what is done to the process before the worker starts."""
