"""FEATURES.md, made from the catalogue: `python -m feature_store document` writes it, a test compares it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import timedelta
from pathlib import Path

from feature_store.catalogue import ENTITIES, ON_DEMAND, SERVICES, VIEWS, defaults, keys
from feature_store.model import Feature

FILE = Path(__file__).parent / "FEATURES.md"


def text() -> str:
    """The document."""
    return "\n".join(_lines()) + "\n"


def _lines() -> Iterator[str]:
    yield "# Features"
    yield ""
    yield "Made from [catalogue](catalogue) by `rivermeet features document`; do not edit. *default* is what"
    yield "training and serving take where nothing is known. *Normally within*: how old the newest value is."
    yield "*Known for*: how long a value counts."
    yield ""
    yield "| entity | join key | meaning |"
    yield "|---|---|---|"
    yield from (f"| {name} | `{key}` | {meaning} |" for name, (key, meaning) in ENTITIES.items())
    for view in VIEWS.values():
        yield ""
        yield f"## {view.name}"
        yield ""
        times = f"normally within {_span(view.freshness)}, known for {_span(view.max_age)}"
        yield f"{view.meaning} By {', '.join(f'`{key}`' for key in view.keys)}; from the {view.origin.value}, {times}."
        yield ""
        yield from _table(view.features)
    for one in ON_DEMAND.values():
        yield ""
        yield f"## {one.name}"
        yield ""
        request = ", ".join(f"`{feature.name}` ({_meaning(feature)})" for feature in one.request)
        yield f"{one.meaning} At the request{f'; send {request}' if request else ''}."
        yield ""
        yield from _table(one.features)
    yield ""
    yield "## Services"
    yield ""
    yield "| service | entity rows have | features | what for |"
    yield "|---|---|---|---|"
    for name, service in SERVICES.items():
        joined = ", ".join(f"`{key}`" for key in keys(name))
        yield f"| {name} | {joined} | {len(defaults(name))} | {service.meaning} |"


def _table(features: Iterable[Feature]) -> Iterator[str]:
    yield "| feature | type | default | meaning |"
    yield "|---|---|---|---|"
    for feature in features:
        default = list(feature.default) if isinstance(feature.default, tuple) else feature.default
        yield f"| `{feature.name}` | {feature.kind.value} | `{default!r}` | {_meaning(feature)} |"


def _meaning(feature: Feature) -> str:
    return f"{feature.meaning}, {feature.unit}" if feature.unit else feature.meaning


def _span(span: timedelta) -> str:
    seconds = int(span.total_seconds())
    for size, name in ((86_400, "days"), (3_600, "hours"), (60, "minutes")):
        if seconds % size == 0:
            return f"{seconds // size} {name}"
    return f"{seconds} seconds"
