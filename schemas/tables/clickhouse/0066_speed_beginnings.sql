-- Writer: streams. Where each partition of the log begins in the speed store, written before the first of its records: all
-- that holes are found by. `events` and `orders` are in the partition key, for then the engine knows the greatest of them
-- without reading a row: past the partitions that all cuts have, there may be a hole.
CREATE TABLE IF NOT EXISTS speed_beginnings
(
    topic LowCardinality(String) COMMENT 'Kafka topic',
    log_epoch UInt32 COMMENT 'Incarnation of the topic',
    log_partition UInt16 COMMENT 'Kafka partition',
    complete_from UInt64 COMMENT 'Offset from which the speed store has no gap',
    hole_until Date COMMENT 'Last UTC day that a record below complete_from can belong to',
    events UInt32 MATERIALIZED if(topic != 'user-events', 0, if(complete_from > 0, 4294967295, log_partition + 1)) COMMENT 'Partition + 1 of user-events, 2^32 - 1 where it begins past records',
    orders UInt32 MATERIALIZED if(topic != 'transactions', 0, if(complete_from > 0, 4294967295, log_partition + 1)) COMMENT 'The same of transactions'
)
ENGINE = ReplacingMergeTree(complete_from)
PARTITION BY (events = 0, orders = 0)
ORDER BY (topic, log_epoch, log_partition)
