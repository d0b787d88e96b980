-- Writer: batch.
CREATE TABLE IF NOT EXISTS batch_products
(
    day Date COMMENT 'UTC day',
    version UInt64 COMMENT 'Version of the day that the row belongs to',
    tenant_id LowCardinality(String) COMMENT 'Customer that the record belongs to',
    product_id String COMMENT 'Product',
    views UInt64 COMMENT 'Page views of the product',
    clicks UInt64 COMMENT 'Clicks on the product',
    add_to_carts UInt64 COMMENT 'Times put in a cart',
    purchases UInt64 COMMENT 'Purchase events'
)
ENGINE = MergeTree
PARTITION BY (day, version)
ORDER BY (tenant_id, product_id)
