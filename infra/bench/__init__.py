"""Measurements of the running system: workloads, and what was spent on them."""

from infra.allocation import keep_memory

keep_memory()
