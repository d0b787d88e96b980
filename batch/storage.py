"""Files of the lake and of recomputes, in a folder or in an object store, without Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any
from urllib.parse import unquote, urlparse

from pyarrow import fs

LOCAL = ("", "file")


@dataclass(frozen=True)
class Storage:
    """How to reach the files. `s3`: Iceberg's names (`s3.endpoint` ...); what is absent comes from the environment."""

    s3: Mapping[str, str] = field(default_factory=dict)

    def open(self, uri: str) -> tuple[fs.FileSystem, str]:
        """The file system of a URI, and the path in it."""
        parsed = urlparse(uri)
        if parsed.scheme in LOCAL:
            return fs.LocalFileSystem(), unquote(parsed.path)
        if parsed.scheme in {"s3", "s3a"}:
            return self._s3, f"{parsed.netloc}{parsed.path}"
        store, path = fs.FileSystem.from_uri(uri)
        return store, path

    @cached_property
    def _s3(self) -> fs.FileSystem:
        names = {
            "endpoint_override": "s3.endpoint",
            "region": "s3.region",
            "access_key": "s3.access-key-id",
            "secret_key": "s3.secret-access-key",
        }
        given = {ours: self.s3[theirs] for ours, theirs in names.items() if theirs in self.s3}
        return fs.S3FileSystem(**given, force_virtual_addressing=self.s3.get("s3.path-style-access") == "false")

    def polars(self, uri: str) -> tuple[str, dict[str, str] | None]:
        """The name of a file for polars, and the options with which it reaches it."""
        parsed = urlparse(uri)
        if parsed.scheme in LOCAL:
            return unquote(parsed.path), None
        names = {
            "aws_endpoint_url": "s3.endpoint",
            "aws_region": "s3.region",
            "aws_access_key_id": "s3.access-key-id",
            "aws_secret_access_key": "s3.secret-access-key",
        }
        options = {ours: self.s3[theirs] for ours, theirs in names.items() if theirs in self.s3}
        return uri.replace("s3a://", "s3://", 1), options | {"aws_allow_http": "true"}

    def delete(self, uri: str) -> None:
        """Deletes a file; one that is gone already is no error."""
        store, path = self.open(uri)
        if store.get_file_info(path).type != fs.FileType.NotFound:
            store.delete_file(path)

    def __getstate__(self) -> dict[str, Any]:
        """Connections do not travel to workers."""
        return {"s3": dict(self.s3)}
