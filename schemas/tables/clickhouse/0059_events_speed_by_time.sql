-- Writer: streams. What questions of a span of an open day need of its events, in the order of time: an hour is read, not a day.
ALTER TABLE events_speed ADD PROJECTION IF NOT EXISTS by_time
(
    SELECT day, late, tenant_id, event_time, event_type, product_id, log_epoch, log_partition, log_offset, place, reached
    ORDER BY event_time
)
