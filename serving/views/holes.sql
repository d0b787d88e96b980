-- Days that neither layer can answer, with the reason, a row per partition: what `found_holes` finds, looked for only where
-- there may be some.
SELECT dataset, hole.1 AS day, hole.2 AS log_partition, hole.3 AS kind, hole.4 AS message
FROM
(
    SELECT 'events' AS dataset, {hole_rows} AS hole
    FROM (WITH {events_published} SELECT found FROM {events_missing})
    UNION ALL
    SELECT 'orders' AS dataset, {hole_rows} AS hole
    FROM (WITH {orders_published} SELECT found FROM {orders_missing})
)
