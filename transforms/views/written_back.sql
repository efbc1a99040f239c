-- title: What was written back to the storefronts
-- audience: operators, analysts
-- about: Values the ledger owns and the storefronts read, newest first, with what the storefront showed before. Refused and unsupported ones say why.
-- column: outcome written, unchanged (it was there already), refused or unsupported
SELECT "at" AS written_at, storefront, field, order_number, subject_ref, outcome, before, after, detail, run_id
FROM ops.writes
ORDER BY "at" DESC, storefront, field, subject_ref, key
