-- Writer: batch. The groups of what was published before there was the table.
INSERT INTO batch_session_groups (day, version, tenant_id, session_id, log_epoch, log_partition, sessions)
SELECT day, version, tenant_id, session_id, log_epoch, log_partition,
    arraySort(session -> session.1, groupArray((
        session_start, session_end, user_id, visitor_id, events, page_views, clicks, searches, add_to_carts, purchases,
        unique_pages, entry_page, exit_page, referrer, platform, device_class, country, products, experiments, converted,
        engaged, overlong, duration_ms
    )))
FROM batch_sessions
GROUP BY day, version, tenant_id, session_id, log_epoch, log_partition
SETTINGS optimize_aggregation_in_order = 1
