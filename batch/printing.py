"""What a command answers, as lines or as one JSON document."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import asdict, is_dataclass
from typing import Any


def show(document: Any, as_json: bool) -> None:
    """Writes it to standard output."""
    plain = _plain(document)
    if as_json:
        sys.stdout.write(json.dumps(plain, indent=1) + "\n")
        return
    for one in plain if isinstance(plain, list) else [plain]:
        sys.stdout.write("\n".join(f"{name}: {_short(value)}" for name, value in one.items()) + "\n\n")


_PLAIN: tuple[tuple[type | tuple[type, ...], Callable[[Any], Any]], ...] = (
    (dict, lambda value: {str(name): _plain(part) for name, part in value.items()}),
    ((list, tuple, set, frozenset), lambda value: [_plain(part) for part in value]),
    ((int, float, str, bool, type(None)), lambda value: value),
)


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    return next((shape(value) for kinds, shape in _PLAIN if isinstance(value, kinds)), str(value))


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= _LINE else f"{text[:_LINE]}..."


_LINE = 200
