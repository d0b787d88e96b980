"""``rivermeet batch``: the commands of ``python -m batch``."""

from __future__ import annotations

from batch.cli import app

__all__ = ["app"]
