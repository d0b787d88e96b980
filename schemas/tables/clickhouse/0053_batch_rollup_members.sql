-- Writer: batch. How many sessions of a published day have a value that a distinct metric counts.
CREATE TABLE IF NOT EXISTS batch_rollup_members
(
    day Date COMMENT 'UTC day',
    version UInt64 COMMENT 'Version of the day that the row belongs to',
    catalogue LowCardinality(String) COMMENT 'Hash of the catalogue of metrics',
    member UInt128 COMMENT 'Hash of tenant, metric and value',
    tenant_id LowCardinality(String) COMMENT 'Customer that the sessions belong to',
    metric UInt8 COMMENT 'Place of the metric among the distinct ones of the catalogue',
    sessions UInt64 COMMENT 'Sessions of the day that have the value'
)
ENGINE = ReplacingMergeTree
PARTITION BY (day, version)
ORDER BY (day, version, catalogue, member)
