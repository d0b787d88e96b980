"""What the demo shows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from infra.cli._output import notes, output, print_table, progress

if TYPE_CHECKING:
    from infra.demo.airflow import Task
    from infra.demo.answers import Row
    from infra.demo.story import Group
    from infra.settings import Settings

# As many as fit on a terminal; all of them are compared.
FIGURES = {
    "daily_metrics": ("sessions", "page_views", "conversions"),
    "daily_revenue": ("orders", "refunds", "net_revenue_minor"),
}


@contextmanager
def step(title: str) -> Iterator[Callable[[str], None]]:
    """Shows a step while it goes on and its time at the end; gives a function to report with, which tells changes."""
    began = time.monotonic()
    told = ""
    with progress(title) as report:

        def tell(line: str) -> None:
            nonlocal told
            if line != told:
                told = line
                report(line)

        yield tell
    notes.print(f"[bold]{title}[/]: {time.monotonic() - began:.1f} s")


def tasks_line(tasks: Sequence[Task]) -> str:
    """How a run's tasks stand, those that have begun."""
    return (
        ", ".join(f"{task.name} {task.state}" for task in tasks if task.state in ("running", "failed"))
        or "waiting for a free worker"
    )


def show_today(rows: Sequence[Row]) -> None:
    """The open days, as the speed layer answers for them."""
    _show("Today, from the speed layer (found = expected)", "daily_metrics", rows)


def show_rows(view: str, rows: Sequence[Row]) -> None:
    """Rows of a view beside the truth."""
    _show(f"{view} (found = expected)", view, rows)


def _show(title: str, view: str, rows: Sequence[Row]) -> None:
    output.print(f"\n[bold]{title}[/]")
    keys = ("tenant", "day", "")[: len(rows[0].key)] if rows else ()
    figures = FIGURES[view]
    names = (name.removesuffix("_revenue_minor").replace("_", " ") for name in figures)
    cells = [(*row.key, *_where(row), *(_beside(row, name) for name in figures)) for row in rows]
    print_table((*keys, "layer", "version", *names), cells)
    output.print()


def _where(row: Row) -> tuple[object, object]:
    found = row.found or {}
    return found.get("layer"), found.get("publication_version")


def _beside(row: Row, name: str) -> str:
    found, true = (None if side is None else side[name] for side in (row.found, row.true))
    return f"{_figure(found)} {'!=' if name in row.differing else '='} {_figure(true)}"


def _figure(value: Any) -> str:
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def show_group(seen: Mapping[str, Group]) -> None:
    """Where the answer for one session and its day came from, over time."""
    output.print("\n[bold]One session and its day[/]")
    print_table(
        ("", "session from", "page views", "day from", "version", "late groups"),
        [(when, " ".join(g.layers), g.page_views, g.day_layer, g.version, g.late_groups) for when, g in seen.items()],
    )
    output.print()


def show_ways_in(settings: Settings) -> None:
    """Addresses and commands for what one does next."""
    api, clickhouse = f"http://{settings.api.host}:{settings.api.port}", settings.clickhouse
    airflow = f"http://{settings.airflow.host}:{settings.airflow.port}"
    record = settings.home / "stack.json"
    print_table(
        ("what", "where"),
        [
            ("API, explained", f"{api}/docs   (key: api.key in {record})"),
            ("Airflow", f"{airflow}   (user {settings.airflow.user}, password: airflow.password in {record})"),
            (
                "ClickHouse",
                f"http://{clickhouse.host}:{clickhouse.port}   (user analyst, database {clickhouse.database})",
            ),
            ("a question", 'rivermeet sql "SELECT * FROM daily_metrics ORDER BY day DESC, tenant_id LIMIT 9"'),
            ("every record accounted for", "rivermeet status"),
        ],
    )
