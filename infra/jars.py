"""The servers that are jars: fetched once into the cache folder by the Ivy that comes inside pyspark."""

from __future__ import annotations

import contextlib
import fcntl
import importlib.util
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from infra.java import java, trust_options, write_spark_java_home, write_trust_store

Report = Callable[[str], None]

ATTEMPTS = 4
ATTEMPT_SECONDS = 300
LOCK_SECONDS = 900
SPARK_PACKAGES = (
    "org.apache.spark:spark-sql-kafka-0-10_2.13:4.0.0",
    "org.apache.iceberg:iceberg-spark-runtime-4.0_2.13:1.11.0",
    "org.xerial:sqlite-jdbc:3.50.3.0",
)

# Spark looks for what it finds in its cache under the resolver's name; this is the one that it uses itself.
_SETTINGS = """<ivysettings><settings defaultResolver="central"/>
<resolvers><ibiblio name="central" m2compatible="true" usepoms="{poms}"/></resolvers></ivysettings>"""
_MODULE = """<ivy-module version="2.0" xmlns:m="http://ant.apache.org/ivy/maven">
<info organisation="rivermeet" module="{name}"/><configurations><conf name="default"/></configurations>
<dependencies>{dependencies}</dependencies></ivy-module>"""


class FetchFailedError(Exception):
    """Jars could not be fetched, again and again: look at the network, then run the same command once more."""

    def __init__(self, bundle: str, attempts: int, reason: str) -> None:
        self.bundle, self.attempts, self.reason = bundle, attempts, reason
        super().__init__(
            f"could not fetch the jars of {bundle} in {attempts} attempts ({reason}): "
            "check that this machine reaches its Maven repository, then run `rivermeet fetch` again"
        )


@dataclass(frozen=True)
class Bundle:
    """What is fetched together: Maven coordinates ``org:name:version``, and perhaps the one archive to take of them."""

    name: str
    version: str
    packages: tuple[str, ...]
    archive: str = ""
    alone: bool = False
    """Just these jars, perhaps as ``org:name:version:classifier``, without what they need: nothing is looked up."""

    def folder(self, cache: Path) -> Path:
        """Where the files lie once fetched; a new version is a new folder."""
        return cache / "jars" / f"{self.name}-{self.version}"


KAFKA = Bundle(
    "kafka", "4.3.1", ("org.apache.kafka:kafka_2.13:4.3.1", "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4")
)
CASSANDRA = Bundle("cassandra", "5.0.5", ("org.apache.cassandra:cassandra-all:5.0.5",))
REGISTRY = Bundle("registry", "2.6.13", ("io.apicurio:apicurio-registry-app:2.6.13.Final",), archive="all")
SPARK = Bundle("spark", "4.0.0-1.11.0-3.50.3.0", SPARK_PACKAGES)
BUNDLES = (REGISTRY, SPARK, CASSANDRA, KAFKA)


def missing(cache: Path, bundles: Sequence[Bundle] = BUNDLES) -> list[Bundle]:
    """The bundles that are not in the cache folder yet."""
    return [bundle for bundle in bundles if not bundle.folder(cache).is_dir()]


def fetch(cache: Path, report: Report, bundles: Sequence[Bundle] = BUNDLES) -> None:
    """Bring every bundle into ``cache``, unless it is there; several processes may ask at once.

    ``report`` is called with a line of progress now and then. Raises `FetchFailedError`.
    """
    cache.mkdir(parents=True, exist_ok=True)
    write_spark_java_home()
    if not missing(cache, bundles):
        return
    with locked(cache / "fetch.lock", LOCK_SECONDS), ThreadPoolExecutor(len(bundles)) as pool:
        write_trust_store(cache / "trust.p12")
        list(pool.map(lambda bundle: _fetch_bundle(bundle, cache, report), missing(cache, bundles)))


def _fetch_bundle(bundle: Bundle, cache: Path, report: Report) -> None:
    report(f"fetching {bundle.name} {bundle.version}")
    with tempfile.TemporaryDirectory(dir=cache, prefix=f".{bundle.name}-") as draft:
        _retrieve(bundle, cache, Path(draft), report)
        if bundle.archive:
            _unpack(Path(draft) / "files")
        bundle.folder(cache).parent.mkdir(exist_ok=True)
        (Path(draft) / "files").rename(bundle.folder(cache))
    # Ivy's own copy has served; only Spark looks into its one again.
    shutil.rmtree(cache / "ivy" / bundle.name, ignore_errors=True)
    report(f"{bundle.name} {bundle.version} is here")


def _retrieve(bundle: Bundle, cache: Path, draft: Path, report: Report) -> None:
    """Run Ivy until it succeeds; what one attempt brought, the next finds in Ivy's own cache."""
    (draft / "settings.xml").write_text(_SETTINGS.format(poms=str(not bundle.alone).lower()))
    (draft / "ivy.xml").write_text(
        _MODULE.format(name=bundle.name, dependencies="".join(_dependency(p, bundle.archive) for p in bundle.packages))
    )
    reason = ""
    for attempt in range(ATTEMPTS):
        if attempt:
            report(f"{bundle.name}: {reason}; trying again")
            time.sleep(2.0**attempt)
        reason = _run_ivy(bundle, cache, draft, report)
        if not reason:
            return
    raise FetchFailedError(bundle.name, ATTEMPTS, reason)


def _dependency(package: str, archive: str) -> str:
    organisation, name, version, *classifier = package.split(":")
    head = f'<dependency org="{organisation}" name="{name}" rev="{version}" conf="default-&gt;default"'
    if not archive and not classifier:
        return f"{head}/>"
    kind = "tar.gz" if archive else "jar"
    artifact = f'<artifact name="{name}" type="{kind}" ext="{kind}" m:classifier="{archive or classifier[0]}"/>'
    return f'{head} transitive="false">{artifact}</dependency>'


def _run_ivy(bundle: Bundle, cache: Path, draft: Path, report: Report) -> str:
    """One attempt; answers why it failed, or nothing."""
    # A cache each, since Ivy does not share one between processes; Spark's is the one that its sessions look into.
    ivy_cache = cache / "spark-ivy" / "cache" if bundle is SPARK else cache / "ivy" / bundle.name
    command = [
        str(java()), *trust_options(cache / "trust.p12"), "-jar", str(_ivy_jar()),
        "-settings", str(draft / "settings.xml"), "-cache", str(ivy_cache), "-ivy", str(draft / "ivy.xml"),
        "-retrieve", f"{draft}/files/[artifact]-[revision](-[classifier]).[ext]",
    ]  # fmt: skip
    log = draft / "ivy.log"
    with log.open("w") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT)
        try:
            _watch(process, log, bundle.name, report)
        finally:
            process.kill()
            process.wait()
    if process.returncode:
        problems = [line.strip() for line in log.read_text().splitlines() if "error" in line or "not found" in line]
        return problems[0][:300] if problems else f"Ivy ended with {process.returncode}"
    return ""


def _watch(process: subprocess.Popen[bytes], log: Path, name: str, report: Report) -> None:
    deadline = time.monotonic() + ATTEMPT_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(timeout=5)
            return
        text = log.read_text()
        report(f"{name}: {text.count('found ')} modules found, {text.count('[SUCCESSFUL ]')} files fetched")


def _ivy_jar() -> Path:
    spec = importlib.util.find_spec("pyspark")
    if spec is None or spec.origin is None:
        raise FetchFailedError("Ivy", 1, "pyspark is not installed; run `uv sync`")
    return next((Path(spec.origin).parent / "jars").glob("ivy-*.jar"))


def _unpack(folder: Path) -> None:
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as content:
        content.extractall(folder, filter="data")
    archive.unlink()


@contextlib.contextmanager
def locked(path: Path, seconds: float) -> Iterator[None]:
    """Hold a lock between processes, which the kernel frees if this one dies; ``TimeoutError`` if another keeps it."""
    deadline = time.monotonic() + seconds
    while True:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Its holder may have removed the folder meanwhile: a lock on a file that is gone excludes nobody.
            if path.exists() and os.fstat(handle).st_ino == path.stat().st_ino:
                break
        except BlockingIOError:
            if time.monotonic() > deadline:
                os.close(handle)
                raise TimeoutError(f"another process has held {path} for {seconds:.0f} s") from None
        os.close(handle)
        time.sleep(0.1)
    try:
        yield
    finally:
        os.close(handle)
