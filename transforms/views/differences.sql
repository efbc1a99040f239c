-- title: Differences that need a person
-- audience: finance, analysts
-- about: Every order and payment whose latest reconciliation ended as an error or ambiguous, largest first.
-- column: tie_out      orders (against invoices and credit memos) or payments (against receipts)
-- column: outcome_code what is wrong; see the rule book
-- column: delta_amount storefront minus Intacct, in the currency
SELECT 'orders' AS tie_out, entity_code, store_ref, order_number, documents, outcome_code, family_code, currency,
       report.to_amount(expected_minor, currency) AS expected_amount,
       report.to_amount(actual_minor, currency) AS actual_amount,
       report.to_amount(delta_minor, currency) AS delta_amount,
       evidence, proposal
FROM recon.orders
WHERE family_code IN ('error', 'ambiguous')
UNION ALL
SELECT 'payments', entity_code, store_ref, order_number, receipts, outcome_code, family_code, currency,
       report.to_amount(expected_minor, currency), report.to_amount(actual_minor, currency),
       report.to_amount(delta_minor, currency), evidence, NULL
FROM recon.payments
WHERE family_code IN ('error', 'ambiguous')
ORDER BY abs(delta_amount) DESC, order_number
