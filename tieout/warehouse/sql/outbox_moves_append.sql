-- What moved, for good.
INSERT INTO ops.outbox_moves (document_id, move_no, from_state, to_state, reason, actor, batch_id, "at", run_id)
SELECT document_id, move_no, from_state, to_state, reason, actor, batch_id, "at", run_id
FROM tieout_incoming
