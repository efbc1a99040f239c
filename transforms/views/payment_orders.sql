-- title: Orders of payments
-- audience: analysts, finance
-- about: Every order that a row of the tie-out of payments covers: one row per group of recon.payments and order, so that a payment, or a receipt of several payments, is found by each of its orders and not by the first alone.
-- column: group_ref    the group as in recon.payments
-- column: order_count  how many orders the group covers
-- column: amount       what moved for this order; empty where a payment of it names several orders and does not say how much is for which
WITH moved AS (
    SELECT m.group_ref, p.storefront, p.payment_ref, m.row_ref, p.order_ref, p.currency,
           CASE WHEN p.kind_code = 'charge' THEN p.amount_minor ELSE -p.amount_minor END AS amount_minor
    FROM recon.matches m
    JOIN core.payments p ON m.row_ref = p.storefront || ':' || p.payment_ref || ':' || p.transaction_ref
    WHERE m.tie_out = 'payments' AND m.side = 'storefront'
), named AS (
    SELECT group_ref, row_ref, storefront, order_ref, currency, amount_minor FROM moved WHERE order_ref IS NOT NULL
    UNION
    SELECT m.group_ref, m.row_ref, m.storefront, o.order_ref, m.currency, m.amount_minor
    FROM moved m JOIN core.order_payments o USING (storefront, payment_ref)
    UNION
    SELECT m.group_ref, m.row_ref, o.storefront, o.order_ref, o.currency, o.total_minor
    FROM recon.matches m
    JOIN recon.owed o ON m.row_ref = o.storefront || ':' || o.order_ref || ':' || o.event_ref
    WHERE m.tie_out = 'payments' AND m.side = 'storefront' AND o.event_code = 'receipt' AND o.payment_ref IS NULL
), parts AS (
    SELECT *, count(*) OVER (PARTITION BY row_ref) AS sharing FROM named
), summed AS (
    SELECT group_ref, storefront, order_ref, currency, CASE WHEN max(sharing) = 1 THEN sum(amount_minor) END AS amount_minor
    FROM parts GROUP BY group_ref, storefront, order_ref, currency
), known AS (
    SELECT storefront, order_ref, min(order_number) AS order_number FROM core.orders GROUP BY storefront, order_ref
), counted AS (
    SELECT group_ref, count(DISTINCT (storefront, order_ref)) AS order_count FROM named GROUP BY group_ref
)
SELECT s.group_ref, s.storefront, s.order_ref, k.order_number, c.order_count, s.currency, report.to_amount(s.amount_minor, s.currency) AS amount
FROM summed s JOIN counted c USING (group_ref) LEFT JOIN known k USING (storefront, order_ref)
ORDER BY s.group_ref, s.storefront, s.order_ref, s.currency
