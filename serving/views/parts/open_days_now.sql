CREATE OR REPLACE DICTIONARY open_days_now
(
    day Date,
    rows String DEFAULT '[INCOMPLETE: the day was published while it was read (ask again)'
)
PRIMARY KEY day
SOURCE(CLICKHOUSE(QUERY 'SELECT day, rows FROM {database}.open_days WHERE {condition}'))
LAYOUT(COMPLEX_KEY_DIRECT())
COMMENT 'Rows of daily_metrics of days that are not published, kept or made when asked for'
