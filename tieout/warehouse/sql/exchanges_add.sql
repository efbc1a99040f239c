-- Exchanges that are not entered yet.
INSERT INTO ops.exchanges (exchange_id, batch_id, entity_code, purpose, path, sha256, status, transactions_no, elapsed_ms, "at", run_id)
SELECT n.exchange_id, n.batch_id, n.entity_code, n.purpose, n.path, n.sha256, n.status, n.transactions_no, n.elapsed_ms, n."at", n.run_id
FROM tieout_incoming AS n
WHERE n.exchange_id NOT IN (SELECT exchange_id FROM ops.exchanges)
