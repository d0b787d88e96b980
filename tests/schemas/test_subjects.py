"""The contracts: versions without gaps, each readable by all later ones."""

from __future__ import annotations

import json
from itertools import combinations
from typing import Any

import avro.compatibility
import avro.schema
import pytest

from schemas.codec.align import mismatch
from schemas.subjects import AVRO_FOLDER, SchemaVersion, UnknownSubject, subject, subjects
from schemas.topics import TOPICS

PAIRS = [pair for one in subjects().values() for pair in combinations(one.versions, 2)]
VERSIONS = [version for one in subjects().values() for version in one.versions]


def _label(entry: Any) -> str:
    return f"{entry.subject}-v{entry.version}" if isinstance(entry, SchemaVersion) else ""


def _reference_compatible(writer: SchemaVersion, reader: SchemaVersion) -> bool:
    checker = avro.compatibility.ReaderWriterCompatibilityChecker()
    result = checker.get_compatibility(avro.schema.parse(reader.text), avro.schema.parse(writer.text))
    return bool(result.compatibility is avro.compatibility.SchemaCompatibilityType.compatible)


@pytest.mark.parametrize(("earlier", "later"), PAIRS, ids=lambda entry: _label(entry))
def test_each_version_reads_all_earlier_ones(earlier: SchemaVersion, later: SchemaVersion) -> None:
    assert mismatch(earlier.type, later.type) is None
    assert _reference_compatible(earlier, later)


@pytest.mark.parametrize("version", VERSIONS, ids=_label)
def test_a_version_differs_from_every_other(version: SchemaVersion) -> None:
    assert [other for other in VERSIONS if other.fingerprint == version.fingerprint] == [version]
    assert len(version.fingerprint) == 64


def test_versions_run_from_one_without_gaps() -> None:
    for one in subjects().values():
        assert [version.version for version in one.versions] == list(range(1, len(one.versions) + 1))
        assert one.latest is one.versions[-1]
        assert [one.version(version.version) for version in one.versions] == list(one.versions)


def test_no_schema_file_is_an_orphan() -> None:
    used = {topic.subject for topic in TOPICS.values()}
    files = [path for path in AVRO_FOLDER.rglob("*") if path.is_file()]
    assert {path.parent.name for path in files} == used - {None}
    assert len(files) == len(VERSIONS)


def test_every_field_says_what_it_means() -> None:
    for version in VERSIONS:
        for entry in _fields(version.schema):
            assert entry.get("doc", "").endswith("."), f"{version.subject} v{version.version}: {entry['name']}"


def test_user_event_is_the_event_of_the_design() -> None:
    v1, v2 = (subject("user-event").version(number).schema for number in (1, 2))
    assert (v1["namespace"], v1["name"]) == ("com.ecommerce.events", "UserEvent")
    first = ["eventId", "userId", "sessionId", "eventType", "timestamp", "properties", "context"]
    assert [entry["name"] for entry in v1["fields"]] == first
    added = {entry["name"]: entry["default"] for entry in v2["fields"][len(first) :]}
    assert added == {"tenantId": "default", "receivedAt": None, "experiments": {}}


def test_schema_is_a_fresh_copy() -> None:
    subject("user-event").latest.schema["fields"].clear()
    assert json.loads(subject("user-event").latest.text)["fields"] == subject("user-event").latest.schema["fields"]


def test_an_unknown_subject_names_the_known_ones() -> None:
    with pytest.raises(UnknownSubject, match="user-event") as unknown:
        subject("users")
    assert unknown.value.name == "users"


def _fields(schema: Any) -> list[dict[str, Any]]:
    if isinstance(schema, list):
        return [entry for branch in schema for entry in _fields(branch)]
    if not isinstance(schema, dict):
        return []
    inner = [schema.get(part) for part in ("items", "values")] + (
        [] if schema["type"] == "record" else [schema["type"]]
    )
    own: list[dict[str, Any]] = schema.get("fields", [])
    return own + [entry for part in [*inner, *(one["type"] for one in own)] for entry in _fields(part)]
