-- title: Drafts
-- audience: finance
-- about: Journals that write differences off and reversals of what stands twice, of credit memos by debit memos. None is sent before a person approves it.
-- column: account_code of the line; empty if no control account is configured, or for a reversal of an invoice or receipt
-- column: line_amount  of a journal debit positive, credit negative; of a debit memo what it adds to what the customer owes
SELECT d.draft_id, d.state_code, d.kind_code, d.entity_code, d.reason_code, d.ledger_ref, d.journal_code, d.currency,
       report.to_amount(d.amount_minor, d.currency) AS amount, l.line_no, l.account_code,
       report.to_amount(l.amount_minor, l.currency) AS line_amount, l.decision_id, l.memo, d.authors, d.sentence
FROM recon.drafts d
LEFT JOIN recon.draft_lines l ON l.draft_id = d.draft_id
ORDER BY d.state_code DESC, d.draft_id, l.line_no
