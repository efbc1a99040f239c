-- The maintenance window that is open now; of several, the one that lasts longest.
SELECT w.window_id, w.starts_at, w.until_at, w.reason, w.author, w.stopped_by, w.run_id
FROM ops.maintenance AS w
WHERE w.starts_at <= $now AND w.until_at > $now
ORDER BY w.until_at DESC, w.window_id DESC
LIMIT 1
