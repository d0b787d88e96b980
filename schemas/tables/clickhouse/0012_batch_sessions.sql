-- Writer: batch.
CREATE TABLE IF NOT EXISTS batch_sessions
(
    day Date COMMENT 'UTC day',
    version UInt64 COMMENT 'Version of the day that the row belongs to',
    tenant_id LowCardinality(String) COMMENT 'Customer that the record belongs to',
    session_id String COMMENT 'Session id as the client sent it',
    log_epoch UInt32 COMMENT 'Incarnation of the topic',
    log_partition UInt16 COMMENT 'Kafka partition of the whole group',
    session_start DateTime64(3, 'UTC') COMMENT 'Time of the first event',
    session_end DateTime64(3, 'UTC') COMMENT 'Time of the last event',
    user_id Nullable(String) COMMENT 'User of the last event that has one',
    visitor_id String COMMENT 'That user, else the session id',
    events Int64 COMMENT 'Events',
    page_views Int64 COMMENT 'Page views',
    clicks Int64 COMMENT 'Clicks',
    searches Int64 COMMENT 'Searches',
    add_to_carts Int64 COMMENT 'Products put in the cart',
    purchases Int64 COMMENT 'Purchase events',
    unique_pages Int64 COMMENT 'Distinct pages viewed, counted up to 1000',
    entry_page Nullable(String) COMMENT 'First page viewed',
    exit_page Nullable(String) COMMENT 'Last page viewed',
    referrer Nullable(String) COMMENT 'First referrer',
    platform LowCardinality(String) COMMENT 'Platform of the first event',
    device_class LowCardinality(String) COMMENT 'Class of device of the first event',
    country LowCardinality(Nullable(String)) COMMENT 'First country that is known',
    products Array(String) COMMENT 'Distinct products seen, in order of sight, up to 100',
    experiments Array(String) COMMENT 'Distinct experiment=variant seen, sorted, up to 20',
    converted Bool COMMENT 'Has a purchase event',
    engaged Bool COMMENT 'Not overlong, and longer than 10 s, or two page views, or a purchase or cart event',
    overlong Bool COMMENT 'Longer than 24 hours: left out of engaged and duration figures',
    duration_ms Int64 COMMENT 'End less start, milliseconds'
)
ENGINE = MergeTree
PARTITION BY (day, version)
ORDER BY (tenant_id, session_id, log_epoch, log_partition, session_start)
