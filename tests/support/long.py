"""Tests that take minutes, and run only where they are asked for."""

from __future__ import annotations

import os

import pytest

LONG = "RIVERMEET_LONG_TESTS" in os.environ
in_long_runs = pytest.mark.skipif(not LONG, reason="takes minutes: set RIVERMEET_LONG_TESTS=1")
