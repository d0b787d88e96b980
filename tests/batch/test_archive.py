"""Spark starts from the archive of its classes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from infra.jars import fetch
from infra.settings import ROOT, load_settings
from infra.spark_archive import write_spark_archive

pytestmark = [pytest.mark.servers, pytest.mark.timeout(600)]

SESSION = """
import sys
from pathlib import Path
from batch.spark import spark_config, spark_session
from infra.settings import load_settings

with spark_session(spark_config(load_settings(Path(sys.argv[1])))) as spark:
    assert spark.range(3).count() == 3
"""


def test_the_classes_of_spark_come_from_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the archive of this environment: it is made where there is none, which takes a minute."""
    fetch(load_settings().cache, lambda _line: None)
    assert write_spark_archive(lambda _line: None)
    loaded = tmp_path / "loaded.log"
    monkeypatch.setenv("JAVA_TOOL_OPTIONS", f"-Xlog:class+load:file={loaded}")
    subprocess.run([sys.executable, "-c", SESSION, str(tmp_path)], cwd=ROOT, check=True, timeout=200)
    lines = [line for line in loaded.read_text().splitlines() if "org.apache.spark.sql" in line]
    assert len(lines) > 1_000
    assert sum("shared objects file" in line for line in lines) > 0.5 * len(lines)
