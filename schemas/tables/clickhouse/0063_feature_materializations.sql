-- Writer: features. Which load of which day was put online when. A row is written when it is done.
CREATE TABLE IF NOT EXISTS feature_materializations
(
    day Date COMMENT 'UTC day of the load',
    version UInt64 COMMENT 'Load, as in batch_feature_loads',
    began_at DateTime64(3, 'UTC') COMMENT 'Before it nothing of the load was online',
    finished_at DateTime64(3, 'UTC') COMMENT 'From then on all of it was',
    rows UInt64 COMMENT 'Rows of the load in all views'
)
ENGINE = MergeTree
ORDER BY (day, version, finished_at)
