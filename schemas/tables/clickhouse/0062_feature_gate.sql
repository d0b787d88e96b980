-- Writer: features. What the gate found of each feature before a load was put online.
CREATE TABLE IF NOT EXISTS feature_gate
(
    day Date COMMENT 'UTC day of the load',
    version UInt64 COMMENT 'Load, as in batch_feature_loads',
    checked_at DateTime64(3, 'UTC') COMMENT 'When it was judged',
    view LowCardinality(String) COMMENT 'Feature view',
    feature LowCardinality(String) COMMENT 'Feature',
    rows UInt64 COMMENT 'Rows of the view in the load',
    null_share Float64 COMMENT 'Share of rows without a value, 0..1',
    null_share_before Nullable(Float64) COMMENT 'The same a week before; null where there was no load',
    psi Nullable(Float64) COMMENT 'Population stability index against a week before; null without one or for lists',
    passed Bool COMMENT 'False keeps the whole load offline',
    reason String COMMENT 'Why it did not pass; empty if it did'
)
ENGINE = MergeTree
ORDER BY (day, version, checked_at, view, feature)
