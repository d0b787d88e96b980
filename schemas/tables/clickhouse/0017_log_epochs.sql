-- Writer: streams. Binds an epoch to the id that Kafka gave the topic.
CREATE TABLE IF NOT EXISTS log_epochs
(
    topic LowCardinality(String) COMMENT 'Kafka topic',
    log_epoch UInt32 COMMENT 'Epoch',
    topic_id String COMMENT 'Id of the topic in Kafka',
    partitions UInt16 COMMENT 'Partition count; never changes within an epoch'
)
ENGINE = ReplacingMergeTree
ORDER BY (topic, log_epoch)
