-- title: Shipments of the ledger and what the storefronts know of them
-- audience: operators, analysts
-- about: Every shipment in Intacct with the order it belongs to, its tracking numbers, and whether the storefront was told. What could not be placed says why.
-- column: outcome_code placed, or what is in the way
-- column: told_at when the storefront took it, or had it already; empty if it was not told
-- column: said what the storefront answered, where it is not taken as it is
SELECT placed.document_number, placed.storefront, placed.order_number, placed.shipped_on, placed.carrier, placed.tracking_refs,
       placed.is_whole, placed.outcome_code, placed.sentence,
       max(writes."at") FILTER (WHERE writes.outcome IN ('written', 'unchanged')) AS told_at,
       arg_max(writes.detail, writes."at") AS said
FROM out.ledger_shipments AS placed
LEFT JOIN ops.writes AS writes
    ON writes.field = 'order.shipment' AND writes.storefront = placed.storefront
    AND json_extract_string(writes.value, '$.document_ref') = placed.document_ref
GROUP BY ALL
ORDER BY placed.shipped_on, placed.document_number
