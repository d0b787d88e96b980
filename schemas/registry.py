"""The schema registry: our contracts go in, writers' schemas come out. The only server that this package talks to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import httpx2
from confluent_kafka.schema_registry import ConfigCompatibilityLevel, SchemaRegistryClient, ServerConfig
from confluent_kafka.schema_registry import Schema as RegisteredSchema
from confluent_kafka.schema_registry.error import SchemaRegistryError

from schemas.codec.wire import RefusedSchema, Schema, writer_schema
from schemas.reasons import Reason
from schemas.subjects import SchemaVersion, subject, subjects
from schemas.topics import TOPICS, USER_EVENTS, Topic

COMPATIBILITY = ConfigCompatibilityLevel.BACKWARD_TRANSITIVE
"""Every reader accepts every earlier version; the registry refuses a version that would break this."""

_NOT_FOUND = 404
_CONFLICT = 409


class RegistryUnavailable(Exception):
    """The registry gave no answer that can be trusted. Stop and try again later; decide nothing about the records."""

    def __init__(self, task: str, why: str) -> None:
        super().__init__(f"the schema registry could not {task}: {why}; see that it runs, then try again")
        self.task = task
        self.why = why


class IncompatibleVersion(Exception):
    """The registry refuses a version of a contract, since readers of it could not read earlier records."""

    def __init__(self, name: str, version: int, why: str) -> None:
        super().__init__(
            f"{name} v{version} is not {COMPATIBILITY.value}: {why}; "
            "give new fields a default and remove none that lacks one"
        )
        self.name = name
        self.version = version


class Registry:
    """A registry with the Confluent API.

    Each answer is waited for `timeout_seconds`, and asked for `retries` times more.
    """

    def __init__(self, url: str, timeout_seconds: float = 5.0, retries: int = 5) -> None:
        self._client = SchemaRegistryClient(
            {
                "url": url,
                "timeout": timeout_seconds,
                "max.retries": retries,
                "retries.wait.ms": 100,
                "retries.max.wait.ms": 2_000,
            }
        )
        self._resolved: dict[int, Schema] = {}

    def register(self, topic: Topic) -> dict[int, int]:
        """Register every version of the topic's contract for its values and set their compatibility.

        Answers the schema id of each version; safe to do again. A topic without contract has none. Raises
        IncompatibleVersion, RegistryUnavailable.
        """
        if topic.subject is None:
            return {}
        return {
            version.version: self._register(topic.registry_subject, version)
            for version in subject(topic.subject).versions
        }

    def register_all(self, topics: Iterable[Topic] = tuple(TOPICS.values())) -> dict[str, dict[int, int]]:
        """Register the contracts of all topics: schema ids by topic name and version."""
        return {topic.name: self.register(topic) for topic in topics}

    def id_of_latest(self, topic: Topic) -> int:
        """The schema id of the newest version of the topic's contract, which is registered only if it is not yet.

        For who writes: it changes nothing where all is well. Raises IncompatibleVersion, RegistryUnavailable.
        """
        latest = subject(str(topic.subject)).latest
        with _asking(f"look up {latest.subject} v{latest.version}"):
            try:
                found = self._client.lookup_schema(topic.registry_subject, RegisteredSchema(latest.text, "AVRO"))
            except SchemaRegistryError as error:
                if error.http_status_code != _NOT_FOUND:
                    raise
            else:
                return int(found.schema_id)
        return self.register(topic)[latest.version]

    def resolve(self, schema_id: int) -> Schema:
        """What the schema id of a record stands for.

        A `Resolver`. Remembers schemas, which never change under their id.

        A registry that answers "not found" makes it a RefusedSchema, but is believed only while it still holds our
        own contract: one that lost its content would turn every record into a dead letter. Raises
        RegistryUnavailable.
        """
        if schema_id not in self._resolved:
            found = self._find(schema_id)
            if found is None:
                self._check_content()
                return RefusedSchema(schema_id, Reason.UNKNOWN_SCHEMA, f"the registry has no schema {schema_id}")
            self._resolved[schema_id] = found
        return self._resolved[schema_id]

    def _register(self, name: str, version: SchemaVersion) -> int:
        """Register one version and set the compatibility, which a subject can have from its first version on."""
        with _asking(f"register {name} v{version.version}"):
            try:
                schema_id: int = self._client.register_schema(name, RegisteredSchema(version.text, "AVRO"))
            except SchemaRegistryError as error:
                if error.http_status_code == _CONFLICT:
                    raise IncompatibleVersion(version.subject, version.version, str(error)) from error
                raise
            self._client.set_config(name, ServerConfig(compatibility=COMPATIBILITY))
        return schema_id

    def _find(self, schema_id: int) -> Schema | None:
        with _asking(f"find schema {schema_id}"):
            try:
                found = self._client.get_schema(schema_id)
            except SchemaRegistryError as error:
                if error.http_status_code == _NOT_FOUND:
                    return None
                raise
        if found.schema_type not in (None, "AVRO"):
            message = f"schema {schema_id} is {found.schema_type}, not Avro"
            return RefusedSchema(schema_id, Reason.UNSUPPORTED_SCHEMA, message)
        return writer_schema(schema_id, found.schema_str)

    def _check_content(self) -> None:
        contract = subjects()["user-event"].latest
        with _asking("show that it holds our contracts; register them again if it lost them"):
            self._client.lookup_schema(USER_EVENTS.registry_subject, RegisteredSchema(contract.text, "AVRO"))


@contextmanager
def _asking(task: str) -> Iterator[None]:
    try:
        yield
    except (SchemaRegistryError, httpx2.HTTPError, ValueError, KeyError, TypeError) as error:
        # What is not the registry's own answer, such as a proxy's page, fails in the client as a ValueError or worse.
        raise RegistryUnavailable(task, str(error) or repr(error)) from error
