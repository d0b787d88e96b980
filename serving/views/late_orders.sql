-- Order facts of the speed layer that answer for their day.
SELECT s.*, ifNull(p.version, 0) AS publication_version
FROM (SELECT * FROM orders_speed FINAL) AS s
LEFT JOIN (SELECT * FROM current_publications WHERE dataset = 'orders') AS p ON s.day = p.day
WHERE ifNull(p.version, 0) = 0
    OR (NOT ifNull(p.sealed, false) AND (s.log_epoch, s.log_offset) >= (ifNull(p.log_epoch, 0), p.cut[s.log_partition]))
