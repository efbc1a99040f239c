-- title: Findings of the reconciliation
-- audience: finance, operators
-- about: Trends in accepted differences, gaps in order numbers, money without orders, rows that linger, days with an odd volume.
-- column: row_count how many rows, numbers or orders it is about
SELECT finding_code, subject_ref, entity_code, currency, report.to_amount(amount_minor, currency) AS amount, row_count, sentence
FROM recon.findings
ORDER BY finding_code, subject_ref
