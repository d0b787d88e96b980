"""What numpy and polars had better leave alone on the processor that they run on.

AMD's Zen 4 knows AVX-512, but stores chosen lanes by microcode (vpcompress to memory), and numpy's sorts with AVX-512
consist of that: by AVX2 they take a fifth of the time there.
"""

from __future__ import annotations

import os
from pathlib import Path

_CPU_INFO = Path("/proc/cpuinfo")
_ZEN_3_AND_4 = "25"
_AVX_512 = "X86_V4"
"""What numpy calls it; all that builds on it goes with it."""


def disabled_features(cpu_info: str) -> str:
    """The group of instructions that numpy is to do without, by the text of /proc/cpuinfo; Zen 3 has no AVX-512."""
    first = cpu_info.split("\n\n")[0].splitlines()
    facts = {name.strip(): value.strip() for name, _, value in (line.partition(":") for line in first)}
    is_zen = (facts.get("vendor_id"), facts.get("cpu family")) == ("AuthenticAMD", _ZEN_3_AND_4)
    return _AVX_512 if is_zen and "avx512f" in facts.get("flags", "").split() else ""


def sort_by_fast_instructions() -> None:
    """Tells numpy, which is not yet imported, unless the environment says otherwise."""
    disabled = disabled_features(_CPU_INFO.read_text()) if _CPU_INFO.exists() else ""
    if disabled:
        os.environ.setdefault("NPY_DISABLE_CPU_FEATURES", disabled)


def keep_to_one_thread() -> None:
    """Tells polars, which has not begun to work, unless the environment says otherwise.

    Frames of a tick are small: a second thread took a tenth off their time, and to hand work over, and to wait for a
    core that another process has, cost more than that. More cores are for more workers.
    """
    os.environ.setdefault("POLARS_MAX_THREADS", "1")
