"""Examples of rows for the OpenAPI document, made from their fields so that they cannot fall out of step."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, get_args

from pydantic import ConfigDict

_BY_NAME: dict[str, Any] = {
    "tenant_id": "default",
    "currency": "EUR",
    "session_id": "3f0c9a52",
    "product_id": "sku-1042",
    "user_id": "u-77",
    "visitor_id": "u-77",
    "platform": "web",
    "device_class": "mobile",
    "country": "SE",
    "products": ["sku-1042", "sku-7"],
    "experiments": ["checkout=b"],
    "layer": "merged",
    "entry_page": "/home",
    "exit_page": "/checkout",
    "dataset": "events",
    "snapshot_id": "6129003487716634921",
    "cut": {"0": 4817},
}
_BY_TYPE: dict[Any, Any] = {
    int: 12,
    float: 0.25,
    bool: True,
    str: "a1b2c3",
    date: "2026-01-31",
    datetime: "2026-01-31T10:20:00Z",
}


def example_of(fields: Mapping[str, Any]) -> ConfigDict:
    """Configuration of a model with these fields (name -> (type, Field)) that shows one example."""
    return ConfigDict(json_schema_extra={"examples": [{name: _value(name, of[0]) for name, of in fields.items()}]})


def _value(name: str, kind: Any) -> Any:
    if name in _BY_NAME:
        return _BY_NAME[name]
    return next((_BY_TYPE[part] for part in (kind, *get_args(kind)) if part in _BY_TYPE), None)
