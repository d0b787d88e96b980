-- Writer: batch. As in batch_sessions.
ALTER TABLE batch_events ADD INDEX IF NOT EXISTS session_ids session_id TYPE bloom_filter(0.001) GRANULARITY 4
