-- Writer: batch. What readers get after a publication, all days at once in one row: of a dataset the greatest
-- (sequence, version, publication_id) counts, so that one short read tells all that a merged view must know.
CREATE TABLE IF NOT EXISTS batch_selections
(
    dataset LowCardinality(String) COMMENT 'events or orders',
    sequence UInt64 COMMENT 'Place of the publication in the history of its dataset',
    version UInt64 COMMENT 'Version that it published',
    publication_id String COMMENT 'The publication',
    published_at DateTime64(3, 'UTC') COMMENT 'When it was written',
    days Array(Date) COMMENT 'Every published UTC day',
    versions Array(UInt64) COMMENT 'Version of the batch rows of each of these days',
    sequences Array(UInt64) COMMENT 'Sequence of the publication of each of these days',
    publications Array(String) COMMENT 'Id of the publication of each of these days',
    hot_days Array(Date) COMMENT 'Published days that are not sealed: late records still count',
    hot_versions Array(UInt64) COMMENT 'Version of the batch rows of each of these days',
    places Array(UInt32) COMMENT 'Day number * 65536 + Kafka partition, of each partition of the cuts of these days',
    bounds Array(UInt64) COMMENT 'Log epoch * 2^48 + cut, of each place: records at or past it are not in the batch rows',
    partitions Array(UInt16) COMMENT 'Kafka partitions that all cuts have',
    selected Array(Tuple(day Date, version UInt64)) MATERIALIZED arrayZip(days, versions) COMMENT 'Days with their versions',
    hot Array(Tuple(day Date, version UInt64)) MATERIALIZED arrayZip(hot_days, hot_versions) COMMENT 'Days that are not sealed, with their versions',
    -- What merged views ask of the selection that counts, so that the long arrays of all the others are not read.
    PROJECTION newest
    (
        SELECT dataset, argMax((selected, places, bounds, partitions), (sequence, version, publication_id))
        GROUP BY dataset
    )
)
ENGINE = MergeTree
ORDER BY (dataset, sequence, version, publication_id)
