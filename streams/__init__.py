"""The speed layer."""

from infra.allocation import keep_memory
from infra.processor import keep_to_one_thread, sort_by_fast_instructions

keep_memory()
sort_by_fast_instructions()
keep_to_one_thread()
