-- Row ids of the newest version of every record that changed since a landing, as known at an instant.
CREATE OR REPLACE TEMP TABLE {{picked}} AS
WITH known AS (
    SELECT rowid AS row_id, native_ref, version_no, updated_at, landing_no, fetched_at, payload_sha256
    FROM {{table}}
    WHERE $as_of::TIMESTAMPTZ IS NULL OR fetched_at <= $as_of::TIMESTAMPTZ
),
touched AS (
    SELECT * FROM known
    WHERE $since::BIGINT IS NULL OR native_ref IN (SELECT native_ref FROM known WHERE landing_no > $since::BIGINT)
)
SELECT row_id
FROM (
    SELECT row_id, row_number() OVER (
        PARTITION BY native_ref
        ORDER BY version_no DESC NULLS LAST, updated_at DESC NULLS LAST, landing_no DESC, fetched_at DESC, payload_sha256 DESC
    ) AS place
    FROM touched
)
WHERE place = 1
