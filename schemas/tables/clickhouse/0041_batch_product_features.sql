-- Writer: batch. Every load of every day is kept: training sees what was known then.
CREATE TABLE IF NOT EXISTS batch_product_features
(
    day Date COMMENT 'UTC day that the value is of',
    version UInt64 COMMENT 'Load that the row belongs to; a row counts once its load is published',
    created_at DateTime64(3, 'UTC') COMMENT 'When it was loaded: nobody knew the value before',
    tenant_id LowCardinality(String) COMMENT 'Customer that the record belongs to',
    product_id String COMMENT 'Product',
    event_time DateTime64(3, 'UTC') COMMENT 'End of the day: from then on the value holds',
    category Nullable(String) COMMENT 'Category; null where nothing names it',
    currency Nullable(String) COMMENT 'ISO 4217 code that amounts are in: that of most orders; null without any',
    views_1d Int64 COMMENT 'Page views, 1 day',
    views_7d Int64 COMMENT 'Page views, 7 days',
    views_30d Int64 COMMENT 'Page views, 30 days',
    carts_1d Int64 COMMENT 'Times put in a cart, 1 day',
    carts_7d Int64 COMMENT 'Times put in a cart, 7 days',
    carts_30d Int64 COMMENT 'Times put in a cart, 30 days',
    purchases_1d Int64 COMMENT 'Purchase events, 1 day',
    purchases_7d Int64 COMMENT 'Purchase events, 7 days',
    purchases_30d Int64 COMMENT 'Purchase events, 30 days',
    revenue_minor_1d Int64 COMMENT 'Amount sold in minor units of currency, 1 day',
    revenue_minor_7d Int64 COMMENT 'Amount sold in minor units of currency, 7 days',
    revenue_minor_30d Int64 COMMENT 'Amount sold in minor units of currency, 30 days',
    units_30d Int64 COMMENT 'Pieces sold in 30 days in currency',
    conversion_30d Nullable(Float64) COMMENT 'Purchase events per page view, 30 days; null without a view',
    popularity Float64 COMMENT 'That rate drawn to the rate of the shop by 50 views',
    price_minor Nullable(Int64) COMMENT 'Price of the last sale, minor units of currency; null without one in 30 days',
    lowest_price_minor Nullable(Int64) COMMENT 'Lowest price of 30 days, minor units',
    highest_price_minor Nullable(Int64) COMMENT 'Highest price of 30 days, minor units',
    price_band Nullable(Int64) COMMENT '1 cheapest to 5 dearest fifth of tenant, category and currency; null without a price',
    trend Float64 COMMENT 'log2 of daily views of 7 days over those of the 23 before, one added to both; 0 is steady',
    is_new Bool COMMENT 'First seen less than 7 days ago in a shop that was there before',
    first_seen_days_ago Int64 COMMENT 'Days since the first view or sale of 30 days'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (tenant_id, product_id, day, version)
