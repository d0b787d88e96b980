"""``rivermeet backfill``: the same as ``rivermeet batch backfill``."""

from __future__ import annotations

from batch.cli import backfill as command

__all__ = ["command"]
