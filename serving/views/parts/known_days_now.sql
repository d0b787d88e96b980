CREATE OR REPLACE DICTIONARY known_days_now
(
    dataset String,
    days Array(Date),
    rows Array(String)
)
PRIMARY KEY dataset
SOURCE(CLICKHOUSE(QUERY 'SELECT dataset, days, rows FROM {database}.known_days WHERE {condition}'))
LAYOUT(COMPLEX_KEY_DIRECT())
COMMENT 'Rows of daily_metrics of published days, made when asked for'
