-- Writer: batch. A publication is a pointer: one row per day, all days of one publication in one insert, which is atomic.
-- Two publishers that race for one sequence are told apart by (version, publication_id); the loser's rows never count.
CREATE TABLE IF NOT EXISTS batch_publications
(
    dataset LowCardinality(String) COMMENT 'events or orders',
    day Date COMMENT 'UTC day',
    sequence UInt64 COMMENT 'Place of the publication in the history of its dataset',
    publication_id String COMMENT 'The days that were published together share it',
    version UInt64 COMMENT 'Version of the batch rows that it selects',
    log_epoch UInt32 COMMENT 'Incarnation of the topic that the cut speaks of',
    cut Map(UInt16, UInt64) COMMENT 'Kafka partition -> offset below which the batch has counted the day',
    snapshot_id Int64 COMMENT 'Lake snapshot that it was computed from',
    sealed Bool COMMENT 'The hot horizon of the day was over when the snapshot was landed',
    definition LowCardinality(String) COMMENT 'Hash of the session rules',
    published_at DateTime64(3, 'UTC') COMMENT 'When the pointer was written'
)
ENGINE = MergeTree
ORDER BY (dataset, sequence, publication_id, day)
