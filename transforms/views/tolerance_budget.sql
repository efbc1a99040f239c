-- title: Tolerance budget
-- audience: finance, analysts
-- about: What was accepted without a person per account, currency and direction, against its cap, and whether it goes one way too often to be chance.
-- column: used_amount everything accepted in the currency, either way
-- column: cap_amount  how much may be accepted in the currency; empty if there is no cap
-- column: chance_ppm  how probable so one-sided a count is by chance, in parts per million
SELECT tie_out, entity_code, account_code, currency, direction, row_count, other_count, report.to_amount(amount_minor, currency) AS amount,
       report.to_amount(currency_used_minor, currency) AS used_amount, report.to_amount(cap_minor, currency) AS cap_amount, chance_ppm, is_trend
FROM recon.tolerated
ORDER BY is_trend DESC, tie_out, entity_code, account_code, currency, direction
