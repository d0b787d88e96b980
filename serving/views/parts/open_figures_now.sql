CREATE OR REPLACE DICTIONARY open_figures_now
(
    day Date,
    rows String DEFAULT '[INCOMPLETE: the day was published while it was read (ask again)'
)
PRIMARY KEY day
SOURCE(CLICKHOUSE(QUERY 'SELECT day, rows FROM {database}.open_figures WHERE {condition}'))
LAYOUT(COMPLEX_KEY_DIRECT())
COMMENT 'Rows of daily_metrics of days that are not published, made when asked for'
