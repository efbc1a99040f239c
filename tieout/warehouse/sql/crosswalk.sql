-- Our document id beside Intacct's key, in both directions.
SELECT d.document_id, o.intacct_key, d.kind_code, d.entity_code, d.number, d.storefront, d.order_ref, d.order_number, d.event_ref,
    d.customer_id, d.revision, o.state_code, o.changed_at
FROM out.documents AS d
JOIN ops.outbox AS o ON o.document_id = d.document_id
