-- How many documents are in each state, what they are worth and how long the oldest has been there.
SELECT
    o.state_code,
    d.kind_code,
    d.currency,
    count(*) AS documents_no,
    sum(d.total_minor)::BIGINT AS total_minor,
    min(o.changed_at) AS oldest_at,
    date_diff('second', min(o.changed_at), $now::TIMESTAMPTZ) AS age_seconds
FROM ops.outbox AS o
JOIN out.documents AS d ON d.document_id = o.document_id
GROUP BY o.state_code, d.kind_code, d.currency
ORDER BY o.state_code, d.kind_code, d.currency
