"""Importing what a process and its forks will keep."""

from __future__ import annotations

import gc
import importlib
from collections.abc import Iterable


def load(modules: Iterable[str]) -> None:
    """Import modules without collecting garbage meanwhile, and never look at what they left again.

    All of it stays: to look for garbage in it while it grows takes a third of the time, and would later write into
    pages that forks share.
    """
    gc.disable()
    for module in modules:
        importlib.import_module(module)
    gc.freeze()
    gc.enable()
