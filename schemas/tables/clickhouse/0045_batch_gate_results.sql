-- Writer: batch. Every check of every run of the gate.
CREATE TABLE IF NOT EXISTS batch_gate_results
(
    day Date COMMENT 'UTC day that was held against the rules',
    dataset LowCardinality(String) COMMENT 'events, orders, or across for checks between both',
    snapshot_id Int64 COMMENT 'Lake snapshot that was checked',
    checked_at DateTime64(3, 'UTC') COMMENT 'When',
    rules_version LowCardinality(String) COMMENT 'Hash of the quality rules',
    name LowCardinality(String) COMMENT 'Check',
    severity LowCardinality(String) COMMENT 'fail refuses the day, warn reports',
    meaning String COMMENT 'What must hold',
    passed Bool COMMENT 'Whether it held',
    unexpected Int64 COMMENT 'Rows that break it; 0 where it counts no rows',
    observed String COMMENT 'What was found',
    docs String COMMENT 'Folder of the Data Docs of the run; empty for checks between datasets'
)
ENGINE = MergeTree
PARTITION BY toYYYYMM(day)
ORDER BY (day, dataset, checked_at, name)
