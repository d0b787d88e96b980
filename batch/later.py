"""Modules that others import but hardly ever use, loaded when they are first used."""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType
from typing import Any


class Later(ModuleType):
    """A module that is found but not run. Unlike `importlib.util.LazyLoader` it stays so while it is only imported."""

    def __getattr__(self, name: str) -> Any:
        """Runs the module, which from then on is like any other."""
        found: Any = self.__spec__
        self.__class__ = ModuleType  # type: ignore[assignment]  # what it is from now on
        found.loader.exec_module(self)
        return getattr(self, name)


def import_later(name: str) -> None:
    """Whoever imports the module after this gets it at once, and pays for it at the first use of what it holds.

    Does nothing for a module that is imported already, or that is not there: whoever imports it hears of that.
    """
    spec = None if name in sys.modules else importlib.util.find_spec(name)
    if spec is not None:
        module = importlib.util.module_from_spec(spec)
        module.__class__ = Later
        sys.modules[name] = module
