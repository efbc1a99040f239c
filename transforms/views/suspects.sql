-- title: Probable double postings
-- audience: finance
-- about: Documents and receipts that probably stand twice in Intacct, with the one to keep. A suspicion to look at, never a proof.
-- column: cluster_ref the document to keep
-- column: basis_code  reference: same order and amount; cluster: same customer, amount and about the same date
SELECT cluster_ref, ledger_ref, is_original, document_number, entity_code, customer_id, document_on, currency,
       report.to_amount(amount_minor, currency) AS amount, basis_code, sentence
FROM recon.suspects
ORDER BY cluster_ref, is_original DESC, ledger_ref
