CREATE OR REPLACE DICTIONARY closed_figures_now
(
    day Date,
    selection UInt64,
    tenants Array(String),
    totals Array(Array(Int64))
)
PRIMARY KEY day, selection
SOURCE(CLICKHOUSE(QUERY 'SELECT day, selection, tenants, totals FROM {database}.closed_figures WHERE {condition}'))
LAYOUT(COMPLEX_KEY_DIRECT())
COMMENT 'Figures of published days, added up when asked for'
