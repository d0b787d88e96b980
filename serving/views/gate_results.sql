-- Every check of every run of the gate; `current` marks the newest run of each day and dataset.
SELECT
    day,
    dataset,
    name,
    severity,
    passed,
    unexpected,
    observed,
    meaning,
    snapshot_id,
    rules_version,
    checked_at,
    docs,
    (day, dataset, checked_at) IN (SELECT day, dataset, max(checked_at) FROM batch_gate_results GROUP BY day, dataset) AS current
FROM batch_gate_results
