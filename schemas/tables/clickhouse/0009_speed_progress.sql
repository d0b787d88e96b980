-- Writer: streams. How far each partition is applied; the greatest `applied` counts.
CREATE TABLE IF NOT EXISTS speed_progress
(
    topic LowCardinality(String) COMMENT 'Kafka topic',
    log_epoch UInt32 COMMENT 'Incarnation of the topic',
    log_partition UInt16 COMMENT 'Kafka partition',
    applied UInt64 COMMENT 'Offset below which every record is applied, from complete_from on',
    complete_from UInt64 COMMENT 'Offset from which the speed store has no gap',
    hole_until Date COMMENT 'Last UTC day that a record below complete_from can belong to',
    watermark DateTime64(3, 'UTC') COMMENT 'Greatest event time applied',
    append_time DateTime64(3, 'UTC') COMMENT 'Append time of the last record applied'
)
ENGINE = ReplacingMergeTree(applied)
ORDER BY (topic, log_epoch, log_partition)
