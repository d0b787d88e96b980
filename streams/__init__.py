"""The speed layer."""

from infra.allocation import keep_memory
from infra.processor import sort_by_fast_instructions

keep_memory()
sort_by_fast_instructions()
