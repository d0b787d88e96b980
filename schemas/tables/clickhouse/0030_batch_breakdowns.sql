-- Writer: batch. Figures of the catalogue of metrics within each member of a dimension; events and orders have versions of their own.
CREATE TABLE IF NOT EXISTS batch_breakdowns
(
    day Date COMMENT 'UTC day',
    version UInt64 COMMENT 'Version of the day that the row belongs to',
    tenant_id LowCardinality(String) COMMENT 'Customer that the figure is of',
    dimension LowCardinality(String) COMMENT 'all, device, country, hour or category',
    member LowCardinality(String) COMMENT 'Which device, country, UTC hour (00 to 23) or category; empty for all',
    currency LowCardinality(String) COMMENT 'ISO 4217 code of money and orders; empty for other figures',
    metric LowCardinality(String) COMMENT 'Name in the catalogue of metrics, or new_users, returning_users, units, sales_minor, buyers',
    value Float64 COMMENT 'The figure, in the unit of the metric'
)
ENGINE = MergeTree
PARTITION BY (day, version)
ORDER BY (tenant_id, metric, dimension, member, currency)
