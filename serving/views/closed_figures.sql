-- Published days, a row for each: its rollup, less the batch sessions of late groups, and their speed rows and late events.
-- `totals` are in the order of schemas/rollup.py; three more figures count late groups, late rows and the rows that make an
-- answer. The tenant without a name stands for the day itself: where it is not among the tenants, the day is not added up.
WITH
{events_published},
{speed_state}
SELECT
    day,
    {selection} AS selection,
    {state} AS state,
    groupArray(tenant_id) AS tenants,
    groupArray(total) AS totals
FROM
(
    SELECT CAST(tenant_id, 'String') AS tenant_id, day, sumForEach(figures) AS total
    FROM
    (
        SELECT tenant_id, day, arrayConcat(figures, [0, 0, 1]) AS figures
        FROM batch_rollup FINAL
        WHERE catalogue = '{catalogue}' AND (day, version) IN {selected}
        UNION ALL
        SELECT tenant_id, day, arrayConcat({event_figures}, [0, toInt64(count()), toInt64(count())]) AS figures
        FROM events_speed FINAL
        WHERE {late}
        GROUP BY tenant_id, day
        UNION ALL
        -- Late groups: their sessions now, less what the rollup holds of them. Members are told apart from figures by
        -- `metric`, 1 being the figures; a distinct count changes where the last session with a value goes or the first one comes.
        SELECT tenant_id, day, arrayConcat(arrayMap((f, c) -> f + c, arrayResize(sumForEach(figures), {count}), {changes}), [toInt64(sum(groups)), toInt64(sum(groups)), 0]) AS figures
        FROM
        (
            SELECT tenant_id, day, metric, sumForEach(figures) AS figures, sum(groups) AS groups,
                toInt64(toInt64(max(others)) + sum(more) > 0) - toInt64(max(others) > 0) AS change
            FROM
            (
                SELECT tenant_id, day, metric, member, if(metric = 1, figures, []) AS figures, if(metric = 1, groups, 0) AS groups, 1 AS more, toUInt64(0) AS others
                FROM
                (
                    SELECT tenant_id, day, if(number = 0, [], {row_figures}) AS figures, if(number = 0, [], {members}) AS members, toInt64(number <= 1) AS groups
                    FROM (SELECT tenant_id, day, {speed_fields} FROM speed_sessions FINAL WHERE {late})
                    LEFT ARRAY JOIN {joined_fields}, arrayEnumerate({first_field}) AS number
                )
                ARRAY JOIN arrayPushFront(members, toUInt128(0)) AS member, arrayEnumerate(arrayPushFront(members, toUInt128(0))) AS metric
                WHERE metric = 1 OR member != 0
                UNION ALL
                SELECT tenant_id, day, metric, member, if(metric = 1, figures, []) AS figures, 0 AS groups, -1 AS more, other AS others
                FROM batch_rollup_sessions FINAL
                ARRAY JOIN arrayPushFront(members, toUInt128(0)) AS member, arrayPushFront(others, toUInt64(0)) AS other, arrayEnumerate(arrayPushFront(members, toUInt128(0))) AS metric
                WHERE (day, version) IN {hot} AND catalogue = '{catalogue}'
                    AND group_key IN (SELECT {group_key} FROM speed_sessions WHERE {late}) AND (metric = 1 OR member != 0)
                UNION ALL
                SELECT tenant_id, day, metric + 1 AS metric, member, [] AS figures, 0 AS groups, 0 AS more, sessions AS others
                FROM batch_rollup_members FINAL
                WHERE (day, version) IN {hot} AND catalogue = '{catalogue}'
                    AND member IN
                    (
                        SELECT arrayJoin({members})
                        FROM (SELECT tenant_id, day, {speed_fields} FROM speed_sessions WHERE {late})
                        ARRAY JOIN {joined_fields}
                    )
            )
            GROUP BY tenant_id, day, metric, member
        )
        GROUP BY tenant_id, day
    )
    GROUP BY tenant_id, day
    HAVING total[{rows}] > 0
)
GROUP BY day
