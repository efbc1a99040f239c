-- title: Documents posted to Intacct
-- audience: finance, analysts
-- about: Every document this tool posted, with the order it came from and the key Intacct gave it.
-- column: intacct_key RECORDNO in Intacct (customer id for customers)
SELECT document.document_id, document.kind_code, document.storefront, document.order_number, document.number,
       outbox.intacct_key, document.entity_code, document.document_on, document.currency,
       report.to_amount(document.total_minor, document.currency) AS amount, outbox.changed_at AS accepted_at
FROM out.documents AS document
JOIN ops.outbox AS outbox USING (document_id)
WHERE outbox.state_code = 'accepted'
ORDER BY outbox.changed_at, document.number
