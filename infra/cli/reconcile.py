"""``rivermeet reconcile``: the same as ``rivermeet batch reconcile``."""

from __future__ import annotations

from batch.cli import reconcile as command

__all__ = ["command"]
