-- Writer: batch. Every load of every day is kept: training sees what was known then.
CREATE TABLE IF NOT EXISTS batch_user_affinity
(
    day Date COMMENT 'UTC day that the value is of',
    version UInt64 COMMENT 'Load that the row belongs to; a row counts once its load is published',
    created_at DateTime64(3, 'UTC') COMMENT 'When it was loaded: nobody knew the value before',
    tenant_id LowCardinality(String) COMMENT 'Customer that the record belongs to',
    user_id String COMMENT 'Signed-in user',
    dimension LowCardinality(String) COMMENT 'category or product',
    value String COMMENT 'Category, or product id',
    event_time DateTime64(3, 'UTC') COMMENT 'End of the day: from then on the value holds',
    score Float64 COMMENT 'Points of 30 days, halved every 7 days',
    share Float64 COMMENT 'Score over all scores of the user and dimension, 0..1',
    rank Int64 COMMENT '1 is the greatest'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (tenant_id, user_id, dimension, value, day, version)
