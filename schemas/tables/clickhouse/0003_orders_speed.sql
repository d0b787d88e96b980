-- Writer: streams. The day is a part of the key for the reason given for events_speed.
CREATE TABLE IF NOT EXISTS orders_speed
(
    day Date COMMENT 'UTC day of the status change',
    tenant_id LowCardinality(String) COMMENT 'Customer that the record belongs to',
    transaction_id String COMMENT 'Order; each status change of it is one row',
    user_id String COMMENT 'Buyer',
    status LowCardinality(String) COMMENT 'completed, refunded, pending or cancelled',
    order_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD) COMMENT 'When the status changed',
    currency LowCardinality(String) COMMENT 'ISO 4217 code',
    amount_minor Int64 COMMENT 'Total in minor units of the currency',
    payment_method LowCardinality(String) COMMENT 'card, paypal ...',
    items Array(Tuple(product_id String, quantity Int32, price_minor Int64, category String)) COMMENT 'Lines; price per piece in minor units',
    schema_id UInt32 COMMENT 'Writer schema in the registry',
    log_epoch UInt32 COMMENT 'Incarnation of the topic; offsets compare within one epoch',
    log_partition UInt16 COMMENT 'Kafka partition',
    log_offset UInt64 CODEC(Delta, ZSTD) COMMENT 'Kafka offset',
    append_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD) COMMENT 'When Kafka received it',
    INDEX user_id user_id TYPE bloom_filter GRANULARITY 4
)
ENGINE = ReplacingMergeTree
PARTITION BY day
ORDER BY (tenant_id, transaction_id, log_epoch, log_partition, log_offset, day)
