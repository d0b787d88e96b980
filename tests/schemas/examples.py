"""The examples of `schemas/examples`, read as tests want them."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from schemas.codec import RefusedSchema, Schema, encode_record, header, writer_schema
from schemas.reasons import Reason
from schemas.subjects import SchemaVersion, subject, subjects

FOLDER = Path(__file__).parents[2] / "schemas" / "examples"
IDS: dict[tuple[str, int], int] = {
    (entry.subject, entry.version): schema_id
    for schema_id, entry in enumerate((version for one in subjects().values() for version in one.versions), start=1)
}
UNKNOWN_ID = 0x7FFFFFFF


def schemas() -> dict[int, Schema]:
    """Every schema under its id in these tests, and one id that the registry does not know."""
    known = {IDS[key]: writer_schema(IDS[key], subject(key[0]).version(key[1]).text) for key in IDS}
    return {
        **known,
        UNKNOWN_ID: RefusedSchema(UNKNOWN_ID, Reason.UNKNOWN_SCHEMA, "the registry has no schema of this id"),
    }


@dataclass(frozen=True)
class Example:
    """One file. `value` is the record on the wire; `reason` is None for good ones."""

    subject: str
    name: str
    content: Mapping[str, Any]

    @property
    def reason(self) -> str | None:
        return self.content.get("reason")

    @property
    def record(self) -> dict[str, Any] | None:
        return _from_json(self.content["record"]) if "record" in self.content else None

    @property
    def writer(self) -> SchemaVersion:
        name, _, version = self.content["writer"].partition("/v")
        return subject(name).version(int(version))

    @property
    def value(self) -> bytes | None:
        if "value" in self.content:
            value = self.content["value"]
            return None if value is None else bytes.fromhex(value)
        schema_id = IDS[self.writer.subject, self.writer.version]
        if "avro" in self.content:
            return header(schema_id) + bytes.fromhex(self.content["avro"])
        assert self.record is not None
        return encode_record(self.record, self.writer, schema_id)


def examples(kind: str, *subject_names: str) -> list[Example]:
    """All examples of a kind (good or bad), of these subjects or of all."""
    paths = sorted(FOLDER.glob(f"*/{kind}/*.json"))
    found = [Example(path.parents[1].name, path.stem, json.loads(path.read_text("utf-8"))) for path in paths]
    return [example for example in found if not subject_names or example.subject in subject_names]


def name_of(example: Example) -> str:
    """How a test of the example is called."""
    return f"{example.subject}-{example.name}"


def _from_json(value: Any) -> Any:
    """Bytes stand in JSON as {"hex": ...}, days as text in a field called day."""
    if isinstance(value, list):
        return [_from_json(item) for item in value]
    if isinstance(value, dict):
        if value.keys() == {"hex"}:
            return bytes.fromhex(value["hex"])
        return {key: date.fromisoformat(item) if key == "day" else _from_json(item) for key, item in value.items()}
    return value
