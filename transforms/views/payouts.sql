-- title: Payouts
-- audience: finance, operators
-- about: Each payout with its gross, fees and net, in the currency the money moved in; a payout of several currencies has a row for each.
-- column: line_count how many payments, fees and adjustments it holds
SELECT storefront, payout_ref, max(paid_out_at) AS paid_out_at, currency, count(*) AS line_count,
       report.to_amount(sum(gross_minor), currency) AS gross_amount, report.to_amount(sum(fee_minor), currency) AS fee_amount,
       report.to_amount(sum(net_minor), currency) AS net_amount
FROM core.payout_lines
GROUP BY storefront, payout_ref, currency
ORDER BY paid_out_at, payout_ref
