-- Writer: batch. Figures of published days, added up under the catalogue of metrics that `catalogue` is the hash of. A row
-- without tenant stands for the day itself, so that a day without events is told from one that is not rolled up.
CREATE TABLE IF NOT EXISTS batch_rollup
(
    catalogue LowCardinality(String) COMMENT 'Hash of the catalogue of metrics',
    day Date COMMENT 'UTC day',
    version UInt64 COMMENT 'Version of the day that the row belongs to',
    tenant_id LowCardinality(String) COMMENT 'Customer; empty in the row of the day itself',
    figures Array(Int64) COMMENT 'Partial values of the metrics, in the order of the catalogue'
)
ENGINE = ReplacingMergeTree
ORDER BY (catalogue, day, version, tenant_id)
