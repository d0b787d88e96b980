"""The speed layer."""

from infra.allocation import keep_memory

keep_memory()
