-- Writer: streams. The history of stock, a row per record by its position; of a product and warehouse the newest updated_at counts.
CREATE TABLE IF NOT EXISTS speed_inventory
(
    day Date COMMENT 'UTC day from which the state is true',
    tenant_id LowCardinality(String) COMMENT 'Customer that the record belongs to',
    product_id String COMMENT 'Product',
    warehouse LowCardinality(String) COMMENT 'Place where the pieces are',
    quantity Int32 COMMENT 'Pieces on hand; negative when more was sold than there was',
    reserved Int32 COMMENT 'Pieces of these that open orders hold',
    reason LowCardinality(String) COMMENT 'sale, restock, return or correction',
    updated_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD) COMMENT 'From when on this is true',
    schema_id UInt32 COMMENT 'Writer schema in the registry',
    log_epoch UInt32 COMMENT 'Incarnation of the topic; offsets compare within one epoch',
    log_partition UInt16 COMMENT 'Kafka partition',
    log_offset UInt64 CODEC(Delta, ZSTD) COMMENT 'Kafka offset',
    append_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD) COMMENT 'When Kafka received it'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (tenant_id, product_id, warehouse, updated_at, log_epoch, log_partition, log_offset)
