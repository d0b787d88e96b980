"""The engine's own configuration, rendered for two cores and a bounded memory."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape

_ONE_FILE_BELOW = 256 << 20
"""Bytes of a part, uncompressed, below which it is one file and not a dozen, or a hundred: of the time that a small
insert takes, files were a third, and twice that within half a minute of the removal of many (ext4)."""

_MERGE_BASE = 10
"""How many times its largest part a merge is to be. By the engine's own 5, of 160 inserts of 3,000 rows each row was
written ten times; by this, three times, and 12 parts are left instead of 8."""


def config_xml(users: Path, memory_bytes: int, merge_threads: int = 2) -> str:
    """The engine's configuration file: where users are, how much memory, how many merges.

    Merges stand back behind inserts and queries where the process may lower their priority (CAP_SYS_NICE). No
    statistics of columns are kept: each insert and merge would pay for them, and no query here is planned by them.

    A view without a stated SQL SECURITY gets its creator's rights, as ``default_normal_view_sql_security`` asks for;
    without ``ignore_empty_sql_security_in_create_view_query`` off, the engine would not look at that setting.
    """
    return f"""<clickhouse>
  <users_config>{escape(str(users))}</users_config>
  <timezone>UTC</timezone>
  <max_server_memory_usage>{memory_bytes}</max_server_memory_usage>
  <ignore_empty_sql_security_in_create_view_query>0</ignore_empty_sql_security_in_create_view_query>
  <background_pool_size>{merge_threads}</background_pool_size>
  <os_threads_nice_value_merge_mutate>5</os_threads_nice_value_merge_mutate>
  <background_schedule_pool_size>4</background_schedule_pool_size>
  <background_common_pool_size>2</background_common_pool_size>
  <background_fetches_pool_size>1</background_fetches_pool_size>
  <background_move_pool_size>1</background_move_pool_size>
  <mark_cache_size>{256 << 20}</mark_cache_size>
  <merge_tree>
    <min_bytes_for_full_part_storage>{_ONE_FILE_BELOW}</min_bytes_for_full_part_storage>
    <auto_statistics_types></auto_statistics_types>
    <merge_selector_base>{_MERGE_BASE}</merge_selector_base>
    <number_of_free_entries_in_pool_to_lower_max_size_of_merge>1</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
    <number_of_free_entries_in_pool_to_execute_mutation>1</number_of_free_entries_in_pool_to_execute_mutation>
    <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>1</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
  </merge_tree>
</clickhouse>
"""
