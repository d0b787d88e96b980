-- Writer: batch. A load of features counts once its row is here; of one day the load of the newest inputs is the current one.
CREATE TABLE IF NOT EXISTS batch_feature_loads
(
    day Date COMMENT 'UTC day of the features',
    version UInt64 COMMENT 'Version of the rows that it selects',
    events_sequence Int64 COMMENT 'Place in the lake of the events that the day was last computed from',
    orders_sequence Int64 COMMENT 'Place in the lake of the orders that the day was last computed from',
    events_run String COMMENT 'Recompute of events',
    orders_run String COMMENT 'Recompute of orders',
    created_at DateTime64(3, 'UTC') COMMENT 'When the load was made'
)
ENGINE = MergeTree
ORDER BY (day, version)
