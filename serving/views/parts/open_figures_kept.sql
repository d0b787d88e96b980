CREATE OR REPLACE DICTIONARY open_figures_kept
(
    day Date,
    state UInt64,
    rows String
)
PRIMARY KEY day, state
SOURCE(CLICKHOUSE(QUERY 'SELECT day, state, rows FROM {database}.open_figures WHERE {condition}'))
LAYOUT(COMPLEX_KEY_CACHE(SIZE_IN_CELLS 64))
LIFETIME(MIN 3600 MAX 7200)
COMMENT 'Rows of daily_metrics of days that are not published, by the state that they were made under'
