"""``rivermeet bench``: how fast the parts are on this machine, each measured on servers of its own."""

from __future__ import annotations

import json
import os
import signal
import sys
import tempfile
from pathlib import Path
from typing import Annotated, Any

import typer

from infra.cli._output import Json, notes, output, print_json, print_table, progress

app = typer.Typer(help="Measure the parts on servers of their own.", no_args_is_help=True)


@app.callback()
def bench() -> None:
    """Measure the parts on servers of their own; what runs already is left alone."""


@app.command()
def batch(
    events: Annotated[int, typer.Option(min=1_000, help="Events of the day.")] = 1_000_000,
    plain: Annotated[int, typer.Option(min=1_000, help="Events that the plain Spark job is given.")] = 300_000,
    full: Annotated[bool, typer.Option("--full", help="10 million events, and 1 million for the plain job.")] = False,
    as_json: Json = False,
) -> None:
    """A generated day through landing, recompute and publication, beside a plain Spark job."""
    from infra.bench.batch import measure

    # Whoever ends the command ends its servers with it.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))
    sizes = (10_000_000, 1_000_000) if full else (events, plain)
    with tempfile.TemporaryDirectory(prefix="rivermeet-bench-") as folder, progress("measuring") as report:
        found = measure(Path(folder) / "home", *sizes, report)
    if as_json:
        print_json(found)
    else:
        output.print_json(json.dumps(found))


@app.command()
def speed(
    full: Annotated[bool, typer.Option("--full", help="5 M events, and memory up to 2 M sessions: long.")] = False,
    events: Annotated[
        int | None, typer.Option("--events", min=10_000, help="User events of the whole function.")
    ] = None,
    others: Annotated[
        float | None, typer.Option("--others", min=0, help="Seconds for each app that is compared; 0 leaves them out.")
    ] = None,
    rate_seconds: Annotated[
        float | None, typer.Option("--rate-seconds", min=5, help="Seconds of each steady load.")
    ] = None,
    rates: Annotated[
        list[int] | None, typer.Option("--rate", help="A steady load, events a second; may repeat.")
    ] = None,
    workers: Annotated[list[int] | None, typer.Option("--workers", min=1, help="Workers; may repeat.")] = None,
) -> None:
    """Measure the speed layer: events a second, cost by stage, freshness, growth, and the usual ways beside it.

    Prints one JSON document. Example: [bold]rivermeet bench speed --events 1000000[/]
    """
    from dataclasses import replace

    from infra.bench.speed import FULL, SpeedOptions
    from infra.bench.speed import speed as measure
    from infra.settings import load_settings

    given: dict[str, Any] = {
        "events": events,
        "others_seconds": others,
        "rate_seconds": rate_seconds,
        "rates": tuple(rates) if rates else None,
        "workers": tuple(workers) if workers else None,
    }
    options = replace(FULL if full else SpeedOptions(), **{name: to for name, to in given.items() if to is not None})
    with progress("benchmark") as report:
        print_json(measure(options, load_settings().home / "bench", report))


@app.command()
def serve(
    full: Annotated[
        bool, typer.Option("--full", help="A million closed sessions and 200,000 open ones instead of a tenth of it.")
    ] = False,
    repeats: Annotated[int, typer.Option("--repeats", min=10, help="Times each question is asked, alone.")] = 200,
    seed: Annotated[int, typer.Option("--seed", help="The same seed makes the same store.")] = 7,
    as_json: Json = False,
) -> None:
    """Fill a store of its own with 30 closed days and an open one, and time the analysts' queries on it.

    Example: [bold]rivermeet bench serve --full --json[/]
    """
    from dataclasses import asdict
    from datetime import UTC, datetime

    from infra.bench.owner import bench_store
    from infra.bench.serve import Patience, measure, measure_together, of_open_day, questions
    from infra.bench.store import Size
    from infra.settings import load_settings

    size = Size() if full else Size(closed_sessions=100_000, open_sessions=20_000)
    today = datetime.now(UTC).date()
    with progress("filling a store") as report, bench_store(load_settings(), size, today, seed, report) as store:
        asked = questions(today, size.closed_sessions // size.closed_days)
        everything = (*asked, of_open_day(today))
        report("one reader")
        alone = measure(store, everything, Patience(repeats, seconds=50), seed)
        report("readers together, beside a load: who ask once a second, with the open day too, and again at once")
        # Of fewer than a hundred answers the 99th percentile is the slowest.
        once_a_second = Patience(repeats // 5, 150 if full else 60, pause=1.0)
        ways = (asked, once_a_second), (everything, once_a_second), (everything, Patience(repeats // 10, 40))
        paced, with_open_day, together = measure_together(store, ways, today, seed)
    document = {
        **alone,
        **{f"paced_{name}": value for name, value in paced.items()},
        **{f"paced_with_open_day_{name}": value for name, value in with_open_day.items()},
        **{f"concurrent_{name}": value for name, value in together.items()},
        **asdict(size),
        "load_average": round(os.getloadavg()[0], 1),
    }
    if as_json:
        print_json(document)
        return
    print_table(("figure", "value"), list(document.items()))
    notes.print("times in ms, over HTTP, as an analyst; a busy machine makes them greater")


@app.command()
def features(
    seconds: Annotated[int, typer.Option("--seconds", min=2, help="Seconds of steady updates, after 5.")] = 20,
    rate: Annotated[int, typer.Option("--rate", min=1, help="Updates a second.")] = 1_000,
    as_json: Json = False,
) -> None:
    """The feature store: reads in the process and over HTTP, updates taken in, and how old a value is when served."""
    from infra.bench.features import Size, measure

    with tempfile.TemporaryDirectory(prefix="rivermeet-bench-") as folder, progress("measuring") as report:
        found = measure(Path(folder) / "home", Size(seconds=seconds, rate=rate), report)
    if as_json:
        print_json(found)
    else:
        output.print_json(json.dumps(found))
