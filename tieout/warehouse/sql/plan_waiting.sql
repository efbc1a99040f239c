-- Orders with a document on its way or kept back, or with something owed that is unplanned for a reason that can pass.
SELECT p.storefront, p.order_ref
FROM (
    SELECT document_id, storefront, order_ref FROM out.documents WHERE order_ref IS NOT NULL
    UNION
    SELECT document_id, storefront, order_ref FROM out.document_orders
) AS p JOIN ops.outbox AS o USING (document_id)
WHERE o.state_code NOT IN ('accepted', 'cancelled')
UNION
SELECT storefront, order_ref FROM ops.unplanned
WHERE order_ref IS NOT NULL AND NOT list_contains($settled, reason_code)
