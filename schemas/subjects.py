"""The Avro contracts: every subject with its versions, read once from `schemas/avro`."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from schemas.avro_types import Record, parse

AVRO_FOLDER = Path(__file__).parent / "avro"


class UnknownSubject(KeyError):
    """No folder of `schemas/avro` has this name; `name` is what was asked for."""

    def __init__(self, name: str) -> None:
        super().__init__(f"no subject {name}; known are {', '.join(subjects())}")
        self.name = name


@dataclass(frozen=True, slots=True)
class SchemaVersion:
    """One version of a subject: `text` is the schema as it is registered, `type` the same parsed."""

    subject: str
    version: int
    text: str
    type: Record

    @property
    def schema(self) -> dict[str, Any]:
        """The schema as parsed JSON; a fresh copy for each caller."""
        parsed: dict[str, Any] = json.loads(self.text)
        return parsed

    @property
    def fingerprint(self) -> str:
        """SHA-256 of the schema with everything in it, hex; equal text up to white space gives an equal fingerprint."""
        return hashlib.sha256(self.text.encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Subject:
    """A contract and its versions in order, from 1 without gaps. Every reader accepts every version."""

    name: str
    versions: tuple[SchemaVersion, ...]

    @property
    def latest(self) -> SchemaVersion:
        """The version that readers resolve to."""
        return self.versions[-1]

    def version(self, number: int) -> SchemaVersion:
        """Version `number`, from 1."""
        return self.versions[number - 1]


@cache
def subjects() -> dict[str, Subject]:
    """All subjects by name."""
    return {folder.name: _load(folder) for folder in sorted(AVRO_FOLDER.iterdir()) if folder.is_dir()}


def subject(name: str) -> Subject:
    """The subject of this name; raises UnknownSubject."""
    try:
        return subjects()[name]
    except KeyError:
        raise UnknownSubject(name) from None


def _load(folder: Path) -> Subject:
    numbers = sorted(int(path.stem.removeprefix("v")) for path in folder.glob("v*.avsc"))
    return Subject(folder.name, tuple(_version(folder, number) for number in numbers))


def _version(folder: Path, number: int) -> SchemaVersion:
    text = json.dumps(json.loads((folder / f"v{number}.avsc").read_text("utf-8")), separators=(",", ":"))
    return SchemaVersion(folder.name, number, text, parse(text))
