-- What is new of a landing, in the order it was received.
INSERT INTO {{table}} ({{columns}})
SELECT
    $source, $subject, l.native_ref, l.version_no, l.updated_at, l.payload, l.payload_sha256, l.problem, l.fetched_at, $run_id, $landing_no
FROM tieout_landed AS l
WHERE NOT EXISTS (SELECT 1 FROM tieout_known AS k WHERE k.row_id = l.rowid)
