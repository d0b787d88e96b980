-- Writer: batch. What readers get after a publication, all days at once in one row: of a dataset the greatest
-- (sequence, version, publication_id) counts. `events` and `orders` are ids that sort by these, and tell of the contents too,
-- so that what is kept under an id never changes. They are in the partition key, for then the engine knows the greatest of
-- each part without reading it: that is all that a merged view reads here.
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
    id String MATERIALIZED concat(leftPad(hex(sequence), 16, '0'), leftPad(hex(version), 16, '0'), publication_id, '\0',
        hex(sipHash128(days, versions, sequences, publications, hot_days, hot_versions, places, bounds, partitions))) COMMENT 'Sorts as (sequence, version, publication_id), another one for other contents',
    events String MATERIALIZED if(dataset = 'events', id, '') COMMENT 'The id of a selection of events',
    orders String MATERIALIZED if(dataset = 'orders', id, '') COMMENT 'The id of a selection of orders'
)
ENGINE = MergeTree
PARTITION BY (events = '', orders = '')
ORDER BY (dataset, sequence, version, publication_id)
