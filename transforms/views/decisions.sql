-- title: Decisions people took
-- audience: finance, analysts
-- about: Every match, explanation, write-off, approval and withdrawal with author and reason, and whether it holds in the latest reconciliation.
-- column: holds_for     rows of the latest reconciliation it explains
-- column: is_withdrawn  whether a later decision ended it
-- column: amount        the difference accepted, storefront minus Intacct
SELECT d.decision_id, d.decided_at, d.author, d.kind_code, d.tie_out, d.group_ref, d.ledger_ref, d.outcome_code, d.account_code, d.reason_code,
       d.currency, report.to_amount(d.amount_minor, d.currency) AS amount, d.draft_id, d.about_id, d.reason,
       EXISTS (SELECT 1 FROM ops.decisions w WHERE w.kind_code = 'withdraw' AND w.about_id = d.decision_id) AS is_withdrawn,
       (SELECT count(*) FROM recon.orders o WHERE o.decision_id = d.decision_id)
       + (SELECT count(*) FROM recon.payments p WHERE p.decision_id = d.decision_id) AS holds_for
FROM ops.decisions d
ORDER BY d.decided_at, d.decision_id
