"""Files of the lake and of recomputes, in a folder or in an object store, without Spark."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple
from urllib.parse import unquote, urlparse

from pyarrow import fs

LOCAL = ("", "file")
S3 = ("s3", "s3a")


class _Option(NamedTuple):
    """What one option of an object store is called by each library."""

    iceberg: str
    pyarrow: str
    polars: str


_OPTIONS = (
    _Option("s3.endpoint", "endpoint_override", "aws_endpoint_url"),
    _Option("s3.region", "region", "aws_region"),
    _Option("s3.access-key-id", "access_key", "aws_access_key_id"),
    _Option("s3.secret-access-key", "secret_key", "aws_secret_access_key"),
)


def on_s3(uri: str) -> bool:
    """Whether it names something in an object store that speaks S3."""
    return urlparse(uri).scheme in S3


@dataclass(frozen=True)
class Storage:
    """How to reach the files. `s3`: Iceberg's names (`s3.endpoint` ...); what is absent comes from the environment."""

    s3: Mapping[str, str] = field(default_factory=dict)

    def open(self, uri: str) -> tuple[fs.FileSystem, str]:
        """The file system of a URI, and the path in it."""
        parsed = urlparse(uri)
        if parsed.scheme in LOCAL:
            return fs.LocalFileSystem(), unquote(parsed.path)
        if parsed.scheme in S3:
            return self._s3, f"{parsed.netloc}{parsed.path}"
        store, path = fs.FileSystem.from_uri(uri)
        return store, path

    @cached_property
    def _s3(self) -> fs.FileSystem:
        given = {one.pyarrow: self.s3[one.iceberg] for one in _OPTIONS if one.iceberg in self.s3}
        return fs.S3FileSystem(**given, force_virtual_addressing=self.s3.get("s3.path-style-access") == "false")

    def polars(self, uri: str) -> tuple[str, dict[str, str] | None]:
        """The name of a file for polars, and the options with which it reaches it."""
        parsed = urlparse(uri)
        if parsed.scheme in LOCAL:
            return unquote(parsed.path), None
        options = {one.polars: self.s3[one.iceberg] for one in _OPTIONS if one.iceberg in self.s3}
        return uri.replace("s3a://", "s3://", 1), options | {"aws_allow_http": "true"}

    def delete(self, uri: str) -> None:
        """Deletes a file; one that is gone already is no error."""
        store, path = self.open(uri)
        if store.get_file_info(path).type != fs.FileType.NotFound:
            store.delete_file(path)

    def __getstate__(self) -> dict[str, Any]:
        """Connections do not travel to workers."""
        return {"s3": dict(self.s3)}
