-- Days that neither layer can answer, with the reason, a row per partition: what `found_holes` finds, looked for only where
-- there may be some.
SELECT dataset, hole.1 AS day, hole.2 AS log_partition, hole.3 AS kind, hole.4 AS message
FROM
(
    SELECT 'events' AS dataset, arrayJoin(holes) AS hole
    FROM (WITH {events_published}, {events_missing} SELECT {hole_rows} AS holes)
    UNION ALL
    SELECT 'orders' AS dataset, arrayJoin(holes) AS hole
    FROM (WITH {orders_published}, {orders_missing} SELECT {hole_rows} AS holes)
)
