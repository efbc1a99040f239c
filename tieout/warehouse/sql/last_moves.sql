-- Number of the last move of each wanted document.
SELECT m.document_id, max(m.move_no) AS move_no
FROM ops.outbox_moves AS m
WHERE m.document_id IN (SELECT document_id FROM tieout_wanted)
GROUP BY m.document_id
