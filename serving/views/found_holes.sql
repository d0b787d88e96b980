-- Days that neither layer can answer, with the reason, a row per partition. A merged view that is read for such a day raises
-- the message. `lost`: records below complete_from are not in the speed store and in no published version of their day.
WITH
    progress AS
    (
        SELECT if(topic = 'user-events', 'events', 'orders') AS dataset, log_epoch, log_partition, complete_from, hole_until
        FROM (SELECT * FROM speed_progress FINAL)
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
        FROM progress AS p
        LEFT JOIN current_publications AS c ON c.dataset = p.dataset
        WHERE p.complete_from > 0
        GROUP BY p.dataset, p.log_epoch, p.log_partition
    ),
    first_days AS (SELECT dataset, min(day) AS first_day FROM batch_landings GROUP BY dataset),
    -- Records of a day that were landed: the day is whole once a publication has counted the last of them.
    landed_days AS
    (
        SELECT
            b.dataset AS dataset,
            b.log_epoch AS log_epoch,
            b.log_partition AS log_partition,
            b.complete_from AS complete_from,
            l.day AS day,
            max(least(l.last_offset + 1, b.complete_from)) AS needed
        FROM begun AS b
        INNER JOIN batch_landings AS l
            ON l.dataset = b.dataset AND l.log_epoch = b.log_epoch AND l.log_partition = b.log_partition
        WHERE l.first_offset < b.complete_from
        GROUP BY b.dataset, b.log_epoch, b.log_partition, b.complete_from, l.day
    ),
    -- Records of which it is not known that they were landed can belong to any day until hole_until.
    unknown_days AS
    (
        SELECT
            b.dataset AS dataset,
            b.log_epoch AS log_epoch,
            b.log_partition AS log_partition,
            b.complete_from AS complete_from,
            arrayJoin(arrayMap(n -> b.hole_until - n, range(toUInt32(31 + greatest(0, dateDiff('day', if(ifNull(f.first_day, toDate(0)) = toDate(0), b.hole_until, f.first_day), b.hole_until)))))) AS day,
            b.complete_from AS needed
        FROM begun AS b
        LEFT JOIN first_days AS f ON f.dataset = b.dataset
        WHERE b.landed < b.complete_from
    ),
    lost AS
    (
        SELECT s.dataset AS dataset, s.log_epoch AS log_epoch, s.log_partition AS log_partition, s.complete_from AS complete_from, s.day AS day
        FROM (SELECT * FROM landed_days UNION ALL SELECT * FROM unknown_days) AS s
        LEFT JOIN current_publications AS c ON c.dataset = s.dataset AND c.day = s.day
        WHERE NOT (ifNull(c.version, 0) > 0 AND (ifNull(c.sealed, false) OR (ifNull(c.log_epoch, 0), c.cut[s.log_partition]) >= (s.log_epoch, s.needed)))
    ),
    -- A session of a lost day may reach into the next one.
    touched AS
    (
        SELECT t.dataset AS dataset, t.log_epoch AS log_epoch, t.log_partition AS log_partition, t.complete_from AS complete_from, t.day AS day
        FROM (SELECT dataset, log_epoch, log_partition, complete_from, day + 1 AS day FROM lost WHERE dataset = 'events') AS t
        LEFT JOIN current_publications AS c ON c.dataset = t.dataset AND c.day = t.day
        WHERE NOT (ifNull(c.version, 0) > 0 AND (ifNull(c.sealed, false) OR (ifNull(c.log_epoch, 0), c.cut[t.log_partition]) >= (t.log_epoch, t.complete_from)))
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
    FROM (SELECT * FROM lost UNION DISTINCT SELECT * FROM touched)
    UNION ALL
    SELECT c.dataset AS dataset, c.day AS day, p.log_partition AS log_partition, 'cut' AS kind,
        'is not in the cut of the publication; publish the day again' AS reason
    FROM current_publications AS c
    INNER JOIN progress AS p ON p.dataset = c.dataset
    WHERE NOT mapContains(c.cut, p.log_partition) AND (p.log_epoch = c.log_epoch OR (p.log_epoch > c.log_epoch AND NOT c.sealed))
) AS found
GROUP BY found.dataset, found.day, found.log_partition, found.kind
