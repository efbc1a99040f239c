-- Orders of which anything that planning reads is other than when they were last planned, with what it comes to now: the sum of the hashes
-- of all rows of an order, its documents and what the ledger says of them. Null where nothing of the order is left.
WITH paid AS (
    SELECT storefront, payment_ref, order_ref FROM core.order_payments
    UNION
    SELECT storefront, payment_ref, order_ref FROM core.payments WHERE order_ref IS NOT NULL
),
papers AS (
    SELECT document_id, storefront, order_ref FROM out.documents WHERE order_ref IS NOT NULL
    UNION
    SELECT document_id, storefront, order_ref FROM out.document_orders
),
states AS (
    SELECT p.storefront, p.order_ref, p.document_id, d.kind_code, o.state_code, o.intacct_key, d.content_sha256
    FROM papers AS p JOIN out.documents AS d USING (document_id) JOIN ops.outbox AS o USING (document_id)
),
ledger AS (
    SELECT 'invoice' AS kind_code, invoice_ref AS ref, invoice_number AS number, hash(*COLUMNS(* EXCLUDE (run_id))) AS h FROM core.ar_invoices
    UNION ALL
    SELECT 'credit_memo', adjustment_ref, adjustment_number, hash(*COLUMNS(* EXCLUDE (run_id))) FROM core.ar_adjustments
    UNION ALL
    SELECT 'receipt', receipt_ref, reference, hash(*COLUMNS(* EXCLUDE (run_id))) FROM core.ar_receipts
),
parts AS (
    SELECT storefront, order_ref, hash('order', *COLUMNS(* EXCLUDE (run_id))) AS h FROM core.orders
    UNION ALL
    SELECT storefront, order_ref, hash('line', *COLUMNS(* EXCLUDE (run_id))) FROM core.order_lines
    UNION ALL
    SELECT storefront, order_ref, hash('shipment', *COLUMNS(* EXCLUDE (run_id))) FROM core.shipments
    UNION ALL
    SELECT storefront, order_ref, hash('return', *COLUMNS(* EXCLUDE (run_id))) FROM core.returns
    UNION ALL
    SELECT storefront, order_ref, hash('reduction', *COLUMNS(* EXCLUDE (run_id))) FROM core.reductions
    UNION ALL
    SELECT storefront, order_ref, hash('tender', *COLUMNS(* EXCLUDE (run_id))) FROM core.order_tenders
    UNION ALL
    SELECT storefront, order_ref, hash('named', *COLUMNS(* EXCLUDE (run_id))) FROM core.order_payments
    UNION ALL
    SELECT paid.storefront, paid.order_ref, moved.h
    FROM (
        SELECT storefront, payment_ref, hash('payment', *COLUMNS(* EXCLUDE (run_id))) AS h FROM core.payments
    ) AS moved JOIN paid USING (storefront, payment_ref)
    UNION ALL
    SELECT storefront, order_ref, hash('document', document_id, state_code, intacct_key, content_sha256) FROM states
    UNION ALL
    SELECT states.storefront, states.order_ref, hash('kept', l.h)
    FROM states JOIN ledger AS l ON l.kind_code = states.kind_code AND l.ref = states.intacct_key
    UNION ALL
    SELECT u.storefront, u.order_ref, hash('found', l.h)
    FROM ops.unplanned AS u JOIN ledger AS l ON l.kind_code = u.kind_code AND l.number = u.number
    WHERE u.order_ref IS NOT NULL
),
now AS (
    SELECT storefront, order_ref, (sum(h) % 9223372036854775783)::BIGINT AS mark_no FROM parts GROUP BY storefront, order_ref
)
SELECT coalesce(now.storefront, kept.storefront) AS storefront, coalesce(now.order_ref, kept.order_ref) AS order_ref, now.mark_no
FROM now FULL JOIN ops.plan_marks AS kept ON kept.storefront = now.storefront AND kept.order_ref = now.order_ref
WHERE now.mark_no IS DISTINCT FROM kept.mark_no
