"""The commands of the feature store: `python -m feature_store ...`, also as `rivermeet features ...`.

Each is safe to run again. With `--json` it prints one document. What is heavy is imported when a command runs.
"""

from __future__ import annotations

import json
import logging
import shlex
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime
from enum import IntEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from feature_store.feast_import import FeatureStore
    from infra.clients.clickhouse import Client
    from infra.settings import Settings


class Code(IntEnum):
    """Exit codes; 2 is a wrong command line."""

    FAILED = 1
    NOT_REACHED = 3
    GATE_REFUSED = 4
    DIFFERS = 5


EPILOG = (
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 a server did not answer, 4 the gate refused a load, "
    "5 served values differ from the history."
)
app = typer.Typer(help="Serve, materialise, check and forget features.", epilog=EPILOG, no_args_is_help=True)
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead, for scripts.")]


@app.command()
def env() -> None:
    """Print the variables of feature_store.yaml for a shell, so that Feast's own commands work in the folder.

    Example: [bold]eval "$(rivermeet features env)" && cd feature_store && feast apply[/]
    """
    from feature_store.config import environment, registry_file
    from infra.settings import load_settings

    settings = load_settings()
    registry_file(settings).parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    for name, value in environment(settings).items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")


@app.command()
def document() -> None:
    """Write FEATURES.md from the catalogue."""
    from feature_store import documents

    documents.FILE.write_text(documents.text())


@app.command()
def apply() -> None:
    """Bring Feast's registry and the online tables to what the catalogue says."""
    from feature_store.config import apply as applied

    with _opened() as (_, _, store):
        applied(store)


@app.command()
def serve() -> None:
    """Serve features over HTTP on loopback, as `feast serve` does, until told to stop."""
    from feature_store.server import serve as served
    from infra.settings import load_settings

    with _told():
        served(load_settings())


@app.command()
def push() -> None:
    """Put what the stream says online, until told to stop."""
    from feature_store.pushing import Stop, run
    from infra.settings import load_settings

    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    stop = Stop()
    stop.listen()
    with _told():
        run(load_settings(), stop)


@app.command()
def materialize(
    day: Annotated[
        list[datetime] | None, typer.Option("--day", formats=["%Y-%m-%d"], help="These days again; may be repeated.")
    ] = None,
    accept: Annotated[bool, typer.Option("--accept", help="Also loads that the gate refuses.")] = False,
    as_json: Json = False,
) -> None:
    """Put the loads of batch features online that are not there yet. Exits with 4 if the gate refuses one."""
    from feature_store.drift import Limits
    from feature_store.materialize import materialize as put
    from feature_store.materialize import utc_now
    from feature_store.writing import OnlineWriter

    with _opened() as (_, client, store):
        days = [one.date() for one in day or ()]
        done = put(client, OnlineWriter(store), Limits(), utc_now, accept=accept, days=days)
    _print([asdict(one) for one in done], as_json, "every published load is online")


@app.command()
def report(as_json: Json = False) -> None:
    """Show the last loads, what the gate said of them, and when they came online."""
    from feature_store.reports import loads

    with _opened() as (_, client, _):
        _print(loads(client), as_json, "no load of features is published")


@app.command()
def consistency(
    share: Annotated[int, typer.Option("--share", min=1, max=1000, help="Of 1,000 keys, how many.")] = 100,
    as_json: Json = False,
) -> None:
    """Hold served values against the history of the same moment. Exits with 5 if anything differs."""
    import uuid

    from feature_store.consistency import check
    from feature_store.materialize import utc_now

    with _opened() as (_, client, store):
        found = check(client, store, uuid.uuid4().hex, utc_now, share)
    _print([asdict(one) for one in found.verdicts], as_json, "there is nothing to compare")
    if not found.passed:
        raise typer.Exit(Code.DIFFERS)


@app.command()
def forget(
    user: Annotated[str, typer.Option("--user", help="The user.")],
    tenant: Annotated[str, typer.Option("--tenant", help="The customer that the user belongs to.")] = "default",
    as_json: Json = False,
) -> None:
    """Delete a user's features online and offline, and prove it by reading back."""
    from feature_store.erasure import forget as forgotten
    from feature_store.materialize import utc_now
    from feature_store.writing import OnlineWriter

    with _opened() as (_, client, store):
        done = forgotten(client, OnlineWriter(store), tenant, user, int(utc_now().timestamp() * 1000))
    _print(
        [{"where": where, "deleted": n, "left": 0} for where, n in (done.offline | done.online).items()], as_json, ""
    )


@contextmanager
def _opened() -> Iterator[tuple[Settings, Client, FeatureStore]]:
    """Both stores, and errors that are meant for people told in a sentence."""
    from feature_store.config import close, open_store
    from infra.clients.clickhouse import connect
    from infra.settings import load_settings

    logging.basicConfig(level=logging.ERROR, format="%(message)s", stream=sys.stderr)
    with _told():
        settings = load_settings()
        client, store = connect(settings.clickhouse), open_store(settings)
        try:
            yield settings, client, store
        finally:
            close(store)
            client.close()


@contextmanager
def _told() -> Iterator[None]:
    """The edge of the process: every error is told, and those we know have a code."""
    try:
        yield
    except Exception as error:
        code = _code(error)
        if code is None:
            raise
        sys.stderr.write(f"error: {error}\n")
        raise typer.Exit(code) from error


def _code(error: Exception) -> Code | None:
    from cassandra import DriverException
    from cassandra.cluster import NoHostAvailable
    from clickhouse_connect.driver.exceptions import OperationalError

    from feature_store.erasure import StillThere
    from feature_store.feast_import import FeatureViewNotFoundException
    from feature_store.materialize import GateRefused
    from feature_store.online_store import FutureEvent, OnlineWriteFailed
    from feature_store.push import SinkUnavailable
    from infra.clients.clickhouse import StoreUnavailable
    from schemas.registry import RegistryUnavailable

    codes: dict[type[Exception] | tuple[type[Exception], ...], Code] = {
        GateRefused: Code.GATE_REFUSED,
        (StillThere, FutureEvent, FeatureViewNotFoundException): Code.FAILED,
        (StoreUnavailable, SinkUnavailable, OnlineWriteFailed, RegistryUnavailable): Code.NOT_REACHED,
        (NoHostAvailable, DriverException, OperationalError): Code.NOT_REACHED,
    }
    return next((code for kinds, code in codes.items() if isinstance(error, kinds)), None)


def _print(rows: list[dict[str, Any]], as_json: bool, nothing: str) -> None:
    if as_json:
        sys.stdout.write(json.dumps(rows, indent=2, default=str) + "\n")
        return
    from rich.console import Console
    from rich.table import Table

    if not rows:
        Console(stderr=True).print(nothing)
        return
    table = Table(*rows[0], box=None, pad_edge=False)
    for row in rows:
        table.add_row(*("" if value is None else str(value) for value in row.values()))
    Console(highlight=False).print(table)
