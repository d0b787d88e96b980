-- Writer: batch. Every load of every day is kept: training sees what was known then.
CREATE TABLE IF NOT EXISTS batch_product_pairs
(
    day Date COMMENT 'UTC day that the value is of',
    version UInt64 COMMENT 'Load that the row belongs to; a row counts once its load is published',
    created_at DateTime64(3, 'UTC') COMMENT 'When it was loaded: nobody knew the value before',
    tenant_id LowCardinality(String) COMMENT 'Customer that the record belongs to',
    kind LowCardinality(String) COMMENT 'session: seen in one session of a day; order: bought in one order',
    product_id String COMMENT 'Product',
    neighbour_id String COMMENT 'Product that goes with it',
    event_time DateTime64(3, 'UTC') COMMENT 'End of the day: from then on the value holds',
    baskets_with_both Int64 COMMENT 'Baskets of 30 days with both',
    baskets_with_product Int64 COMMENT 'Baskets of 30 days with the product',
    baskets_with_neighbour Int64 COMMENT 'Baskets of 30 days with the neighbour',
    baskets Int64 COMMENT 'All baskets of 30 days',
    lift Float64 COMMENT 'Baskets with both over what chance would give',
    score Float64 COMMENT 'Lift drawn to 1 where little was seen; ranks the neighbours',
    confidence Float64 COMMENT 'Share of the baskets with the product that hold the neighbour',
    rank Int64 COMMENT '1 is the greatest'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (tenant_id, product_id, kind, neighbour_id, day, version)
