-- Writer: batch. Every load of every day is kept: training sees what was known then.
CREATE TABLE IF NOT EXISTS batch_user_features
(
    day Date COMMENT 'UTC day that the value is of',
    version UInt64 COMMENT 'Load that the row belongs to; a row counts once its load is published',
    created_at DateTime64(3, 'UTC') COMMENT 'When it was loaded: nobody knew the value before',
    tenant_id LowCardinality(String) COMMENT 'Customer that the record belongs to',
    user_id String COMMENT 'Signed-in user',
    event_time DateTime64(3, 'UTC') COMMENT 'End of the day: from then on the value holds',
    avg_session_duration Nullable(Float64) COMMENT 'Mean length of sessions of at most 24 hours, 30 days, in seconds; null without any',
    sessions_30d Int64 COMMENT 'Sessions of 30 days',
    total_page_views_7d Int64 COMMENT 'Page views of 7 days',
    total_page_views_30d Int64 COMMENT 'Page views of 30 days',
    add_to_carts_30d Int64 COMMENT 'Products put in a cart in 30 days',
    total_purchases_30d Int64 COMMENT 'Purchase events of 30 days',
    orders_30d Int64 COMMENT 'Orders completed in 30 days, any currency',
    refunds_30d Int64 COMMENT 'Orders refunded in 30 days, any currency',
    currency Nullable(String) COMMENT 'ISO 4217 code that amounts are in: that of most orders; null without any',
    avg_order_value_minor Nullable(Float64) COMMENT 'Gross amount per completed order of 30 days, minor units of currency; null without any',
    monetary_minor Nullable(Int64) COMMENT 'Completed less refunded amount of 30 days, minor units of currency; null without any',
    last_activity_days_ago Int64 COMMENT 'Days since the last day with a session or a completed order, 0..89',
    last_order_days_ago Nullable(Int64) COMMENT 'Days since the last completed order of 30 days; null without any',
    last_active DateTime64(3, 'UTC') COMMENT 'Latest end of a session or time of a completed order',
    last_purchase Nullable(DateTime64(3, 'UTC')) COMMENT 'Latest end of a session with a purchase, or time of a completed order; null without any in 90 days',
    active_days Int64 COMMENT 'Days of 90 with a session or a completed order',
    device_type Nullable(String) COMMENT 'Device of most sessions of 30 days; null without any',
    usual_hour Nullable(Int32) COMMENT 'UTC hour in which most sessions of 30 days began, 0..23; null without any',
    lifecycle LowCardinality(String) COMMENT 'new, active, at_risk, dormant or won_back',
    churn_risk_score Float64 COMMENT 'Probability of no active day in the next 30 days, 0..1',
    preferred_category Nullable(String) COMMENT 'Category of greatest affinity; null without any',
    rfm_recency Int64 COMMENT '1..5, 5 ordered most recently; 0 without an order in 30 days',
    rfm_frequency Int64 COMMENT '1..5, 5 ordered most often; 0 without an order',
    rfm_monetary Int64 COMMENT '1..5, 5 spent most; 0 without an order',
    segment LowCardinality(String) COMMENT 'Name of the combination of scores'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (tenant_id, user_id, day, version)
