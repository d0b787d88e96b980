CREATE OR REPLACE DICTIONARY open_figures_now
(
    day Date,
    tenants Array(String),
    totals Array(Array(Int64))
)
PRIMARY KEY day
SOURCE(CLICKHOUSE(QUERY 'SELECT day, tenants, totals FROM {database}.open_figures WHERE {condition}'))
LAYOUT(COMPLEX_KEY_DIRECT())
COMMENT 'Figures of days that are not published, added up when asked for'
