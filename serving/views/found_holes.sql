-- Days that neither layer can answer, with the reason, a row per partition. A merged view that is read for such a day raises
-- the message. `lost`: records below complete_from are not in the speed store and in no published version of their day.
-- The engine plans a named part anew wherever it is named, which takes longer than to run it: each is named once.
WITH
    beginnings AS
    (
        SELECT if(topic = 'user-events', 'events', 'orders') AS dataset, log_epoch, log_partition, complete_from, hole_until
        FROM (SELECT * FROM speed_beginnings FINAL)
        WHERE topic IN ('user-events', 'transactions')
    ),
    begun AS
    (
        SELECT
            p.dataset AS dataset,
            p.log_epoch AS log_epoch,
            p.log_partition AS log_partition,
            any(p.complete_from) AS complete_from,
            any(p.hole_until) AS hole_until,
            max(if(c.log_epoch = p.log_epoch, c.cut[p.log_partition], 0)) AS landed
        FROM beginnings AS p
        LEFT JOIN current_publications AS c ON c.dataset = p.dataset
        WHERE p.complete_from > 0
        GROUP BY p.dataset, p.log_epoch, p.log_partition
    ),
    (
        SELECT mapFromArrays(groupArray(dataset), groupArray(day))
        FROM (SELECT dataset, min(day) AS day FROM batch_landings GROUP BY dataset)
    ) AS first_days,
    landings AS
    (
        SELECT dataset, log_epoch, log_partition, groupArray((day, first_offset, last_offset)) AS rows
        FROM batch_landings
        GROUP BY dataset, log_epoch, log_partition
    ),
    -- Days that a lost record can belong to, with the offset below which a publication has to count it. Of records that were
    -- landed the day is known; those of which it is not known that they were can belong to any day until hole_until.
    reached AS
    (
        SELECT
            b.dataset AS dataset,
            b.log_epoch AS log_epoch,
            b.log_partition AS log_partition,
            b.complete_from AS complete_from,
            arrayJoin(arrayConcat(
                arrayMap(l -> (l.1, least(l.3 + 1, b.complete_from)), arrayFilter(l -> l.2 < b.complete_from, k.rows)),
                arrayMap(n -> (b.hole_until - n, b.complete_from), range(if(b.landed < b.complete_from, b.days, 0)))
            )) AS found
        FROM
        (
            SELECT *, if(first_days[dataset] = toDate(0), hole_until, first_days[dataset]) AS first_day,
                toUInt32(31 + greatest(0, dateDiff('day', first_day, hole_until))) AS days
            FROM begun
        ) AS b
        LEFT JOIN landings AS k
            ON k.dataset = b.dataset AND k.log_epoch = b.log_epoch AND k.log_partition = b.log_partition
    ),
    lost AS
    (
        SELECT s.dataset AS dataset, s.log_epoch AS log_epoch, s.log_partition AS log_partition, s.complete_from AS complete_from, s.day AS day
        FROM
        (
            SELECT dataset, log_epoch, log_partition, complete_from, found.1 AS day, max(found.2) AS needed
            FROM reached
            GROUP BY dataset, log_epoch, log_partition, complete_from, day
        ) AS s
        LEFT JOIN current_publications AS c ON c.dataset = s.dataset AND c.day = s.day
        WHERE NOT (ifNull(c.version, 0) > 0 AND (ifNull(c.sealed, false) OR (ifNull(c.log_epoch, 0), c.cut[s.log_partition]) >= (s.log_epoch, s.needed)))
    ),
    -- A session of a lost day may reach into the next one.
    touched AS
    (
        SELECT t.dataset AS dataset, t.log_epoch AS log_epoch, t.log_partition AS log_partition, t.complete_from AS complete_from, t.day AS day
        FROM
        (
            SELECT dataset, log_epoch, log_partition, complete_from, day + after AS day, after
            FROM (SELECT *, arrayJoin(if(dataset = 'events', [0, 1], [0])) AS after FROM lost)
        ) AS t
        LEFT JOIN current_publications AS c ON c.dataset = t.dataset AND c.day = t.day
        WHERE t.after = 0 OR NOT (ifNull(c.version, 0) > 0 AND (ifNull(c.sealed, false) OR (ifNull(c.log_epoch, 0), c.cut[t.log_partition]) >= (t.log_epoch, t.complete_from)))
    )
-- Grouped, so that the message can be read only of a row that is left after all conditions above: a filter on a result of an
-- aggregation is never moved below it, one on the day is.
SELECT
    found.dataset AS dataset,
    found.day AS day,
    found.log_partition AS log_partition,
    found.kind AS kind,
    concat('INCOMPLETE: ', found.dataset, ' of ', toString(found.day), ': partition ', toString(found.log_partition), ' ',
        max(found.reason), ' (rivermeet batch run --day ', toString(found.day), ')') AS message
FROM
(
    SELECT dataset, day, log_partition, 'lost' AS kind,
        concat('is not applied below offset ', toString(complete_from), ' and no publication covers it; land and publish the day') AS reason
    FROM touched
    UNION ALL
    SELECT c.dataset AS dataset, c.day AS day, p.log_partition AS log_partition, 'cut' AS kind,
        'is not in the cut of the publication; publish the day again' AS reason
    FROM current_publications AS c
    INNER JOIN beginnings AS p ON p.dataset = c.dataset
    WHERE NOT mapContains(c.cut, p.log_partition) AND (p.log_epoch = c.log_epoch OR (p.log_epoch > c.log_epoch AND NOT c.sealed))
) AS found
GROUP BY found.dataset, found.day, found.log_partition, found.kind
