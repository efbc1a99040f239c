-- title: Tie-out
-- audience: finance, analysts
-- about: How many rows and how much money ended in each outcome, per tie-out, entity and currency, over all periods.
-- column: expected_amount what the storefront says
-- column: actual_amount   what Intacct says
-- column: delta_amount    storefront minus Intacct
SELECT tie_out, entity_code, currency, family_code, outcome_code, count(*) AS row_count,
       report.to_amount(sum(expected_minor)::BIGINT, currency) AS expected_amount,
       report.to_amount(sum(actual_minor)::BIGINT, currency) AS actual_amount,
       report.to_amount(sum(delta_minor)::BIGINT, currency) AS delta_amount
FROM (
    SELECT 'orders' AS tie_out, entity_code, currency, family_code, outcome_code, expected_minor, actual_minor, delta_minor
    FROM recon.orders
    UNION ALL
    SELECT 'payments', entity_code, currency, family_code, outcome_code, expected_minor, actual_minor, delta_minor
    FROM recon.payments
)
GROUP BY tie_out, entity_code, currency, family_code, outcome_code
ORDER BY tie_out, entity_code, currency, family_code, outcome_code
