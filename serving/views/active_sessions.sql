-- Sessions that may go on: their last event is less than the session gap before the newest event that was applied. Those
-- that began more than two days before it are left out.
WITH (SELECT max(watermark) FROM progress WHERE dataset = 'events') AS seen_until
SELECT *, seen_until
FROM sessions
WHERE day >= toDate(seen_until) - 2 AND session_end > seen_until - INTERVAL {gap_ms} MILLISECOND
