-- What daily_metrics answers, as one row with its days side by side, but for the figures of days that are not published: of
-- these `rows` says 'open'. Of the others it holds the day's rows of daily_metrics as text, or a message that says why there
-- is no answer for the day. What was made under a situation holds for as long as the situation is the same: whoever asks has
-- read the situation before anything is read here.
WITH
({situation}) AS situation,
{events_published},
(SELECT groupArray(found) FROM {events_missing}) AS missing,
{speed_state}
SELECT
    situation,
    dataset,
    groupArray(day) AS days,
    groupArray(multiIf(
        hole != '', hole,
        version = 0, 'open',
        has(figures.1, ''), toString(arrayFilter(row -> row.1 != '', arrayMap((tenant, total) -> ({closed_row}), figures.1, figures.2))),
        concat('INCOMPLETE: events of ', toString(day), ' are not added up under these metrics (rivermeet prepare), or were published while they were read (ask again)'))) AS rows
FROM
(
    SELECT
        materialize('events') AS dataset,
        day,
        version,
        hole,
        if(version = 0 OR has(kept.1, ''), kept, dictGet('{database}.closed_figures_now', ('tenants', 'totals'), (day, selection))) AS figures
    FROM
    (
        SELECT
            day,
            version,
            selection,
            hole,
            if(version = 0, ([], []), dictGet('{database}.closed_figures_kept', ('tenants', 'totals'), (day, selection, state))) AS kept
        FROM
        (
            SELECT
                day,
                max(one_version) AS version,
                any({selection}) AS selection,
                any({state}) AS state,
                any(missing[1].2[indexOf(missing[1].1, day)]) AS hole
            FROM
            (
                SELECT arrayJoin(arrayConcat({selected}, arrayMap(day -> (day, toUInt64(0)), arrayConcat(speed_state.1, missing[1].1)))) AS one, one.1 AS day, one.2 AS one_version
            )
            GROUP BY day
        )
    )
)
GROUP BY dataset
