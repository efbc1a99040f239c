-- title: Open AR by age
-- audience: finance
-- about: Open documents of the shops as of the last reconciled period's end, oldest first.
-- column: days_no     days overdue by the stated basis; zero or less is not due
-- column: open_amount still open; credits and money on account are negative
SELECT entity_code, customer_id, document_kind, document_number, document_on, due_on, days_no, bucket_code, currency,
       report.to_amount(open_minor, currency) AS open_amount
FROM recon.ageing
ORDER BY days_no DESC, document_number
