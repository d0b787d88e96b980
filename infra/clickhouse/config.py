"""The engine's own configuration, rendered for two cores and a bounded memory."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape


def config_xml(users: Path, memory_bytes: int, merge_threads: int = 2) -> str:
    """The engine's configuration file: where users are, how much memory, how many merges.

    Merges stand back behind inserts and queries where the process may lower their priority (CAP_SYS_NICE).

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
    <number_of_free_entries_in_pool_to_lower_max_size_of_merge>1</number_of_free_entries_in_pool_to_lower_max_size_of_merge>
    <number_of_free_entries_in_pool_to_execute_mutation>1</number_of_free_entries_in_pool_to_execute_mutation>
    <number_of_free_entries_in_pool_to_execute_optimize_entire_partition>1</number_of_free_entries_in_pool_to_execute_optimize_entire_partition>
  </merge_tree>
</clickhouse>
"""
