-- Planned documents and what each of them waits for.
WITH waiting AS (
    SELECT d.document_id, d.kind_code, d.customer_id
    FROM ops.outbox AS o
    JOIN out.documents AS d ON d.document_id = o.document_id
    WHERE o.state_code = 'planned'
),
customers AS (
    SELECT d.customer_id, d.document_id, o.state_code, o.reason,
        bool_or(o.state_code = 'accepted') OVER (PARTITION BY d.customer_id) AS is_there
    FROM out.documents AS d
    JOIN ops.outbox AS o ON o.document_id = d.document_id
    WHERE d.kind_code = 'customer'
)
SELECT w.document_id, w.kind_code, l.applies_to_id AS blocked_by_id, p.state_code AS blocked_by_state, p.reason AS blocked_by_reason
FROM waiting AS w
JOIN out.document_lines AS l ON l.document_id = w.document_id
LEFT JOIN ops.outbox AS p ON p.document_id = l.applies_to_id
WHERE l.applies_to_id IS NOT NULL AND p.state_code IS DISTINCT FROM 'accepted'
UNION ALL
SELECT DISTINCT w.document_id, w.kind_code, l.converts_id, p.state_code, p.reason
FROM waiting AS w
JOIN out.document_lines AS l ON l.document_id = w.document_id
LEFT JOIN ops.outbox AS p ON p.document_id = l.converts_id
WHERE l.converts_id IS NOT NULL AND p.state_code IS DISTINCT FROM 'accepted'
UNION ALL
SELECT w.document_id, w.kind_code, c.document_id, c.state_code, c.reason
FROM waiting AS w
JOIN customers AS c ON c.customer_id = w.customer_id
WHERE w.kind_code <> 'customer' AND NOT c.is_there AND c.state_code <> 'cancelled'
ORDER BY 1, 3
