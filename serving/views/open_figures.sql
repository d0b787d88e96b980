-- Days of the speed layer that are not published, each with its rows of daily_metrics as text, as in known_days, and the state
-- that it was in before any of them was read.
WITH
{events_published},
(SELECT (groupArray(day), groupArray(state)) FROM {open_states}) AS states
SELECT
    day,
    states.2[indexOf(states.1, day)] AS state,
    toString(arrayFilter(row -> row.1 != '', groupArray(({open_row})))) AS rows
FROM
(
    SELECT CAST(tenant_id, 'String') AS tenant, day, sumForEach(figures) AS total
    FROM
    (
        SELECT '' AS tenant_id, arrayJoin({open_days}) AS day, arrayResize(CAST([], 'Array(Int64)'), {rows}) AS figures
        UNION ALL
        SELECT tenant_id, day, arrayConcat({counted_figures}, [0, 0, toInt64(sum(times))]) AS figures
        FROM
        (
            -- Places in the log, each once: the engine has them in projection by_kind already.
            SELECT {counted_fields}, groupBitmap(log_offset) AS times
            FROM events_speed
            WHERE {open}
            GROUP BY {counted_fields}, log_epoch, log_partition
        )
        GROUP BY tenant_id, day
        UNION ALL
        SELECT tenant_id, day, arrayConcat({session_figures}, [0, 0, 1]) AS figures
        FROM (SELECT tenant_id, day, {speed_fields} FROM speed_sessions FINAL WHERE {open})
        ARRAY JOIN {joined_fields}
        GROUP BY tenant_id, day
    )
    GROUP BY tenant_id, day
    HAVING total[{rows}] > 0 OR tenant = ''
)
GROUP BY day
SETTINGS max_threads = 1
