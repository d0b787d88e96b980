CREATE OR REPLACE DICTIONARY holes_of
(
    dataset String,
    days Array(Date),
    messages Array(String),
    partitions Array(UInt16),
    kinds Array(String)
)
PRIMARY KEY dataset
SOURCE(CLICKHOUSE(QUERY 'SELECT dataset, days, messages, partitions, kinds FROM (SELECT dataset, groupArray(day) AS days, groupArray(message) AS messages, groupArray(log_partition) AS partitions, groupArray(kind) AS kinds FROM {database}.found_holes GROUP BY dataset) WHERE {condition}'))
LAYOUT(COMPLEX_KEY_DIRECT())
COMMENT 'Holes by dataset, looked for when a view asks: it does so only where there may be some'
