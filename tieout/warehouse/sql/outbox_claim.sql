-- Documents that are sent now, if they are still as they were when they were found ready.
UPDATE ops.outbox AS kept
SET state_code = 'sending', reason = NULL, error_kind = NULL, attempts_no = new.attempts_no + 1, batch_id = new.batch_id,
    control_id = new.control_id, content_sha256 = new.content_sha256, lease_until_at = $until, changed_at = $now, run_id = $run_id,
    moves_no = new.moves_no + 1
FROM tieout_incoming AS new
WHERE kept.document_id = new.document_id AND kept.state_code = 'planned' AND coalesce(kept.moves_no, new.moves_no) = new.moves_no
    AND kept.attempts_no = new.attempts_no AND coalesce(kept.content_sha256, new.content_sha256) = new.content_sha256
RETURNING kept.document_id, kept.moves_no, kept.batch_id, kept.reason
