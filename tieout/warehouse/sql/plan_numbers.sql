-- Numbers of documents and of owed events that are not among those looked at.
SELECT kind_code, number FROM out.documents AS d
WHERE number IS NOT NULL AND NOT EXISTS (SELECT 1 FROM looked_documents AS l WHERE l.document_id = d.document_id)
UNION
SELECT kind_code, number FROM ops.unplanned AS u
WHERE number IS NOT NULL AND order_ref IS NOT NULL
    AND NOT EXISTS (SELECT 1 FROM looked_orders AS l WHERE l.storefront = u.storefront AND l.order_ref = u.order_ref)
