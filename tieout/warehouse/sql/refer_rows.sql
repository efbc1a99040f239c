-- References for the rows of a plain file: the key, with #2, #3 … for further rows of the same key; else the row number.
-- Only the rows that share a key are numbered, so that no payload is ever sorted.
CREATE OR REPLACE TEMP TABLE tieout_landed AS
WITH shared AS (
    SELECT key_text FROM tieout_rows WHERE key_text IS NOT NULL GROUP BY key_text HAVING count(*) > 1
),
placed AS (
    SELECT row_no, row_number() OVER (PARTITION BY key_text ORDER BY row_no) AS place
    FROM tieout_rows
    WHERE key_text IN (SELECT key_text FROM shared)
),
later AS (
    SELECT row_no, place FROM placed WHERE place > 1
)
SELECT
    CASE
        WHEN r.key_text IS NULL THEN 'row:' || r.row_no
        WHEN l.place IS NULL THEN r.key_text
        ELSE r.key_text || '#' || l.place
    END AS native_ref,
    NULL::BIGINT AS version_no,
    NULL::TIMESTAMPTZ AS updated_at,
    r.payload,
    sha256(r.payload) AS payload_sha256,
    NULL::VARCHAR AS problem,
    {{fetched_at}}::TIMESTAMPTZ AS fetched_at
FROM tieout_rows AS r
LEFT JOIN later AS l ON l.row_no = r.row_no;
DROP TABLE tieout_rows
