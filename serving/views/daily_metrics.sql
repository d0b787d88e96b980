-- Figures of published days are kept as long as nothing that they are made of has changed (closed_figures_kept); those of
-- other days are added up when asked for. Grouped by day, so that only days that a query asks for are looked up: a filter
-- on the day is moved below the aggregation, nothing else is moved out of it.
WITH
{pointer},
{events_missing},
{speed_state}
SELECT
    tenant_id,
    day,
    {metrics},
    multiIf(publication_version = 0, 'speed', total[{late_rows}] = 0, 'batch', 'merged') AS layer,
    publication_version,
    toUInt64(total[{late_groups}]) AS late_groups
FROM
(
    SELECT
        day,
        publication_version,
        hole,
        if(publication_version = 0 OR has(first.1, ''), first, dictGet('{database}.closed_figures_now', ('tenants', 'totals'), (day, selection))) AS figures,
        if(hole != '', hole, concat('INCOMPLETE: events of ', toString(day), ' are not added up under these metrics (rivermeet prepare), or were published while they were read (ask again)')) AS message
    FROM
    (
        SELECT
            day,
            version AS publication_version,
            selection,
            hole,
            if(version = 0,
                dictGet('{database}.open_figures_now', ('tenants', 'totals'), tuple(day)),
                dictGet('{database}.closed_figures_kept', ('tenants', 'totals'), (day, selection, state))) AS first
        FROM
        (
            SELECT
                day,
                max(one_version) AS version,
                any(published.2) AS selection,
                any({state}) AS state,
                any(missing[1].2[indexOf(missing[1].1, day)]) AS hole
            FROM
            (
                SELECT arrayJoin(arrayConcat(published.1, arrayMap(day -> (day, toUInt64(0)), arrayConcat(speed_state.1, missing[1].1)))) AS one, one.1 AS day, one.2 AS one_version
            )
            GROUP BY day
        )
    )
)
-- A row without tenant stands for the day itself: without it there is no answer for the day.
ARRAY JOIN if(hole = '' AND has(figures.1, ''), figures.1, [toString({raise})]) AS tenant_id, figures.2 AS total
WHERE tenant_id != ''
