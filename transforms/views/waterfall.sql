-- title: Waterfall
-- audience: finance, analysts
-- about: The bridge of the last reconciliation, per entity, store and currency, with amounts people can read.
-- column: is_total whether the step is a sub-total of those above it
SELECT tie_out, entity_code, store_ref, currency, step_no, step_code, label, is_total, row_count,
       report.to_amount(amount_minor, currency) AS amount
FROM recon.waterfall
ORDER BY tie_out, entity_code, store_ref, currency, step_no
