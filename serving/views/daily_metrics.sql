-- The days that there are, with their rows, are kept as long as nothing that they are made of has changed (known_days); figures
-- of a day that is not published, as long as no part of it has (open_days). A filter on the day is moved below the second ARRAY
-- JOIN and what is looked up for it, nothing else is, so that only days that a query asks for are added up, or fail. Each level
-- of a query takes half a millisecond of analysis, so there are two, and what is looked up stands beside the situation. Only
-- where nothing is kept are the days made at once. One row is read here: more threads would only wake each other.
SELECT
    row.1 AS tenant_id,
    day,
    {row_metrics},
    row.2 AS layer,
    row.3 AS publication_version,
    row.4 AS late_groups
FROM
(
    SELECT
        {situation_number} AS situation,
        dictGetOrDefault('{database}.known_days_kept', ('days', 'rows'), situation, dictGet('{database}.known_days_now', ('days', 'rows'), tuple(materialize('events')))) AS known
    FROM {situation_parts}
)
ARRAY JOIN known.1 AS day, known.2 AS rows
ARRAY JOIN CAST(
    multiIf(rows = 'open', dictGet('{database}.open_days_now', 'rows', tuple(day)), startsWith(rows, '['), rows, toString(toUInt8(rows))),
    '{rows_type}') AS row
SETTINGS max_threads = 1
