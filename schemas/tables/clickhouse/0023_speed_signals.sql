-- Writer: streams. Figures from outside the shop, a row per record by its position; the last by position of one time counts.
CREATE TABLE IF NOT EXISTS speed_signals
(
    day Date COMMENT 'UTC day that the figure is about',
    tenant_id LowCardinality(String) COMMENT 'Customer that the record belongs to',
    source LowCardinality(String) COMMENT 'Who gives the figure: ads, weather ...',
    metric LowCardinality(String) COMMENT 'What is measured',
    value Float64 COMMENT 'The figure in its unit; money in minor units of the currency that the unit names',
    unit LowCardinality(String) COMMENT 'Unit of the figure: count, celsius, EUR ...',
    region Nullable(String) COMMENT 'ISO 3166-1 alpha-2 code of the country concerned',
    product_id Nullable(String) COMMENT 'Product concerned',
    observed_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD) COMMENT 'Time that the figure is about',
    schema_id UInt32 COMMENT 'Writer schema in the registry',
    log_epoch UInt32 COMMENT 'Incarnation of the topic; offsets compare within one epoch',
    log_partition UInt16 COMMENT 'Kafka partition',
    log_offset UInt64 CODEC(Delta, ZSTD) COMMENT 'Kafka offset',
    append_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD) COMMENT 'When Kafka received it'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (tenant_id, source, metric, observed_at, log_epoch, log_partition, log_offset)
