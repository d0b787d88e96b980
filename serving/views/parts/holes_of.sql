CREATE OR REPLACE DICTIONARY holes_of
(
    dataset String,
    days Array(Date),
    messages Array(String)
)
PRIMARY KEY dataset
SOURCE(CLICKHOUSE(QUERY 'SELECT dataset, days, messages FROM (SELECT dataset, groupArray(day) AS days, groupArray(message) AS messages FROM {database}.holes GROUP BY dataset) WHERE {condition}'))
LAYOUT(COMPLEX_KEY_DIRECT())
COMMENT 'Holes by dataset, looked for when a view asks: it does so only where there may be some'
