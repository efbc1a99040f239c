-- title: Payments against payouts
-- audience: finance, analysts
-- about: Each payment that payouts are expected for, with gross, fee, scheduled fee and net; payout lines that are no payment's; payouts that do not add up.
-- column: scheduled_fee_amount fee by the schedule, rounded half up; a fee rounded the other way is accepted too
-- column: exchange_amount      realised difference: paid out less net at the stated rate, in the currency paid out
SELECT group_ref, storefront, order_ref, tender_code, payouts, occurred_on, paid_out_on, outcome_code, family_code, currency,
       report.to_amount(moved_minor, currency) AS moved_amount, report.to_amount(gross_minor, currency) AS gross_amount,
       report.to_amount(delta_minor, currency) AS delta_amount, report.to_amount(fee_minor, currency) AS fee_amount,
       report.to_amount(scheduled_fee_minor, currency) AS scheduled_fee_amount, report.to_amount(net_minor, currency) AS net_amount,
       payout_currency, report.to_amount(payout_minor, payout_currency) AS payout_amount, rate, rate_source,
       report.to_amount(exchange_minor, payout_currency) AS exchange_amount, evidence
FROM recon.settlements
ORDER BY family_code, storefront, group_ref
