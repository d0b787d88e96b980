"""Fetching is bounded, happens once, and leaves nothing half done."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path

import pytest

from infra import jars
from infra.jars import Bundle, FetchFailedError, fetch, locked, missing
from infra.java import java, trust_options, write_spark_java_home, write_trust_store
from infra.settings import SPARK_JAVA_HOME, load_settings


def test_what_is_there_is_not_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for bundle in jars.BUNDLES:
        bundle.folder(tmp_path).mkdir(parents=True)
    lines: list[str] = []
    fetch(tmp_path, lines.append)

    assert lines == []


def test_a_new_version_is_missing_until_it_is_fetched(tmp_path: Path) -> None:
    assert {bundle.name for bundle in missing(tmp_path)} == {"cassandra", "kafka", "registry", "spark"}


def test_a_fetch_that_cannot_succeed_ends_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = Bundle("nothing", "1", ("org.example.nowhere:nothing:1",))
    monkeypatch.setattr(jars, "ATTEMPTS", 2)
    lines: list[str] = []

    with pytest.raises(FetchFailedError, match="nothing in 2 attempts") as failure:
        fetch(tmp_path, lines.append, (bundle,))
    assert failure.value.bundle == "nothing"
    assert any("trying again" in line for line in lines)
    assert not bundle.folder(tmp_path).exists()
    assert not list(tmp_path.glob(".nothing*"))


def test_two_fetches_wait_for_each_other(tmp_path: Path) -> None:
    order: list[str] = []
    inside, go_on = threading.Event(), threading.Event()

    def first() -> None:
        with locked(tmp_path / "lock", 10):
            inside.set()
            go_on.wait(10)
            order.append("first")

    thread = threading.Thread(target=first)
    thread.start()
    inside.wait(10)
    with pytest.raises(TimeoutError), locked(tmp_path / "lock", 0.1):
        order.append("never")
    go_on.set()
    with locked(tmp_path / "lock", 10):
        order.append("second")
    thread.join()

    assert order == ["first", "second"]


def test_a_lock_on_a_folder_that_was_removed_excludes_nobody_for_ever(tmp_path: Path) -> None:
    folder = tmp_path / "home"
    with locked(folder / "lock", 1):
        (folder / "lock").unlink()
        with locked(folder / "lock", 1):
            assert (folder / "lock").exists()


def test_java_accepts_our_trust_store(tmp_path: Path) -> None:
    write_trust_store(tmp_path / "trust.p12")
    keytool = java().with_name("keytool")
    listed = subprocess.run(
        [keytool, "-list", "-keystore", tmp_path / "trust.p12", "-storepass", ""],
        capture_output=True, text=True, check=False,
    )  # fmt: skip

    assert "trustedCertEntry" in listed.stdout
    assert subprocess.run([java(), *trust_options(tmp_path / "trust.p12"), "-version"], check=False).returncode == 0


def test_sparks_java_ignores_the_module_that_it_lacks() -> None:
    write_spark_java_home()
    arguments = ["--add-modules=jdk.incubator.vector", "-Da=b c", "-version"]

    assert subprocess.run([java(), *arguments], check=False, capture_output=True).returncode != 0
    assert subprocess.run([SPARK_JAVA_HOME / "bin" / "java", *arguments], check=False).returncode == 0


@pytest.mark.servers
def test_every_bundle_holds_its_server() -> None:
    cache = load_settings().cache
    fetch(cache, lambda _line: None)

    found = {bundle.name: {path.name for path in bundle.folder(cache).iterdir()} for bundle in jars.BUNDLES}
    assert "kafka_2.13-4.3.1.jar" in found["kafka"]
    assert "cassandra-all-5.0.5.jar" in found["cassandra"]
    assert "apicurio-registry-app-2.6.13.Final-runner.jar" in found["registry"]
    assert "iceberg-spark-runtime-4.0_2.13-1.11.0.jar" in found["spark"]
