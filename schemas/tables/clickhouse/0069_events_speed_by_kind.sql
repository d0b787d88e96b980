-- Writer: streams. How many events of each kind an open day has, without reading them. The offsets of a partition are a set of
-- bits: together those of all parts count each record once, however often it was written. A merge counts anew.
ALTER TABLE events_speed ADD PROJECTION IF NOT EXISTS by_kind
(
    SELECT day, tenant_id, event_type, log_epoch, log_partition, groupBitmap(log_offset)
    GROUP BY day, tenant_id, event_type, log_epoch, log_partition
)
