-- title: AR subledger against the control accounts
-- audience: finance
-- about: Movement of the period and balance at its end, per entity and currency. Without control accounts in the configuration it has no rows.
-- column: timing_amount  of the difference: the same amounts in different periods
-- column: error_amount   of the difference: everything else
-- column: closing_delta_amount subledger less general ledger, of everything read
SELECT entity_code, currency, report.to_amount(subledger_minor, currency) AS subledger_amount, report.to_amount(gl_minor, currency) AS gl_amount,
       report.to_amount(delta_minor, currency) AS delta_amount, report.to_amount(timing_minor, currency) AS timing_amount,
       report.to_amount(error_minor, currency) AS error_amount, report.to_amount(closing_subledger_minor, currency) AS closing_subledger_amount,
       report.to_amount(closing_gl_minor, currency) AS closing_gl_amount, report.to_amount(closing_delta_minor, currency) AS closing_delta_amount,
       row_count, error_count
FROM recon.control
ORDER BY entity_code, currency
