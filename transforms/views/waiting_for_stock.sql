-- title: Orders waiting for goods that ran out
-- audience: finance, operators
-- about: Open orders with a SKU that is at zero in every warehouse that feeds their storefront. Their invoices are deferred; the next check after restocking lets them go.
-- column: amount the order's total
-- column: waiting_for SKUs that ran out
SELECT finding.storefront, finding.order_number, o.placed_at, o.status_code, finding.currency,
       report.to_amount(any_value(o.total_minor), finding.currency) AS amount,
       string_agg(DISTINCT split_part(finding.subject_ref, '/', -1), ', ' ORDER BY split_part(finding.subject_ref, '/', -1)) AS waiting_for,
       max(finding.found_at) AS seen_at
FROM ops.findings AS finding
JOIN core.orders AS o ON o.storefront = finding.storefront AND o.order_ref = finding.order_ref
WHERE finding.rule_code = 'sku_out_of_stock'
  AND finding.run_id = (SELECT max(run_id) FROM ops.runs WHERE stage = 'check' AND state_code = 'done')
GROUP BY finding.storefront, finding.order_number, o.placed_at, o.status_code, finding.currency
ORDER BY o.placed_at, finding.storefront, finding.order_number
