-- Writer: streams. A record lies here once by its position; replays and zombies write the same row again.
-- The day is a part of the key, which it does not make any finer: FINAL would else read all days for a query of one.
CREATE TABLE IF NOT EXISTS events_speed
(
    day Date COMMENT 'UTC day of the event',
    tenant_id LowCardinality(String) COMMENT 'Customer that the record belongs to',
    session_id String COMMENT 'Session id as the client sent it; several sessions may share it',
    event_id String COMMENT 'Id given by the client; unique within a session id',
    user_id Nullable(String) COMMENT 'Signed-in user, if any',
    event_type LowCardinality(String) COMMENT 'page_view, click, purchase, add_to_cart or search',
    event_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD) COMMENT 'When it happened, by the client',
    product_id Nullable(String) COMMENT 'properties.productId',
    page Nullable(String) COMMENT 'properties.page',
    search_query Nullable(String) COMMENT 'properties.query',
    platform LowCardinality(String) COMMENT 'web, ios, android ...',
    user_agent String COMMENT 'Browser or app, as sent',
    device_class LowCardinality(String) COMMENT 'desktop, mobile, tablet, bot or other, by the user agent',
    browser LowCardinality(String) COMMENT 'Family of the browser or app, without version',
    os LowCardinality(String) COMMENT 'Family of the operating system, without version',
    ip String COMMENT 'Truncated address: IPv4 /24, IPv6 /48',
    country LowCardinality(Nullable(String)) COMMENT 'ISO 3166-1 alpha-2 code of the whole address, if known',
    referrer Nullable(String) COMMENT 'Page that led here',
    properties Map(String, String) COMMENT 'All properties as sent',
    experiments Map(String, String) COMMENT 'Experiment -> variant',
    schema_id UInt32 COMMENT 'Writer schema in the registry',
    log_epoch UInt32 COMMENT 'Incarnation of the topic; offsets compare within one epoch',
    log_partition UInt16 COMMENT 'Kafka partition',
    log_offset UInt64 CODEC(Delta, ZSTD) COMMENT 'Kafka offset',
    append_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD) COMMENT 'When Kafka received it',
    late Bool MATERIALIZED append_time > toDateTime64(day + 1, 3, 'UTC') + INTERVAL 1 HOUR COMMENT 'Appended more than an hour after the end of the day'
)
ENGINE = ReplacingMergeTree
PARTITION BY (day, late)
ORDER BY (tenant_id, session_id, log_epoch, log_partition, log_offset, day)
SETTINGS deduplicate_merge_projection_mode = 'rebuild', lightweight_mutation_projection_mode = 'drop'
