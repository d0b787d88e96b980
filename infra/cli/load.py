"""``rivermeet load``."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli._output import notes, progress

if TYPE_CHECKING:
    from infra.settings import Settings

REPORT_SECONDS = 5.0


def command(
    rate: Annotated[float, typer.Option("--rate", min=0.1, help="Events a second.")] = 5.0,
    seconds: Annotated[
        float | None, typer.Option("--seconds", min=0.1, help="Stop after this time; without it, at Ctrl-C.")
    ] = None,
) -> None:
    """Let shoppers visit now: send their events, and the orders they bring, as they happen.

    Example: [bold]rivermeet load --rate 20[/]
    """
    from infra.settings import load_settings

    sent = run(load_settings(), rate, seconds)
    notes.print(f"stopped; {sent} records were sent and acknowledged")


def run(settings: Settings, rate: float, seconds: float | None) -> int:
    """Send until the time is over or Ctrl-C comes; answers how many records were acknowledged."""
    from random import Random

    from infra.send import Sender
    from infra.simulator.load import live_load
    from infra.simulator.simulation import ShopSettings

    sender = Sender(settings)
    started = reported = time.monotonic()
    messages = live_load(ShopSettings(), Random(), rate, _now_ms, time.sleep)  # noqa: S311 - a shop, no secret
    with progress(f"{rate:g} events a second; Ctrl-C stops") as report:
        try:
            for message in messages:
                sender.send(message)
                now = time.monotonic()
                if seconds is not None and now - started >= seconds:
                    break
                if now - reported >= REPORT_SECONDS:
                    reported = now
                    report(f"{sender.sent} records sent")
        except KeyboardInterrupt:
            report("stopping")
    return sender.finish()


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
