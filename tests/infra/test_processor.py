"""What numpy and polars are told to leave alone."""

import os
import subprocess
import sys

import pytest

from infra.processor import disabled_features

_INFO = """processor\t: 0
vendor_id\t: {vendor}
cpu family\t: {family}
model name\t: any
flags\t\t: fpu avx2 {flags}

processor\t: 1
"""


@pytest.mark.parametrize(
    ("vendor", "family", "flags", "disabled"),
    [
        ("AuthenticAMD", "25", "avx512f", "X86_V4"),
        ("AuthenticAMD", "25", "", ""),
        ("AuthenticAMD", "26", "avx512f", ""),
        ("GenuineIntel", "6", "avx512f", ""),
    ],
    ids=["zen 4", "zen 3", "zen 5", "intel"],
)
def test_only_zen_4_does_without_avx_512(vendor: str, family: str, flags: str, disabled: str) -> None:
    assert disabled_features(_INFO.format(vendor=vendor, family=family, flags=flags)) == disabled


def test_a_processor_that_is_described_otherwise_is_left_alone() -> None:
    assert disabled_features("Processor\t: ARMv8\n") == ""


@pytest.mark.parametrize(("given", "threads"), [({}, 1), ({"POLARS_MAX_THREADS": "2"}, 2)], ids=["itself", "told"])
def test_a_worker_works_in_one_thread_unless_it_is_told_otherwise(given: dict[str, str], threads: int) -> None:
    said = "import streams, polars; print(polars.thread_pool_size())"
    around = {name: value for name, value in os.environ.items() if name != "POLARS_MAX_THREADS"}
    made = subprocess.run([sys.executable, "-c", said], env=around | given, capture_output=True, check=True, timeout=60)
    assert int(made.stdout) == threads
