-- Writer: batch. A session id without its tenant is looked up in all days: most of them are skipped by this.
ALTER TABLE batch_sessions ADD INDEX IF NOT EXISTS session_ids session_id TYPE bloom_filter(0.001) GRANULARITY 4
