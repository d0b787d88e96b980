-- Groups for which the speed row answers: all of an unpublished day; of a published one those whose last event is at or
-- past the cut. Such a row holds all sessions of the group on the day, so it takes the place of the batch rows as a whole.
SELECT s.*, ifNull(p.version, 0) AS publication_version
FROM (SELECT * FROM speed_sessions FINAL) AS s
LEFT JOIN (SELECT * FROM current_publications WHERE dataset = 'events') AS p ON s.day = p.day
WHERE ifNull(p.version, 0) = 0
    OR (NOT ifNull(p.sealed, false) AND (s.log_epoch, s.as_of) >= (ifNull(p.log_epoch, 0), p.cut[s.log_partition]))
