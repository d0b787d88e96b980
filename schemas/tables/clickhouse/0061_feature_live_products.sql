-- Writer: features. Every value of a product's last hour that was put online; training reads what serving used.
-- A replay writes the same row again: the first time at which it was put online is kept.
CREATE TABLE IF NOT EXISTS feature_live_products
(
    tenant_id LowCardinality(String) COMMENT 'Customer that the record belongs to',
    product_id String COMMENT 'Product',
    event_time DateTime64(3, 'UTC') COMMENT 'When Kafka received the last count in it, or a window ended',
    appended_at DateTime64(3, 'UTC') COMMENT 'The same: the value was known as soon as it held',
    pushed_at DateTime64(3, 'UTC') COMMENT 'When it was put online',
    views_5m Int64 COMMENT 'Page views in the running 5-minute window',
    views_60m Int64 COMMENT 'Page views in the last 12 windows',
    carts_60m Int64 COMMENT 'Times put in a cart in the last 12 windows',
    purchases_60m Int64 COMMENT 'Purchase events in the last 12 windows',
    first_push UInt64 MATERIALIZED 18446744073709551615 - toUInt64(toUnixTimestamp64Milli(pushed_at)) COMMENT 'Greatest for the earliest pushed_at'
)
ENGINE = ReplacingMergeTree(first_push)
PARTITION BY toYYYYMM(event_time)
ORDER BY (tenant_id, product_id, event_time, appended_at)
