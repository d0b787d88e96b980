-- Days that neither layer can answer, with the reason. Reading a row of a merged view for such a day raises the message.
WITH
    progress AS
    (
        SELECT if(topic = 'user-events', 'events', 'orders') AS dataset, log_epoch, log_partition, complete_from, hole_until
        FROM (SELECT * FROM speed_progress FINAL)
        WHERE topic IN ('user-events', 'transactions')
    ),
    first_days AS
    (
        SELECT dataset, min(day) AS first_day
        FROM (SELECT dataset, day FROM batch_landings UNION ALL SELECT dataset, day FROM current_publications)
        GROUP BY dataset
    ),
    suspects AS
    (
        SELECT
            p.dataset AS dataset,
            p.log_epoch AS log_epoch,
            p.log_partition AS log_partition,
            p.complete_from AS complete_from,
            arrayJoin(arrayMap(n -> p.hole_until + 1 - n, range(toUInt32(greatest(31, 2 + dateDiff('day', if(ifNull(f.first_day, toDate(0)) = toDate(0), p.hole_until, f.first_day), p.hole_until)))))) AS day
        FROM progress AS p
        LEFT JOIN first_days AS f ON p.dataset = f.dataset
        WHERE p.complete_from > 0
    )
SELECT
    s.dataset AS dataset,
    s.day AS day,
    min(s.log_partition) AS log_partition,
    concat('INCOMPLETE: ', s.dataset, ' of ', toString(s.day), ': partition ', toString(min(s.log_partition)),
        ' is not applied below offset ', toString(argMin(s.complete_from, s.log_partition)),
        ' and no publication covers it; land and publish the day (rivermeet batch run --day ', toString(s.day), ')') AS message
FROM suspects AS s
LEFT JOIN current_publications AS own ON own.dataset = s.dataset AND own.day = s.day
LEFT JOIN (SELECT dataset, day + 1 AS next_day, version, sealed, log_epoch, cut FROM current_publications) AS before
    ON before.dataset = s.dataset AND before.next_day = s.day
LEFT JOIN (SELECT dataset, max(hole_until) AS hole_until FROM progress GROUP BY dataset) AS until ON until.dataset = s.dataset
WHERE
    (s.day <= until.hole_until AND NOT (ifNull(own.version, 0) > 0 AND (ifNull(own.sealed, false) OR (ifNull(own.log_epoch, 0), own.cut[s.log_partition]) >= (s.log_epoch, s.complete_from))))
    OR (s.dataset = 'events' AND NOT (ifNull(before.version, 0) > 0 AND (ifNull(before.sealed, false) OR (ifNull(before.log_epoch, 0), before.cut[s.log_partition]) >= (s.log_epoch, s.complete_from))))
GROUP BY s.dataset, s.day
UNION ALL
SELECT
    c.dataset AS dataset,
    c.day AS day,
    min(p.log_partition) AS log_partition,
    concat('INCOMPLETE: ', c.dataset, ' of ', toString(c.day), ': the cut of its publication lacks partition ',
        toString(min(p.log_partition)), '; publish the day again (rivermeet batch run --day ', toString(c.day), ')') AS message
FROM current_publications AS c
INNER JOIN progress AS p ON p.dataset = c.dataset AND p.log_epoch = c.log_epoch
WHERE NOT mapContains(c.cut, p.log_partition)
GROUP BY c.dataset, c.day
