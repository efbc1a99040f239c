-- title: Documents and journals that differ between subledger and general ledger
-- audience: finance, analysts
-- about: Every AR document whose entries on the control accounts differ, and every journal on them that belongs to no document.
-- column: delta_amount      subledger less general ledger
-- column: base_delta_amount the same in base currency; beside a delta of zero it is exchange
SELECT document_kind, document_ref, document_number, entity_code, customer_id, document_on, posted_on, batches, accounts, outcome_code, family_code,
       currency, report.to_amount(subledger_minor, currency) AS subledger_amount, report.to_amount(gl_minor, currency) AS gl_amount,
       report.to_amount(delta_minor, currency) AS delta_amount, base_currency, report.to_amount(base_delta_minor, base_currency) AS base_delta_amount,
       is_in_scope, evidence
FROM recon.ledger
WHERE family_code <> 'matched' OR base_delta_minor <> 0
ORDER BY abs(delta_minor) DESC, document_kind, document_ref
