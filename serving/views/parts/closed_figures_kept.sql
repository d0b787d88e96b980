CREATE OR REPLACE DICTIONARY closed_figures_kept
(
    day Date,
    selection UInt64,
    state UInt64,
    tenants Array(String),
    totals Array(Array(Int64))
)
PRIMARY KEY day, selection, state
SOURCE(CLICKHOUSE(QUERY 'SELECT day, selection, state, tenants, totals FROM {database}.closed_figures WHERE {condition}'))
LAYOUT(COMPLEX_KEY_CACHE(SIZE_IN_CELLS 4096))
LIFETIME(MIN 3600 MAX 7200)
COMMENT 'Figures of published days by the publications and the state that they were made under'
