-- Accepted documents of order entry whose AR record was read to be deleted in Intacct: their names there, and the key that is gone.
SELECT d.document_id, d.kind_code, json_extract_string(d.details, '$.definition') || '-' || d.number AS name, o.intacct_key
FROM out.documents AS d
JOIN ops.outbox AS o ON o.document_id = d.document_id AND o.state_code = 'accepted'
WHERE json_extract_string(d.details, '$.definition') IS NOT NULL AND (
    d.kind_code = 'invoice' AND o.intacct_key IN (SELECT invoice_ref FROM core.ar_invoices WHERE is_deleted)
    OR d.kind_code = 'credit_memo' AND o.intacct_key IN (SELECT adjustment_ref FROM core.ar_adjustments WHERE is_deleted)
)
ORDER BY d.document_id
