"""``rivermeet features``: the commands of ``python -m feature_store``."""

from __future__ import annotations

from feature_store.cli import app

__all__ = ["app"]
