-- Writer: streams. The history of each user's profile, a row per record by its position; the newest updated_at counts.
CREATE TABLE IF NOT EXISTS speed_profiles
(
    day Date COMMENT 'UTC day from which the state is true',
    tenant_id LowCardinality(String) COMMENT 'Customer that the record belongs to',
    user_id String COMMENT 'User',
    email_hash Nullable(String) COMMENT 'Keyed hash of the e-mail address, hex',
    country Nullable(String) COMMENT 'ISO 3166-1 alpha-2 code that the user gave',
    signup_at Nullable(DateTime64(3, 'UTC')) COMMENT 'When the user signed up',
    segments Array(String) COMMENT 'Segments that the shop assigns',
    attributes Map(String, String) COMMENT 'Further traits',
    updated_at DateTime64(3, 'UTC') CODEC(Delta, ZSTD) COMMENT 'From when on this is true',
    schema_id UInt32 COMMENT 'Writer schema in the registry',
    log_epoch UInt32 COMMENT 'Incarnation of the topic; offsets compare within one epoch',
    log_partition UInt16 COMMENT 'Kafka partition',
    log_offset UInt64 CODEC(Delta, ZSTD) COMMENT 'Kafka offset',
    append_time DateTime64(3, 'UTC') CODEC(Delta, ZSTD) COMMENT 'When Kafka received it'
)
ENGINE = ReplacingMergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (tenant_id, user_id, updated_at, log_epoch, log_partition, log_offset)
