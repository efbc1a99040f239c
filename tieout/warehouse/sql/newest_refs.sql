-- Every record by its reference, and whether its newest version holds a mark; payloads stay where they are.
WITH newest AS (
    SELECT rowid AS row_id, row_number() OVER (
        PARTITION BY native_ref
        ORDER BY version_no DESC NULLS LAST, updated_at DESC NULLS LAST, landing_no DESC, fetched_at DESC, payload_sha256 DESC
    ) AS place
    FROM {{table}}
)
SELECT native_ref, contains(payload, $mark::VARCHAR) AS is_marked
FROM {{table}}
WHERE rowid IN (SELECT row_id FROM newest WHERE place = 1)
