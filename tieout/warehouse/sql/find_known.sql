-- Landed rows that bring nothing new: the same payload of the same record is there already. Where the source orders its versions itself,
-- anywhere in the history; where it does not, only as the newest landed, because an older value may have come back.
CREATE OR REPLACE TEMP TABLE tieout_known AS
WITH same AS (
    SELECT l.rowid AS row_id, l.native_ref, r.landing_no,
        (l.version_no IS NOT NULL OR l.updated_at IS NOT NULL) AS is_ordered
    FROM tieout_landed AS l
    JOIN {{table}} AS r ON r.native_ref = l.native_ref AND r.payload_sha256 = l.payload_sha256
),
newest AS (
    SELECT r.native_ref, max(r.landing_no) AS landing_no
    FROM {{table}} AS r
    WHERE r.native_ref IN (SELECT native_ref FROM same WHERE NOT is_ordered)
    GROUP BY r.native_ref
),
twins AS (
    SELECT native_ref, payload_sha256
    FROM tieout_landed
    WHERE {{may_repeat}}
    GROUP BY native_ref, payload_sha256
    HAVING count(*) > 1
),
placed AS (
    SELECT l.rowid AS row_id, row_number() OVER (PARTITION BY l.native_ref, l.payload_sha256 ORDER BY l.rowid) AS place
    FROM tieout_landed AS l
    WHERE EXISTS (SELECT 1 FROM twins AS t WHERE t.native_ref = l.native_ref AND t.payload_sha256 = l.payload_sha256)
)
SELECT DISTINCT same.row_id
FROM same
LEFT JOIN newest ON newest.native_ref = same.native_ref
WHERE same.is_ordered OR same.landing_no = newest.landing_no
UNION
-- the same payload twice within the landing
SELECT row_id FROM placed WHERE place > 1
