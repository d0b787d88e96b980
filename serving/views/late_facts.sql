-- Events of the speed layer that answer for their day: all of an unpublished day, those at or past the cut of a published one.
SELECT s.*, ifNull(p.version, 0) AS publication_version
FROM (SELECT * FROM events_speed FINAL) AS s
LEFT JOIN (SELECT * FROM current_publications WHERE dataset = 'events') AS p ON s.day = p.day
WHERE ifNull(p.version, 0) = 0
    OR (NOT ifNull(p.sealed, false) AND (s.log_epoch, s.log_offset) >= (ifNull(p.log_epoch, 0), p.cut[s.log_partition]))
