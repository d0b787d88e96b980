-- Writer: streams. Absolute counts of one window, product and partition as of one offset; the greatest as_of counts.
-- The window is before the product, for questions are of a span; the day is a part of the key for the reason given for events_speed.
CREATE TABLE IF NOT EXISTS speed_products
(
    day Date COMMENT 'UTC day of the window',
    window_start DateTime('UTC') COMMENT 'Start of the 5-minute window of event time',
    tenant_id LowCardinality(String) COMMENT 'Customer that the record belongs to',
    product_id String COMMENT 'Product',
    log_epoch UInt32 COMMENT 'Incarnation of the topic',
    log_partition UInt16 COMMENT 'Kafka partition that the events came from',
    as_of UInt64 COMMENT 'Offset of the last event counted',
    views UInt64 COMMENT 'Page views of the product',
    clicks UInt64 COMMENT 'Clicks on the product',
    add_to_carts UInt64 COMMENT 'Times put in a cart',
    purchases UInt64 COMMENT 'Purchase events'
)
ENGINE = ReplacingMergeTree(as_of)
PARTITION BY day
ORDER BY (tenant_id, window_start, product_id, log_epoch, log_partition, day)
