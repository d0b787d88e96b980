-- Writer: batch. What each landing added, by day and partition: a copy of what the lake says.
CREATE TABLE IF NOT EXISTS batch_landings
(
    dataset LowCardinality(String) COMMENT 'events or orders',
    snapshot_id Int64 COMMENT 'Lake snapshot of the landing',
    log_epoch UInt32 COMMENT 'Incarnation of the topic',
    log_partition UInt16 COMMENT 'Kafka partition',
    day Date COMMENT 'UTC day of the records',
    records UInt64 COMMENT 'Usable records of the day in the landing, duplicates included',
    first_offset UInt64 COMMENT 'Lowest of their offsets',
    last_offset UInt64 COMMENT 'Greatest of their offsets',
    taken_at DateTime64(3, 'UTC') COMMENT 'When the end offsets of the landing were taken'
)
ENGINE = ReplacingMergeTree
ORDER BY (dataset, log_epoch, log_partition, day, snapshot_id)
