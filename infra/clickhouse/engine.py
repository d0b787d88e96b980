"""The engine: one open folder, and connections to it that each are a session of ClickHouse's own."""

from __future__ import annotations

import fcntl
import os
import threading
import uuid
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import chdb

from infra.clickhouse.access import Profile, role_of, users_xml
from infra.clickhouse.allowed import TEXT_SETTINGS, TEXT_TYPES
from infra.clickhouse.config import config_xml
from infra.clickhouse.errors import QueryError
from infra.clickhouse.guard import Reach
from infra.clickhouse.parse import Parser
from infra.clickhouse.settings import identifier, set_statement

DATABASE = "rivermeet"
_SPARE = 48
_LIKE_A_SERVER = {"implicit_select": "0", "allow_introspection_functions": "0"}
"""Where the embedded engine's defaults are not a server's."""

_Key = tuple[str, str, tuple[tuple[str, str], ...]]


class AlreadyOwned(Exception):
    """Another process owns the folder: stop it, or take another folder."""

    def __init__(self, path: Path) -> None:
        super().__init__(f"another ClickHouse owner is running on {path}: stop it first, or choose another --path")
        self.path = path


class OpenFailed(Exception):
    """The engine cannot open the folder; the message is the engine's."""


@dataclass
class Link:
    """A connection to the engine. It is a session: its temporary tables and settings are nobody else's.

    One thread at a time may use it. `tag` marks its queries in ``system.processes``, to cancel them. `altered` tells
    that a statement has changed the session, so that it is no longer what it was set up to be.
    """

    connection: Any
    profile: Profile
    tag: str
    database: str = "default"
    settings: Mapping[str, str] = field(default_factory=dict)
    altered: bool = False

    def run(self, sql: str, output: str = "Null", params: Mapping[str, str] | None = None) -> Any:
        """Runs a statement; returns the binding's result. Raises `QueryError`."""
        try:
            return self.connection.query(sql, output, params=dict(params or {}))
        except Exception as error:
            raise QueryError.from_engine(str(error)) from error

    def value(self, sql: str, params: Mapping[str, str] | None = None) -> str:
        """Runs a query that returns one value, and returns it as text."""
        text: str = self.run(sql, "TSVRaw", params).bytes().decode()
        return text.removesuffix("\n")

    def use(self, database: str) -> None:
        """Makes bare table names mean tables of that database."""
        self.run(f"USE {identifier(database)}")
        self.database = database

    def close(self) -> None:
        """Gives the session's temporary tables and settings up."""
        self.connection.close()


class Engine:
    """The open folder. Connections may be taken from any thread; there must be no fork() while it is open."""

    def __init__(self, path: Path, memory_bytes: int) -> None:
        path.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock_file = _lock(path)
        self.spill = _empty(path / "spill")
        self._address = f"{path / 'data'}?config-file={_write_config(path, memory_bytes)}"
        self._spare: OrderedDict[_Key, list[Link]] = OrderedDict()
        self._guard = threading.Lock()
        try:
            self._root = chdb.connect(self._address)
            self._root.query(f"CREATE DATABASE IF NOT EXISTS {DATABASE}", "Null")
        except Exception as error:
            raise OpenFailed(f"the engine cannot open {path}: {error}") from error
        self.parser = Parser()
        self.reach = Reach(
            self._names("SELECT lower(name) FROM system.table_functions"),
            self._names(
                f"SELECT name FROM system.settings WHERE type IN {sorted(TEXT_TYPES)} OR name LIKE '%dialect%'"
                " OR startsWith(name, 'implicit_')"
            )
            - TEXT_SETTINGS,
        )

    def _names(self, sql: str) -> frozenset[str]:
        return frozenset(self._root.query(sql, "TSVRaw").bytes().decode().split())

    def take(self, profile: Profile, database: str | None = None, settings: Mapping[str, str] | None = None) -> Link:
        """A connection that has the profile's role and limits, this database and these settings, and nothing else.

        Raises `QueryError` where the engine does not have the database or a setting.
        """
        database, settings = database or "default", settings or {}
        with self._guard:
            waiting = self._spare.get(_key(profile, database, settings))
            if waiting:
                return waiting.pop()
        return self._open(profile, database, settings)

    def give(self, link: Link) -> None:
        """Takes a connection back, for the next request that wants just the same; an altered one is closed."""
        surplus = [link]
        if not link.altered:
            with self._guard:
                key = _key(link.profile, link.database, link.settings)
                self._spare.setdefault(key, []).append(link)
                self._spare.move_to_end(key)
                surplus = self._surplus()
        for old in surplus:
            old.close()

    def _surplus(self) -> list[Link]:
        """Takes out what is spare beyond the limit, beginning with what has not been asked for for the longest time."""
        surplus = []
        while sum(map(len, self._spare.values())) > _SPARE:
            key, links = next(iter(self._spare.items()))
            surplus += links[:1]
            del links[:1]
            if not links:
                del self._spare[key]
        return surplus

    def _open(self, profile: Profile, database: str, settings: Mapping[str, str]) -> Link:
        link = Link(chdb.connect(self._address), profile, uuid.uuid4().hex)
        try:
            self._set_up(link, database, settings)
        except QueryError:
            link.close()
            raise
        return link

    def _set_up(self, link: Link, database: str, settings: Mapping[str, str]) -> None:
        profile, role = link.profile, role_of(link.profile.name)
        mode = {"readonly": "2"} if profile.reads_only else {}
        limits = {**_LIKE_A_SERVER, **profile.settings, **profile.fixed, "log_comment": link.tag, **mode}
        link.run(f"SET ROLE {role}; {set_statement({**limits, 'profile': role})}")
        if database != link.database:
            link.use(database)
        if settings:
            link.run(set_statement(settings))
            link.settings = settings

    def cancel(self, tag: str) -> None:
        """Stops the query that the connection of that tag is running, if any."""
        connection = chdb.connect(self._address)
        try:
            connection.query(f"KILL QUERY WHERE Settings['log_comment'] = '{tag}' ASYNC", "Null")
        finally:
            connection.close()

    def close(self) -> None:
        """Closes the engine; every connection must have been given back."""
        for link in (link for links in self._spare.values() for link in links):
            link.close()
        self._root.close()
        os.close(self._lock_file)


def _key(profile: Profile, database: str, settings: Mapping[str, str]) -> _Key:
    return profile.name, database, tuple(sorted(settings.items()))


def _lock(path: Path) -> int:
    handle = os.open(path / "owner.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(handle)
        raise AlreadyOwned(path) from error
    return handle


def _empty(folder: Path) -> Path:
    """The folder, without what an owner that was killed has left in it."""
    folder.mkdir(exist_ok=True, mode=0o700)
    for file in folder.iterdir():
        file.unlink()
    return folder


def _write_config(path: Path, memory_bytes: int) -> Path:
    users, config = path / "users.xml", path / "config.xml"
    users.write_text(users_xml())
    config.write_text(config_xml(users, memory_bytes))
    return config
