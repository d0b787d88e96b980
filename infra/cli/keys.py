"""``rivermeet keys``: the API keys of this stack."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from infra.cli._errors import CommandError
from infra.cli._output import Json, notes, output, print_json, print_table

if TYPE_CHECKING:
    from datetime import datetime

    from serving.keys import Key, Scope

app = typer.Typer(help="Create, list and revoke keys of the HTTP API.", no_args_is_help=True)

LOCK_SECONDS = 10.0
DEFAULT_DAYS, MAX_DAYS = 90, 36_500


@app.command()
def create(
    tenant: Annotated[str, typer.Option("--tenant", help="The tenant whose rows the key opens; '*' is every tenant.")],
    days: Annotated[
        int, typer.Option("--days", min=0, max=MAX_DAYS, help="Days until it expires; 0 is never.")
    ] = DEFAULT_DAYS,
    scope: Annotated[
        list[str] | None,
        typer.Option("--scope", help="What it opens, read or write; name it twice for both. Read without it."),
    ] = None,
    json: Json = False,
) -> None:
    """Make a key and print it. It is shown this once: only a hash of it is kept.

    Example: [bold]rivermeet keys create --tenant acme[/]
    """
    import secrets
    from datetime import timedelta

    from serving.keys import issue

    scopes = _scopes(scope or ["read"])
    if not tenant.strip():
        raise CommandError("a key needs a tenant: name one, or '*' for every tenant")
    with _changing() as keys:
        key, text = issue(tenant, _now(), timedelta(days=days) if days else None, secrets.token_bytes, scopes)
        keys[key.key_id] = key
    if json:
        print_json({**_document(key), "key": text})
        return
    output.print(text, markup=False, soft_wrap=True)
    until = f"until {key.expires_at:%Y-%m-%d}" if key.expires_at else "until it is revoked"
    what = " and ".join(key.scopes)
    notes.print(f"key {key.key_id} may {what} for tenant {tenant} {until}; it is not shown again", markup=False)


@app.command("list")
def show(json: Json = False) -> None:
    """List the keys, without the secrets, which are not kept.

    Example: [bold]rivermeet keys list[/]
    """
    keys = sorted(_read().values(), key=lambda key: key.created_at)
    if json:
        print_json([_document(key) for key in keys])
        return
    print_table(
        ("id", "tenant", "scopes", "state", "created", "expires"),
        [(k.key_id, k.tenant, ", ".join(k.scopes), _state(k), _day(k.created_at), _day(k.expires_at)) for k in keys],
    )


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="Id of the key, as `rivermeet keys list` shows it.")]) -> None:
    """Take a key back. The API refuses it from its next request on.

    Example: [bold]rivermeet keys revoke 0123456789abcdef[/]
    """
    from serving.keys import UnknownKey
    from serving.keys import revoke as revoked

    with _changing() as keys:
        try:
            keys.update(revoked(keys, key_id, _now()))
        except UnknownKey as error:
            raise CommandError(str(error)) from error
    notes.print(f"key {key_id} is revoked")


def _scopes(names: list[str]) -> tuple[Scope, ...]:
    from pydantic import TypeAdapter, ValidationError

    from serving.keys import Scope

    try:
        return TypeAdapter(tuple[Scope, ...]).validate_python(sorted(set(names)))
    except ValidationError as error:
        raise CommandError(
            f"a key may read or write, not {', '.join(names)}: say --scope read or --scope write"
        ) from error


def _read() -> dict[str, Key]:
    from infra.settings import load_settings
    from serving.keys import BadKeysFile, parse

    try:
        return parse(load_settings().api_keys_file.read_text())
    except FileNotFoundError:
        return {}
    except BadKeysFile as error:
        raise CommandError(str(error)) from error


@contextmanager
def _changing() -> Iterator[dict[str, Key]]:
    """The keys, to be changed by one command at a time; written as a whole, and readable by their owner only."""
    import os

    from infra.jars import locked
    from infra.settings import load_settings
    from serving.keys import dump

    path = load_settings().api_keys_file
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with locked(path.with_suffix(".lock"), LOCK_SECONDS):
        keys = _read()
        yield keys
        draft = path.with_suffix(".draft")
        with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(dump(keys.values()))
        draft.replace(path)


def _document(key: Key) -> dict[str, object]:
    return {
        "id": key.key_id,
        "tenant": key.tenant,
        "scopes": list(key.scopes),
        "state": _state(key),
        "created_at": key.created_at,
        "expires_at": key.expires_at,
        "revoked_at": key.revoked_at,
    }


def _state(key: Key) -> str:
    if key.revoked_at is not None:
        return "revoked"
    return "valid" if key.is_valid(_now()) else "expired"


def _day(time: datetime | None) -> str:
    return f"{time:%Y-%m-%d}" if time else "never"


def _now() -> datetime:
    from datetime import UTC, datetime

    return datetime.now(UTC)
