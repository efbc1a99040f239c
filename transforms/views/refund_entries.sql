-- title: Refunds against the general ledger
-- audience: finance, analysts
-- about: The cash leg of every refund against the journal entry that takes it out of the clearing account; empty unless refunds are posted as journal entries.
-- column: delta_amount  what was paid back less what the entry took out of the clearing account
-- column: pass_no       1 found by the entry sent for it, 2 by the provider's reference, 0 not found
SELECT storefront, order_ref, order_number, event_ref, entity_code, tender_code, gateway_ref, owed_on, posted_on, batches, outcome_code, family_code, currency,
       report.to_amount(expected_minor, currency) AS expected_amount, report.to_amount(actual_minor, currency) AS actual_amount,
       report.to_amount(delta_minor, currency) AS delta_amount, pass_no, evidence
FROM recon.refund_entries
ORDER BY family_code, storefront, order_ref, event_ref
