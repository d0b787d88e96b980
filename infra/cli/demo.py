"""``rivermeet demo``."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli._demo import show_group, show_rows, show_today, show_ways_in, step, tasks_line
from infra.cli._errors import CommandError
from infra.cli._output import notes, progress

if TYPE_CHECKING:
    from infra.demo.story import Story
    from infra.settings import Settings

LIVE_RATE = 5.0


def command(
    end: Annotated[
        bool, typer.Option("--exit", help="End the stack at last, instead of letting shoppers visit.")
    ] = False,
    seed: Annotated[
        int | None, typer.Option("--seed", help="Make the choices of another run again; they differ by default.")
    ] = None,
) -> None:
    """Start everything and show it on a simulated shop: three closed days and today, beside the truth.

    Today is answered by the speed layer within seconds. Airflow then publishes the closed days, and one late event
    changes the layer that answers for its session until the day is computed again. Every figure must be the one that
    the simulator expects, else the demo ends with exit code 1.

    Example: [bold]rivermeet demo[/] or [bold]rivermeet demo --exit[/]
    """
    from infra.demo.errors import DemoError
    from infra.settings import load_settings
    from infra.stack.run import down

    home = load_settings().home
    try:
        settings = _tell(home, seed)
        if not end:
            show_ways_in(settings)
            _live(settings)
    except DemoError as error:
        raise CommandError(str(error)) from error
    finally:
        if end:
            with progress("stopping"):
                down(home)
            notes.print("the stack is stopped; its data stays until `rivermeet down --wipe`")


def _tell(home: Path, seed: int | None) -> Settings:
    """The demo, step by step. What is needed last starts while the first steps are shown."""
    from infra.demo.story import Story
    from infra.settings import load_settings
    from infra.stack.run import up

    with ThreadPoolExecutor(1) as background:
        with step("Start Kafka, the registry, ClickHouse and the speed layer") as report:
            up(home, ["worker"], report)
        rest = background.submit(up, home, [], _quiet)
        story = Story(load_settings(home), seed, datetime.now(UTC))
        _open_days(story)
        with step("Start the rest: Cassandra, the API, Airflow"):
            rest.result()
    _closed_days(story)
    _late_event(story)
    notes.print("[bold green]Every figure is the truth.[/]")
    return load_settings(home)


def _open_days(story: Story) -> None:
    days = story.days
    with step(f"Simulate {days.closed[0]} to {days.open[-1]}, with late, repeated, disordered and broken records"):
        story.simulate()
    sent, twice, broken = (
        sum(counted.values()) for counted in (story.truth.sent, story.truth.duplicates, story.truth.dead_letters)
    )
    notes.print(f"{sent} records were sent: {twice} of them are duplicates, {broken} cannot be used")
    with step("Wait until the speed layer answers with the truth"):
        story.wait_for_truth()
    show_today(story.rows("daily_metrics", days.open))


def _closed_days(story: Story) -> None:
    days = story.days
    with step(f"Let Airflow publish {days.closed[0]} to {days.closed[-1]}") as report:
        story.run_dag(lambda tasks: report(tasks_line(tasks)))
    for view in ("daily_metrics", "daily_revenue"):
        show_rows(view, story.rows(view, [*days.closed, *days.open]))
    story.require_truth()


def _late_event(story: Story) -> None:
    event = story.late_event()
    seen = {"before": story.group(event)}
    with step(f"Send one late event to session {event.before.session_id} of {story.days.closed[-1]}"):
        story.send_late(event)
        seen["after the event"] = story.group(event)
    with step(f"Compute {story.days.closed[-1]} again"):
        story.recompute()
        seen["after the recompute"] = story.group(event)
    show_group(seen)
    story.require_layers(list(seen.values()))


def _live(settings: Settings) -> None:
    from infra.cli.load import run
    from infra.simulator.faults import GENTLE
    from infra.simulator.simulation import ShopSettings

    notes.print(f"Shoppers visit now, {LIVE_RATE:g} events a second. Ctrl-C ends their visits; the stack goes on.")
    sent, _ = run(settings, ShopSettings(shares=GENTLE), None, history=False, rate=LIVE_RATE, seconds=None)
    notes.print(f"{sent} records were sent. The stack still runs: `make down` ends it, its data stays.")


def _quiet(_line: str) -> None:
    """What starts in the background reports nothing: it would run into what is shown."""
