-- Writer: streams. Closed days that a late record touched, all of which its recompute must take along.
CREATE TABLE IF NOT EXISTS speed_reach
(
    dataset LowCardinality(String) COMMENT 'events or orders',
    tenant_id LowCardinality(String) COMMENT 'Customer that the record belongs to',
    entity_id String COMMENT 'Session id or transaction id',
    log_epoch UInt32 COMMENT 'Incarnation of the topic',
    log_partition UInt16 COMMENT 'Kafka partition',
    as_of UInt64 COMMENT 'Offset of the last record that the row knows',
    append_time DateTime64(3, 'UTC') COMMENT 'Append time of that record',
    days Array(Date) COMMENT 'UTC days on which events of the touched sessions lie'
)
ENGINE = ReplacingMergeTree
PARTITION BY toDate(append_time)
ORDER BY (dataset, log_epoch, log_partition, as_of, tenant_id, entity_id)
