CREATE OR REPLACE DICTIONARY known_days_kept
(
    situation UInt64,
    days Array(Date),
    rows Array(String)
)
PRIMARY KEY situation
SOURCE(CLICKHOUSE(QUERY 'SELECT situation, days, rows FROM {database}.known_days WHERE {condition}'))
LAYOUT(CACHE(SIZE_IN_CELLS 16))
LIFETIME(MIN 3600 MAX 7200)
COMMENT 'Rows of daily_metrics of published days, by the situation that they were made under'
