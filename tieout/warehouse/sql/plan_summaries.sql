-- One document that answers several orders, if there is any that may still change.
SELECT d.document_id FROM out.documents AS d JOIN ops.outbox AS o USING (document_id)
WHERE d.order_ref IS NULL AND d.kind_code IN ('invoice', 'credit_memo', 'receipt') AND o.state_code NOT IN ('accepted', 'cancelled')
LIMIT 1
