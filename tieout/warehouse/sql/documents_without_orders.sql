-- Documents of one order each that were planned before their orders were kept in a table of their own.
SELECT d.document_id, d.storefront, d.order_ref, d.order_number,
    CASE d.kind_code WHEN 'invoice' THEN 'sale' WHEN 'credit_memo' THEN 'credit' ELSE 'receipt' END AS event_code,
    d.event_ref, d.currency, d.total_minor AS amount_minor
FROM out.documents AS d
ANTI JOIN out.document_orders AS o ON o.document_id = d.document_id
WHERE d.kind_code IN ('invoice', 'credit_memo', 'receipt') AND d.order_ref IS NOT NULL
