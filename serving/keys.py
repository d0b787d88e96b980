"""API keys: what is kept of them and how one is checked. Files, clocks and randomness are the caller's.

A key is shown once, as ``rm_<id>_<secret>``. Kept are its id, a salt and the SHA-256 of salt and secret: the secret is
32 random bytes, which no list of guesses can hold, so a slow hash would add nothing.
"""

from __future__ import annotations

import base64
import hmac
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Literal

from pydantic import AwareDatetime, TypeAdapter, ValidationError

Scope = Literal["read", "write"]
"""What a key opens: the answers, or the gate that records come in by."""

ALL_TENANTS = "*"
"""Tenant of a key that may read every tenant."""

_MARK = "rm"
_ID_BYTES, _SALT_BYTES, _SECRET_BYTES = 8, 16, 32

RandomBytes = Callable[[int], bytes]


@dataclass(frozen=True)
class Key:
    """What is kept of one key. `salt` and `digest` are hexadecimal. Without `expires_at` it is valid until revoked.

    A key opens what its `scopes` name; a key that only writes may stand in a web page.
    """

    key_id: str
    tenant: str
    salt: str
    digest: str
    created_at: AwareDatetime
    expires_at: AwareDatetime | None = None
    revoked_at: AwareDatetime | None = None
    scopes: tuple[Scope, ...] = ("read",)

    def is_valid(self, now: datetime) -> bool:
        """Whether the key opens anything at this time."""
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)

    def may_read(self, tenant: str) -> bool:
        """Whether rows of this tenant may be shown to the key's holder."""
        return self.tenant in (ALL_TENANTS, tenant)


class BadKeysFile(Exception):
    """The text is not a list of keys. Restore the file from a copy, or remove it and create the keys again."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"the keys file cannot be read ({reason}): restore it, or remove it and create the keys again")
        self.reason = reason


class UnknownKey(Exception):
    """No key has this id; `rivermeet keys list` shows those there are."""

    def __init__(self, key_id: str) -> None:
        super().__init__(f"there is no key {key_id}: `rivermeet keys list` shows those there are")
        self.key_id = key_id


def issue(
    tenant: str,
    now: datetime,
    lifetime: timedelta | None,
    random_bytes: RandomBytes,
    scopes: tuple[Scope, ...] = ("read",),
) -> tuple[Key, str]:
    """A new key and the text that its holder sends, which cannot be had again."""
    key_id, salt = random_bytes(_ID_BYTES).hex(), random_bytes(_SALT_BYTES).hex()
    secret = base64.urlsafe_b64encode(random_bytes(_SECRET_BYTES)).decode().rstrip("=")
    expires_at = None if lifetime is None else now + lifetime
    return Key(
        key_id, tenant, salt, _digest(salt, secret), now, expires_at, scopes=scopes
    ), f"{_MARK}_{key_id}_{secret}"


def find(keys: Mapping[str, Key], text: str, now: datetime) -> Key | None:
    """The valid key that this text is, if it is one."""
    mark, _, rest = text.partition("_")
    key_id, _, secret = rest.partition("_")
    key = keys.get(key_id)
    if mark != _MARK or key is None or not hmac.compare_digest(_digest(key.salt, secret), key.digest):
        return None
    return key if key.is_valid(now) else None


def revoke(keys: Mapping[str, Key], key_id: str, now: datetime) -> dict[str, Key]:
    """The keys with one of them revoked; the first time stands. Raises `UnknownKey`."""
    if key_id not in keys:
        raise UnknownKey(key_id)
    return {**keys, key_id: replace(keys[key_id], revoked_at=keys[key_id].revoked_at or now)}


def dump(keys: Iterable[Key]) -> str:
    """The text of a keys file."""
    return _FILE.dump_json({"keys": list(keys)}, indent=2).decode() + "\n"


def parse(text: str) -> dict[str, Key]:
    """Id -> key of a keys file's text. Raises `BadKeysFile`."""
    try:
        found = _FILE.validate_json(text)["keys"]
    except (ValidationError, KeyError) as error:
        raise BadKeysFile(str(error)) from error
    return {key.key_id: key for key in found}


_FILE: TypeAdapter[dict[str, list[Key]]] = TypeAdapter(dict[str, list[Key]])


def _digest(salt: str, secret: str) -> str:
    return sha256(f"{salt}{secret}".encode()).hexdigest()
