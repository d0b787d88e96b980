-- Writer: streams. A user was seen with an address in a session during five minutes; of equal keys the least offset counts.
-- The timestamp has its day: the day is a part of the key for the reason given for events_speed.
CREATE TABLE IF NOT EXISTS speed_sightings
(
    day Date COMMENT 'UTC day of the five minutes',
    tenant_id LowCardinality(String) COMMENT 'Customer that the user belongs to',
    user_id String COMMENT 'User',
    session_id String COMMENT 'Session id of the event',
    event_id String COMMENT 'The first such event in the log',
    ip String COMMENT 'Truncated address',
    timestamp DateTime64(3, 'UTC') COMMENT 'Start of the five minutes of event time',
    log_epoch UInt32 COMMENT 'Incarnation of the topic of the event',
    log_partition UInt16 COMMENT 'Its partition',
    log_offset UInt64 COMMENT 'Its offset',
    precedence UInt64 MATERIALIZED 9223372036854775807 - log_offset COMMENT 'Greatest for the first event'
)
ENGINE = ReplacingMergeTree(precedence)
PARTITION BY day
ORDER BY (tenant_id, user_id, timestamp, ip, session_id, log_epoch, log_partition, day)
