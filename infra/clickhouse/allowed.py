"""The lists that say what may be used here: statements, functions, engines, system tables."""

from __future__ import annotations


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


TABLE_ENGINES = _words("""
    MergeTree ReplacingMergeTree SummingMergeTree AggregatingMergeTree CollapsingMergeTree CoalescingMergeTree
    VersionedCollapsingMergeTree GraphiteMergeTree Memory Log TinyLog StripeLog Null Dictionary
""")
"""Table engines that keep their rows inside the store and need no other server."""

DATABASE_ENGINES = _words("Atomic Memory")

READS = _words("""
    SelectWithUnionQuery SelectIntersectExceptQuery ExplainQuery DescribeQuery UseQuery SetQuery
    ShowTablesQuery ShowColumnsQuery ShowIndexesQuery ShowFunctions ShowSettingQuery ShowGrantsQuery ShowEngines
""")
"""Statements, as the engine's parser names them, that change nothing but the session they run in."""

READ_PREFIXES = ("Exists", "ShowCreate")

WRITES = _words("""
    InsertQuery CreateQuery DropQuery RenameQuery AlterQuery OptimizeQuery DeleteQuery UpdateQuery CheckTableQuery
    CreateIndexQuery DropIndexQuery CreateSQLFunctionQuery DropFunctionQuery KillQueryQuery SystemQuery
    ShowProcesslistQuery
""")

WRITE_PREFIXES = ("UndropQuery",)

ANALYST_TABLE_FUNCTIONS = _words("""
    numbers numbers_mt zeros zeros_mt primes generate_series generateseries generaterandom values view viewexplain
    viewifpermitted null format
""")
"""Table functions, in lower case, that read nothing but their own arguments."""

TABLE_FUNCTIONS = ANALYST_TABLE_FUNCTIONS | _words("""
    merge dictionary loop mergetreeindex mergetreeprojection mergetreepartsinfo mergetreeanalyzeindexes
    mergetreetextindex
""")
"""Table functions, in lower case, that read nothing outside the store."""

REACHING_FUNCTIONS = _words("file python disk catboostevaluate getclienthttpheader")
"""Functions, in lower case, that read the machine's files or this process's memory, where no grant is asked for."""

TEXT_SETTINGS = _words("""
    bool_false_representation bool_true_representation column_names_for_schema_inference compatibility
    count_distinct_implementation exclude_materialize_skip_indexes_on_insert force_data_skipping_indices
    force_optimize_projection_name format_csv_null_representation format_custom_field_delimiter
    format_custom_result_after_delimiter format_custom_result_before_delimiter format_custom_row_after_delimiter
    format_custom_row_before_delimiter format_custom_row_between_delimiter
    format_json_object_each_row_column_for_object_name format_regexp format_tsv_null_representation
    ignore_data_skipping_indices input_format_orc_reader_time_zone_name insert_deduplication_token log_comment
    network_compression_method output_format_avro_codec output_format_avro_string_column_pattern
    output_format_orc_writer_time_zone_name output_format_pretty_grid_charset output_format_sql_insert_table_name
    preferred_optimize_projection_name query_cache_tag schema_inference_hints temporary_files_codec workload
""")
"""Settings whose value is text that is neither code, nor the name of a file or of another server."""

TEXT_TYPES = _words("String Map URI Dialect")
"""Types of settings that may hold code, such as a filter on every table, or names of files and servers."""

SYSTEM_TABLES = _words("""
    aggregate_function_combinators build_options collations columns contributors current_roles data_skipping_indices
    data_type_families databases dictionaries enabled_roles formats functions keywords licenses numbers numbers_mt one
    settings table_engines table_functions tables time_zones zeros zeros_mt
""")
"""System tables that show an analyst nothing of other people's work; those that list objects list the granted ones."""
