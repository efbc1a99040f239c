-- Outbox rows as they are after a move.
UPDATE ops.outbox AS kept
SET state_code = new.state_code, intacct_key = new.intacct_key, reason = new.reason, error_kind = new.error_kind,
    attempts_no = new.attempts_no, failures_no = new.failures_no, batch_id = new.batch_id, control_id = new.control_id,
    content_sha256 = new.content_sha256, lease_until_at = new.lease_until_at, changed_at = new.changed_at, run_id = new.run_id,
    moves_no = new.moves_no
FROM tieout_incoming AS new
WHERE kept.document_id = new.document_id
