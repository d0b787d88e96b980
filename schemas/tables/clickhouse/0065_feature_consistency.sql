-- Writer: features. Served values against the history of the same moment, per check and feature.
CREATE TABLE IF NOT EXISTS feature_consistency
(
    check_id String COMMENT 'The check',
    checked_at DateTime64(3, 'UTC') COMMENT 'When it was made',
    view LowCardinality(String) COMMENT 'Feature view',
    feature LowCardinality(String) COMMENT 'Feature',
    compared UInt64 COMMENT 'Sampled keys',
    mismatched UInt64 COMMENT 'Both have a value, and the values differ',
    missing UInt64 COMMENT 'The history has a value and none was served',
    extra UInt64 COMMENT 'A value was served that the history does not have',
    smape Nullable(Float64) COMMENT 'Symmetric mean absolute percentage error of numbers, 0..2; null for others',
    passed Bool COMMENT 'Nothing differs'
)
ENGINE = MergeTree
ORDER BY (checked_at, check_id, view, feature)
