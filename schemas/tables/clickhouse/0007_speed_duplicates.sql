-- Writer: streams. Records that repeat an earlier one; kept by position so that the accounting law can be checked for any range.
CREATE TABLE IF NOT EXISTS speed_duplicates
(
    topic LowCardinality(String) COMMENT 'Kafka topic',
    log_epoch UInt32 COMMENT 'Incarnation of the topic',
    log_partition UInt16 COMMENT 'Kafka partition',
    log_offset UInt64 COMMENT 'Kafka offset',
    append_time DateTime64(3, 'UTC') COMMENT 'When Kafka received it',
    tenant_id LowCardinality(String) COMMENT 'Customer that the record belongs to',
    entity_id String COMMENT 'Session id or transaction id',
    record_id String COMMENT 'Event id or transaction id',
    first_offset UInt64 COMMENT 'Offset of the record that it repeats'
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(append_time)
ORDER BY (topic, log_epoch, log_partition, log_offset)
