-- title: Orders held back
-- audience: operators, finance
-- about: What the last check held, why, how much money waits, and what to do.
-- column: rule_code which rule holds it
-- column: amount    money that waits because of it
SELECT finding.rule_code, finding.severity, finding.storefront, finding.order_number, finding.subject_ref,
       finding.currency, report.to_amount(finding.amount_minor, finding.currency) AS amount, finding.sentence,
       finding.found_at
FROM ops.findings AS finding
WHERE finding.run_id = (SELECT max(run_id) FROM ops.runs WHERE stage = 'check' AND state_code = 'done')
ORDER BY finding.severity, finding.rule_code, finding.order_number
