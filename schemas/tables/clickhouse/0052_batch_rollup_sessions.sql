-- Writer: batch. What each session of a published day adds to the rollup, to be taken back when its group is late.
CREATE TABLE IF NOT EXISTS batch_rollup_sessions
(
    day Date COMMENT 'UTC day',
    version UInt64 COMMENT 'Version of the day that the row belongs to',
    catalogue LowCardinality(String) COMMENT 'Hash of the catalogue of metrics',
    group_key UInt128 COMMENT 'Hash of tenant, session id, log epoch and partition',
    tenant_id LowCardinality(String) COMMENT 'Customer that the session belongs to',
    session_start DateTime64(3, 'UTC') COMMENT 'Time of the first event, which tells the sessions of a group apart',
    figures Array(Int64) COMMENT 'What is added to the rollup when the session is taken out of it',
    members Array(UInt128) COMMENT 'Hashes of the values that distinct metrics count, in the order of the catalogue; 0 is none',
    others Array(UInt64) COMMENT 'Sessions of the day that have each of these values, this one included'
)
ENGINE = ReplacingMergeTree
PARTITION BY (day, version)
ORDER BY (day, version, catalogue, group_key, session_start)
