-- Writer: streams. One row is a whole group on one day: all its sessions of that day, perhaps none, as of one offset.
-- Rows of one group and day with one as_of are equal, whoever wrote them; the greatest as_of counts.
CREATE TABLE IF NOT EXISTS speed_sessions
(
    day Date COMMENT 'UTC day on which the sessions begin',
    tenant_id LowCardinality(String) COMMENT 'Customer that the record belongs to',
    session_id String COMMENT 'Session id as the client sent it',
    log_epoch UInt32 COMMENT 'Incarnation of the topic',
    log_partition UInt16 COMMENT 'Kafka partition of the whole group',
    as_of UInt64 COMMENT 'Offset of the last event that the row knows',
    late Bool COMMENT 'That event was appended more than an hour after the end of the day',
    definition LowCardinality(String) COMMENT 'Hash of the session rules',
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
    )) COMMENT 'All sessions of the group that begin on the day'
)
ENGINE = ReplacingMergeTree(as_of)
PARTITION BY (day, late)
ORDER BY (tenant_id, session_id, log_epoch, log_partition, day)
