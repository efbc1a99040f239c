-- Outbox rows of the wanted documents.
SELECT o.document_id, o.state_code, o.intacct_key, o.reason, o.error_kind, o.attempts_no, o.failures_no, o.batch_id, o.control_id,
    o.content_sha256, o.lease_until_at, o.changed_at, o.run_id, o.moves_no
FROM ops.outbox AS o
WHERE o.document_id IN (SELECT document_id FROM tieout_wanted)
