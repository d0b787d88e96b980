-- Writer: streams. The history of service tickets, a row per record by its position; of a ticket the newest updated_at counts.
CREATE TABLE IF NOT EXISTS speed_tickets
(
    day Date COMMENT 'UTC day from which the state is true',
    tenant_id LowCardinality(String) COMMENT 'Customer that the record belongs to',
    ticket_id String COMMENT 'Ticket',
    user_id String COMMENT 'User who asked',
    status LowCardinality(String) COMMENT 'open, pending, solved or closed',
    priority LowCardinality(String) COMMENT 'low, normal, high or urgent',
    category LowCardinality(String) COMMENT 'What it is about',
    channel LowCardinality(String) COMMENT 'mail, chat, phone or form',
    product_id Nullable(String) COMMENT 'Product concerned',
    transaction_id Nullable(String) COMMENT 'Order concerned',
    opened_at DateTime64(3, 'UTC') COMMENT 'When the ticket was opened',
    updated_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD) COMMENT 'From when on this is true',
    schema_id UInt32 COMMENT 'Writer schema in the registry',
    log_epoch UInt32 COMMENT 'Incarnation of the topic; offsets compare within one epoch',
    log_partition UInt16 COMMENT 'Kafka partition',
    log_offset UInt64 CODEC(Delta, ZSTD) COMMENT 'Kafka offset',
    append_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD) COMMENT 'When Kafka received it'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (tenant_id, ticket_id, updated_at, log_epoch, log_partition, log_offset)
