-- Writer: features. Every value of a running session that was put online; training reads what serving used.
-- A replay writes the same row again: the first time at which it was put online is kept.
CREATE TABLE IF NOT EXISTS feature_live_sessions
(
    tenant_id LowCardinality(String) COMMENT 'Customer that the record belongs to',
    user_id String COMMENT 'User of the session; empty if nobody signed in',
    session_id String COMMENT 'Session id as the client sent it',
    event_time DateTime64(3, 'UTC') COMMENT 'Last event of the session: from then on the value holds',
    appended_at DateTime64(3, 'UTC') COMMENT 'When Kafka received the value; of one event time the latest is the newest',
    pushed_at DateTime64(3, 'UTC') COMMENT 'When it was put online',
    log_epoch UInt32 COMMENT 'Incarnation of user-events',
    log_partition UInt16 COMMENT 'Partition of user-events',
    as_of UInt64 COMMENT 'Offset of the last event that the value knows',
    page_views Int64 COMMENT 'Page views of the session',
    cart_items Int64 COMMENT 'Products put in the cart and not bought in the session',
    seconds Float64 COMMENT 'Last less first event, seconds',
    products Array(String) COMMENT 'Products seen, first seen first',
    category Nullable(String) COMMENT 'Category of the last product seen, as the newest batch knew it',
    first_push UInt64 MATERIALIZED 18446744073709551615 - toUInt64(toUnixTimestamp64Milli(pushed_at)) COMMENT 'Greatest for the earliest pushed_at'
)
ENGINE = ReplacingMergeTree(first_push)
PARTITION BY toYYYYMM(event_time)
ORDER BY (tenant_id, user_id, session_id, event_time, appended_at)
