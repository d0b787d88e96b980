-- Writer: streams. Alerts by their derived id: a replay writes the same row again. Of one id the least as_of counts.
-- The id has the start of the cooldown, and so its day: the day is a part of the key for the reason given for events_speed.
CREATE TABLE IF NOT EXISTS speed_alerts
(
    day Date COMMENT 'UTC day of the cooldown that the alert lies in',
    alert_id String COMMENT 'Derived from rule, tenant, entity and cooldown',
    tenant_id LowCardinality(String) COMMENT 'Customer concerned',
    rule LowCardinality(String) COMMENT 'rapid_clicks, large_purchase, new_address ...',
    severity LowCardinality(String) COMMENT 'info, warning or critical',
    entity String COMMENT 'Session id, user or tenant that the rule is about',
    user_id Nullable(String) COMMENT 'User, when known',
    session_id Nullable(String) COMMENT 'Session id, when the rule is about one',
    window_start DateTime64(3, 'UTC') COMMENT 'Event time of the first record of the evidence',
    window_end DateTime64(3, 'UTC') COMMENT 'Event time of the last',
    observed Float64 COMMENT 'Figure that broke the rule, in the rule''s unit; not money',
    threshold Float64 COMMENT 'Limit of the rule in the same unit',
    amount_minor Nullable(Int64) COMMENT 'Amount that broke the rule, minor units',
    currency Nullable(String) COMMENT 'ISO 4217 code of the amount',
    log_topic LowCardinality(String) COMMENT 'Topic of the record that completed the alert',
    log_epoch UInt32 COMMENT 'Incarnation of that topic',
    log_partition UInt16 COMMENT 'Its partition',
    as_of UInt64 COMMENT 'Offset of the record that completed the alert',
    message String COMMENT 'One sentence for people',
    evidence Map(String, String) COMMENT 'Further facts that the rule rests on',
    precedence UInt64 MATERIALIZED 9223372036854775807 - as_of COMMENT 'Greatest for the first candidate'
)
ENGINE = ReplacingMergeTree(precedence)
PARTITION BY day
ORDER BY (tenant_id, rule, entity, alert_id, day)
