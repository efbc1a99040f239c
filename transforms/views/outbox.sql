-- title: What waits to be posted, and why
-- audience: operators
-- about: Documents by kind and state, with the age of the oldest and the money in them.
-- column: oldest_at when the oldest of them last moved
SELECT document.kind_code, outbox.state_code, document.entity_code, document.currency, count(*) AS document_count,
       report.to_amount(sum(document.total_minor)::BIGINT, document.currency) AS amount,
       min(outbox.changed_at) AS oldest_at, min(outbox.reason) AS a_reason
FROM ops.outbox AS outbox
JOIN out.documents AS document USING (document_id)
WHERE outbox.state_code <> 'accepted'
GROUP BY document.kind_code, outbox.state_code, document.entity_code, document.currency
ORDER BY document.kind_code, outbox.state_code
