-- Writer: batch. Every comparison of the speed layer with a published day.
CREATE TABLE IF NOT EXISTS batch_reconciliation
(
    day Date COMMENT 'UTC day that was compared',
    dataset LowCardinality(String) COMMENT 'events or orders',
    version UInt64 COMMENT 'Version of the batch rows',
    checked_at DateTime64(3, 'UTC') COMMENT 'When',
    source LowCardinality(String) COMMENT 'Rows that were compared: sessions, events, orders or products',
    tenant_id LowCardinality(String) COMMENT 'Customer',
    currency LowCardinality(String) COMMENT 'ISO 4217 code; empty where money is not concerned',
    metric LowCardinality(String) COMMENT 'Metric of the catalogue, or counter of products',
    groups UInt64 COMMENT 'Groups compared: session ids, orders or products',
    equal UInt64 COMMENT 'Groups of which both say the same',
    differing UInt64 COMMENT 'Groups of which they say different values',
    missing UInt64 COMMENT 'Groups that only the batch has',
    extra UInt64 COMMENT 'Groups that only the speed layer has',
    speed_total Int64 COMMENT 'Sum over groups in the speed layer',
    batch_total Int64 COMMENT 'Sum over groups in the batch layer',
    smape Float64 COMMENT 'Symmetric mean absolute percentage error over groups, 0 equal to 2',
    worst Array(String) COMMENT 'Groups that differ most'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (day, dataset, checked_at, source, tenant_id, currency, metric)
