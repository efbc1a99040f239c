-- Planned documents that depend on nothing which Intacct has not accepted, in the order they go: by kind, entity, date and number.
WITH ready AS (
    SELECT d.document_id, d.kind_code, d.entity_code, d.customer_id, d.document_on, d.order_number, o.state_code, o.attempts_no, o.moves_no
    FROM ops.outbox AS o
    JOIN out.documents AS d ON d.document_id = o.document_id
    WHERE o.state_code = 'planned' AND list_contains($kinds::VARCHAR[], d.kind_code)
        AND ($entity::VARCHAR IS NULL OR d.entity_code = $entity)
),
waits_for_document AS (
    SELECT DISTINCT l.document_id
    FROM out.document_lines AS l
    JOIN ready AS r ON r.document_id = l.document_id
    LEFT JOIN ops.outbox AS p ON p.document_id = l.applies_to_id
    WHERE l.applies_to_id IS NOT NULL AND p.state_code IS DISTINCT FROM 'accepted'
    UNION ALL
    SELECT DISTINCT l.document_id
    FROM out.document_lines AS l
    JOIN ready AS r ON r.document_id = l.document_id
    LEFT JOIN ops.outbox AS p ON p.document_id = l.converts_id
    WHERE l.converts_id IS NOT NULL AND p.state_code IS DISTINCT FROM 'accepted'
),
customers AS (
    SELECT d.customer_id, bool_or(o.state_code = 'accepted') AS is_there, bool_or(o.state_code NOT IN ('accepted', 'cancelled')) AS is_coming
    FROM out.documents AS d
    JOIN ops.outbox AS o ON o.document_id = d.document_id
    WHERE d.kind_code = 'customer'
    GROUP BY d.customer_id
)
SELECT r.document_id, r.state_code, r.attempts_no, r.moves_no
FROM ready AS r
LEFT JOIN customers AS c ON c.customer_id = r.customer_id AND r.kind_code <> 'customer'
WHERE r.document_id NOT IN (SELECT document_id FROM waits_for_document)
    AND NOT (coalesce(c.is_coming, false) AND NOT coalesce(c.is_there, false))
ORDER BY list_position($kinds::VARCHAR[], r.kind_code), r.entity_code, r.document_on NULLS FIRST, r.order_number NULLS FIRST, r.document_id
LIMIT $limit::BIGINT
