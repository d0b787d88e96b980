"""Who asks: the users file, and the credentials of a request."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from infra.clickhouse.access import PROFILES, Profile
from infra.clickhouse.errors import Code, QueryError

_OTHERS = 0o077


class BadUsersFile(Exception):
    """The users file cannot be used; the message says what to change in it."""


@dataclass(frozen=True)
class User:
    """A name, the SHA-256 of salt and password, and what the user may do."""

    name: str
    profile: Profile
    salt: bytes
    digest: bytes


class Users:
    """The users of one owner."""

    def __init__(self, users: Mapping[str, User]) -> None:
        self._users = users

    def check(self, name: str, password: str) -> User:
        """The user of that name and password; an error with code 516 where there is none."""
        user = self._users.get(name)
        digest = _digest(user.salt if user else b"", password)
        if user is None or not hmac.compare_digest(digest, user.digest):
            raise QueryError.of(
                Code.AUTHENTICATION_FAILED,
                f"{name}: Authentication failed: password is incorrect, or there is no user with such name",
            )
        return user


def load_users(path: Path) -> Users:
    """Reads ``{"users": [{"name", "profile", "password"} or {"name", "profile", "salt", "password_sha256"}]}``.

    ``password_sha256`` is the hex SHA-256 of salt and password, UTF-8. Raises `BadUsersFile`, also for a file that
    other accounts of the machine can read.
    """
    try:
        if path.stat().st_mode & _OTHERS:
            raise BadUsersFile(f"{path} can be read by others: chmod 600 it")
        entries = json.loads(path.read_text())["users"]
        return Users({entry["name"]: _user(entry) for entry in entries})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadUsersFile(
            f"{path} is not a users file ({error!r}); it holds a list of users, see load_users"
        ) from error


def _user(entry: Mapping[str, str]) -> User:
    if entry["profile"] not in PROFILES:
        raise BadUsersFile(f"user {entry['name']}: no profile {entry['profile']!r}, choose one of {sorted(PROFILES)}")
    salt = entry.get("salt", entry["name"]).encode()
    given = entry.get("password_sha256")
    digest = bytes.fromhex(given) if given else _digest(salt, entry["password"])
    return User(entry["name"], PROFILES[entry["profile"]], salt, digest)


def _digest(salt: bytes, password: str) -> bytes:
    return hashlib.sha256(salt + password.encode()).digest()


def credentials(headers: Mapping[str, str], url: Mapping[str, str]) -> tuple[str, str]:
    """Name and password of a request: ClickHouse's headers, then HTTP basic, then the URL; else ``default``, empty."""
    if "x-clickhouse-user" in headers:
        return headers["x-clickhouse-user"], headers.get("x-clickhouse-key", "")
    if headers.get("authorization", "").lower().startswith("basic "):
        return _basic(headers["authorization"][len("basic ") :])
    return url.get("user", "default"), url.get("password", "")


def _basic(encoded: str) -> tuple[str, str]:
    try:
        name, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError) as error:
        raise QueryError.of(Code.AUTHENTICATION_FAILED, "The Authorization header is not valid HTTP basic") from error
    return name, password
