-- Writer: streams. Records that could not be used, with the reason and the raw bytes.
CREATE TABLE IF NOT EXISTS speed_dead_letters
(
    topic LowCardinality(String) COMMENT 'Kafka topic',
    log_epoch UInt32 COMMENT 'Incarnation of the topic',
    log_partition UInt16 COMMENT 'Kafka partition',
    log_offset UInt64 COMMENT 'Kafka offset',
    append_time DateTime64(3, 'UTC') COMMENT 'When Kafka received it',
    reason LowCardinality(String) COMMENT 'Reason code',
    message String COMMENT 'What is wrong, in words',
    key Nullable(String) COMMENT 'Raw key',
    value Nullable(String) COMMENT 'Raw value'
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(append_time)
ORDER BY (topic, log_epoch, log_partition, log_offset)
