"""The consistency check: reads sampled keys as any model would, logs what was served, and asks the history about the
same moment. What it finds stands in `feature_consistency`; with nothing lost every count there is 0.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import polars as pl

from feature_store.catalogue import VIEWS
from feature_store.checking import Sample, Verdict, as_json, verdict
from feature_store.materialize import TYPES
from feature_store.model import Origin, View
from infra.clients.clickhouse import Client, insert, select

if TYPE_CHECKING:
    from feature_store.feast_import import FeatureStore

SHARE, OF = 100, 1000
LIMIT = 2_000
FLIGHT = timedelta(seconds=2)
"""How long a value may be under way between the history and the online store: either answer is right then."""
_TIME = pl.Datetime("ms", "UTC")


@dataclass(frozen=True)
class Check:
    """A finished check."""

    check_id: str
    verdicts: tuple[Verdict, ...]

    @property
    def passed(self) -> bool:
        """Served and history agree in everything that was sampled."""
        return all(one.passed for one in self.verdicts)


def check(
    client: Client, store: FeatureStore, check_id: str, clock: Callable[[], datetime], share: int = SHARE
) -> Check:
    """Sample `share` of 1,000 keys of every view by their hash, at most `LIMIT`, and compare. Raises
    `StoreUnavailable`, and what Cassandra's driver raises."""
    verdicts: list[Verdict] = []
    for view in VIEWS.values():
        samples = _samples(client, store, view, check_id, clock, share)
        verdicts.extend(verdict(view.name, feature.name, samples) for feature in view.features)
    _keep(client, check_id, verdicts, clock())
    return Check(check_id, tuple(verdicts))


def _samples(
    client: Client, store: FeatureStore, view: View, check_id: str, clock: Callable[[], datetime], share: int
) -> list[Sample]:
    entities = _entities(client, view, clock() - view.max_age, share)
    if not entities:
        return []
    began = clock()
    served = _served(store, view, entities)
    ended = clock()
    _log(client, view, check_id, began, ended, entities, served)
    moments = (began - FLIGHT, began, ended)
    history = [_history(client, view, at, share) for at in moments]
    return [
        Sample(view.name, entity, served[entity], tuple(known.get(entity) for known in history)) for entity in entities
    ]


def _entities(client: Client, view: View, since: datetime, share: int) -> list[tuple[str, ...]]:
    keys = ", ".join(view.keys)
    sql = (
        f"SELECT DISTINCT {keys} FROM ({view.query}) WHERE {_sampled(view, share)}"
        f" AND event_time >= {{since:DateTime64(3, 'UTC')}} ORDER BY {keys} LIMIT {LIMIT}"
    )
    return list(select(client, sql, dict.fromkeys(view.keys, pl.String()), {"since": since}).iter_rows())


def _sampled(view: View, share: int) -> str:
    return f"cityHash64({', '.join(view.keys)}) % {OF} < {share}"


def _served(
    store: FeatureStore, view: View, entities: Sequence[tuple[str, ...]]
) -> dict[tuple[str, ...], dict[str, Any] | None]:
    """What a model is given of each entity; None where it is given nothing."""
    rows = [dict(zip(view.keys, entity, strict=True)) for entity in entities]
    references = [f"{view.name}:{feature.name}" for feature in view.features]
    columns = store.get_online_features(features=references, entity_rows=rows).to_dict()
    names = [feature.name for feature in view.features]
    found = {}
    for place, entity in enumerate(entities):
        values = {name: columns[name][place] for name in names}
        found[entity] = None if all(value is None for value in values.values()) else values
    return found


def _history(client: Client, view: View, at: datetime, share: int) -> Mapping[tuple[str, ...], dict[str, Any] | None]:
    """What the history says was online at a moment: the newest value of those that had been put there by then."""
    names = [feature.name for feature in view.features]
    keys, chosen = ", ".join(view.keys), ", ".join(names)
    sql = (
        f"SELECT {keys}, {chosen} FROM ({_put_online(view)}) WHERE {_sampled(view, share)}"
        f" AND event_time >= {{oldest:DateTime64(3, 'UTC')}}"
        f" ORDER BY event_time DESC, created_at DESC LIMIT 1 BY {keys}"
    )
    columns = dict.fromkeys(view.keys, pl.String()) | {feature.name: TYPES[feature.kind] for feature in view.features}
    rows = select(client, sql, columns, {"at": at, "oldest": at - view.max_age}).iter_rows(named=True)
    found: dict[tuple[str, ...], dict[str, Any] | None] = {}
    for row in rows:
        values = {name: row[name] for name in names}
        found[tuple(row[key] for key in view.keys)] = values if any(v is not None for v in values.values()) else None
    return found


def _put_online(view: View) -> str:
    """The history without what was not online yet: streams say it by row, loads by their materialisation."""
    if view.origin is Origin.STREAM:
        return view.query.replace(" FINAL ", " FINAL PREWHERE pushed_at <= {at:DateTime64(3, 'UTC')} ", 1)
    online = "SELECT day, version FROM feature_materializations WHERE finished_at <= {at:DateTime64(3, 'UTC')}"
    return view.query.replace("SELECT day, version FROM batch_feature_loads", online)


def _log(
    client: Client,
    view: View,
    check_id: str,
    began: datetime,
    ended: datetime,
    entities: Sequence[tuple[str, ...]],
    served: Mapping[tuple[str, ...], Mapping[str, Any] | None],
) -> None:
    rows = [
        {"entity": list(entity), "feature": feature.name, "value": as_json((served[entity] or {}).get(feature.name))}
        for entity in entities
        for feature in view.features
    ]
    schema = {"entity": pl.List(pl.String), "feature": pl.String(), "value": pl.String()}
    frame = pl.DataFrame(rows, schema=schema).with_columns(
        check_id=pl.lit(check_id),
        served_at=pl.lit(began).cast(_TIME),
        answered_at=pl.lit(ended).cast(_TIME),
        view=pl.lit(view.name),
    )
    insert(client, "feature_served", frame)


def _keep(client: Client, check_id: str, verdicts: Sequence[Verdict], at: datetime) -> None:
    counts = ("compared", "mismatched", "missing", "extra")
    rows = [
        {"view": one.view, "feature": one.feature, **{name: getattr(one, name) for name in counts}}
        | {"smape": one.smape, "passed": one.passed}
        for one in verdicts
    ]
    schema = {
        **dict.fromkeys(("view", "feature"), pl.String()),
        **dict.fromkeys(counts, pl.UInt64()),
        "smape": pl.Float64(),
        "passed": pl.Boolean(),
    }
    frame = pl.DataFrame(rows, schema=schema).with_columns(check_id=pl.lit(check_id), checked_at=pl.lit(at).cast(_TIME))
    insert(client, "feature_consistency", frame)
