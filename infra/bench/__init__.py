"""Measurements of the running system: workloads, and what was spent on them."""

from infra.allocation import keep_memory
from infra.processor import sort_by_fast_instructions

keep_memory()
sort_by_fast_instructions()
