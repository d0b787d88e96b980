"""``rivermeet load``."""

from __future__ import annotations

import json as json_module
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated, Any

import typer

from infra.cli._output import Json, notes, print_json, progress

if TYPE_CHECKING:
    from random import Random

    from infra.send import Sender
    from infra.settings import Settings
    from infra.simulator.simulation import ShopSettings
    from infra.simulator.truth import Truth

REPORT_SECONDS = 5.0
RATE = 5.0
SEEDS = 1_000_000

Rate = Annotated[
    float | None, typer.Option("--rate", min=0.1, help=f"Events a second of shoppers of now; {RATE:g} by default.")
]
Seconds = Annotated[
    float | None, typer.Option("--seconds", min=0.1, help="How long they visit; without it, until Ctrl-C.")
]
DaysBack = Annotated[
    int | None,
    typer.Option("--days-back", min=0, max=7, help="First send so many closed days and today so far, all at once."),
]
Visits = Annotated[int, typer.Option("--visits", min=1, help="Visits on each of those days.")]
Seed = Annotated[int | None, typer.Option("--seed", help="The same seed, the same shop; drawn and told by default.")]
Suffix = Annotated[str, typer.Option("--suffix", help="Put after the names of the tenants, to have new ones.")]
TruthFile = Annotated[
    Path | None, typer.Option("--truth", dir_okay=False, help="Where the expected answers go; <home>/truth by default.")
]


def _share(name: str, text: str) -> Any:
    return typer.Option(name, min=0.0, max=1.0, help=f"Share of records {text}.")


def command(
    rate: Rate = None,
    seconds: Seconds = None,
    days_back: DaysBack = None,
    visits: Visits = 1_000,
    seed: Seed = None,
    out_of_order: Annotated[float, _share("--out-of-order", "received up to a minute after they happened")] = 0.0,
    late: Annotated[float, _share("--late", "received a minute to 5 days after (at the end, if it comes first)")] = 0.0,
    duplicates: Annotated[float, _share("--duplicates", "sent twice")] = 0.0,
    broken: Annotated[float, _share("--broken", "followed by one that nobody can use")] = 0.0,
    suffix: Suffix = "",
    truth: TruthFile = None,
    json: Json = False,
) -> None:
    """Let simulated shoppers visit, and write down what any answer about them must be.

    Shoppers of now send their events and orders as they happen. With --days-back those of earlier days come first, and
    nobody after them unless --rate or --seconds ask for it. The expected figures, by tenant and day, are those of this
    load alone: on a stack with other data give the tenants names of their own with --suffix.

    Example: [bold]rivermeet load --days-back 3 --late 0.02 --duplicates 0.01 --seed 7[/]
    """
    from random import SystemRandom

    from infra.settings import load_settings
    from infra.simulator.catalogue import tenants
    from infra.simulator.faults import GENTLE
    from infra.simulator.simulation import ShopSettings

    settings = load_settings()
    seed = SystemRandom().randrange(SEEDS) if seed is None else seed
    shop = ShopSettings(
        closed_days=days_back or 0,
        visits_per_day=visits,
        tenants=tenants(suffix),
        shares=replace(GENTLE, out_of_order=out_of_order, late=late, resent=duplicates, broken=broken),
    )
    live = days_back is None or rate is not None or seconds is not None
    sent, expected = run(
        settings, shop, seed, history=days_back is not None, rate=(rate or RATE) if live else None, seconds=seconds
    )
    file = truth or settings.home / "truth" / f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}.json"
    _write(expected, file)
    if json:
        print_json({"records": sent, "seed": seed, "truth": file})
    else:
        notes.print(f"{sent} records were sent and acknowledged (seed {seed}); what must come out is in {file}")


def run(
    settings: Settings,
    shop: ShopSettings,
    seed: int | None,
    *,
    history: bool,
    rate: float | None,
    seconds: float | None,
) -> tuple[int, Truth]:
    """Send days gone by, or what happens now at some rate, or one after the other.

    Answers how many records were acknowledged, and the truth. Ctrl-C ends the visits of now.
    """
    from random import Random

    from infra.send import Sender
    from infra.simulator.truth import Truth

    rng, sender, truth = Random(seed), Sender(settings), Truth()  # noqa: S311 - a shop, no secret
    if history:
        with progress("sending days gone by"):
            truth = _history(sender, shop, rng)
    if rate is not None:
        with progress(f"{rate:g} events a second; Ctrl-C stops") as report:
            _live(sender, shop, rng, rate, seconds, truth, report)
    return sender.finish(), truth


def _history(sender: Sender, shop: ShopSettings, rng: Random) -> Truth:
    from infra.simulator.simulation import Simulation
    from infra.simulator.surroundings import Amounts, surroundings_of_days

    now_ms = _now_ms()
    simulation = Simulation(shop, rng, now_ms)
    for message in chain(simulation.messages(), surroundings_of_days(rng, shop, now_ms, Amounts())):
        sender.send(message)
    return simulation.truth


def _live(
    sender: Sender,
    shop: ShopSettings,
    rng: Random,
    rate: float,
    seconds: float | None,
    truth: Truth,
    report: Callable[[str], None],
) -> None:
    from infra.simulator.load import LiveLoad

    stop = Event()
    before = signal.signal(signal.SIGINT, lambda _number, _frame: stop.set())
    began = reported = time.monotonic()
    load = LiveLoad(shop, rng, rate, _now_ms, stop.wait, truth)
    try:
        for due in load.due():
            for message in due:
                sender.send(message)
            now = time.monotonic()
            if stop.is_set() or (seconds is not None and now - began >= seconds):
                break
            if now - reported >= REPORT_SECONDS:
                reported = now
                report(f"{sender.sent} records sent")
    finally:
        signal.signal(signal.SIGINT, before)
    for message in load.rest():
        sender.send(message)


def _write(truth: Truth, file: Path) -> None:
    """The expected rows of the views, and the records by topic, as one JSON document."""
    from dataclasses import asdict

    metrics = [{"tenant_id": tenant, "day": day} | asdict(row) for (tenant, day), row in truth.daily_metrics().items()]
    revenue = [
        {"tenant_id": tenant, "day": day, "currency": currency} | asdict(row)
        for (tenant, day, currency), row in truth.daily_revenue().items()
    ]
    counts = {"sent": truth.sent, "duplicates": truth.duplicates, "dead_letters": truth.dead_letters}
    file.parent.mkdir(parents=True, exist_ok=True)
    document = {"daily_metrics": metrics, "daily_revenue": revenue, **counts}
    file.write_text(json_module.dumps(document, indent=2, default=str) + "\n")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
