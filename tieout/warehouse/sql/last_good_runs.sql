-- The last extract of each source and subject that ended well, and how far it read.
WITH good AS (
    SELECT c.source, c.subject, c.run_id, r.ended_at, c.read_count, c.new_count,
        row_number() OVER (PARTITION BY c.source, c.subject ORDER BY r.ended_at DESC, c.run_id DESC) AS place
    FROM ops.controls AS c
    JOIN ops.runs AS r ON r.run_id = c.run_id
    WHERE c.stage = 'extract' AND r.state_code = 'done'
)
SELECT
    coalesce(g.source, w.source) AS source,
    coalesce(g.subject, w.subject) AS subject,
    g.run_id,
    g.ended_at AS good_at,
    w.mark_at,
    g.read_count,
    g.new_count,
    date_diff('second', g.ended_at, $now::TIMESTAMPTZ) AS age_seconds
FROM (SELECT * FROM good WHERE place = 1) AS g
FULL JOIN ops.watermarks AS w ON w.source = g.source AND w.subject = g.subject
ORDER BY 1, 2
