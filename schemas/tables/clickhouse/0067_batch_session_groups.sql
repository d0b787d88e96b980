-- Writer: batch. Rows of batch_sessions of published days as speed_sessions has them, for those who know the session's id. Of
-- few rows at a time: a granule is small, for all of it is read. Rows of one group and version are equal.
CREATE TABLE IF NOT EXISTS batch_session_groups
(
    day Date COMMENT 'UTC day on which the sessions begin',
    version UInt64 COMMENT 'Version of the day that the row belongs to',
    tenant_id LowCardinality(String) COMMENT 'Customer that the record belongs to',
    session_id String COMMENT 'Session id as the client sent it',
    log_epoch UInt32 COMMENT 'Incarnation of the topic',
    log_partition UInt16 COMMENT 'Kafka partition of the whole group',
    sessions Array(Tuple(
        session_start DateTime64(3, 'UTC'),
        session_end DateTime64(3, 'UTC'),
        user_id Nullable(String),
        visitor_id String,
        events Int64,
        page_views Int64,
        clicks Int64,
        searches Int64,
        add_to_carts Int64,
        purchases Int64,
        unique_pages Int64,
        entry_page Nullable(String),
        exit_page Nullable(String),
        referrer Nullable(String),
        platform String,
        device_class String,
        country Nullable(String),
        products Array(String),
        experiments Array(String),
        converted Bool,
        engaged Bool,
        overlong Bool,
        duration_ms Int64
    )) COMMENT 'All sessions of the group that begin on the day',
    INDEX session_ids session_id TYPE bloom_filter(0.001) GRANULARITY 64
)
ENGINE = ReplacingMergeTree
PARTITION BY (day, version)
ORDER BY (tenant_id, session_id, log_epoch, log_partition, day, version)
SETTINGS index_granularity = 512
