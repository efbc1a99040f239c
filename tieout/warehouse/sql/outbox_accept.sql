-- Documents that Intacct has accepted, as far as they are still under way in the batch they were sent with.
UPDATE ops.outbox AS kept
SET state_code = 'accepted', reason = new.reason, intacct_key = new.intacct_key, error_kind = NULL, lease_until_at = NULL,
    changed_at = $now, run_id = $run_id, moves_no = kept.moves_no + 1
FROM tieout_incoming AS new
WHERE kept.document_id = new.document_id AND kept.state_code = 'sending' AND kept.batch_id = new.batch_id AND kept.moves_no IS NOT NULL
RETURNING kept.document_id, kept.moves_no, kept.batch_id, kept.reason
