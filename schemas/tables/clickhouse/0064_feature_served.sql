-- Writer: features. What readers of sampled keys were given, to be held against the history.
CREATE TABLE IF NOT EXISTS feature_served
(
    check_id String COMMENT 'The check that sampled it',
    served_at DateTime64(3, 'UTC') COMMENT 'When the read began',
    answered_at DateTime64(3, 'UTC') COMMENT 'When the answer was there',
    view LowCardinality(String) COMMENT 'Feature view',
    entity Array(String) COMMENT 'Values of the join keys, in the order of the view',
    feature LowCardinality(String) COMMENT 'Feature',
    value String COMMENT 'The value as JSON; null where none was served'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(served_at)
ORDER BY (check_id, view, entity, feature)
