-- What two orders or more have in common by which the plan of one can touch that of another: a payment, a transaction's name, what a
-- receipt is numbered by, an order number.
WITH paid AS (
    SELECT storefront, payment_ref, order_ref FROM core.order_payments
    UNION
    SELECT storefront, payment_ref, order_ref FROM core.payments WHERE order_ref IS NOT NULL
),
moved AS (
    SELECT paid.storefront, paid.order_ref, paid.payment_ref, p.transaction_ref, coalesce(p.gateway_ref, p.payment_ref) AS stem
    FROM paid JOIN core.payments AS p USING (storefront, payment_ref)
),
tokens AS (
    SELECT storefront, order_ref, hash('payment', storefront, payment_ref) AS token FROM paid
    UNION
    SELECT storefront, order_ref, hash('transaction', storefront, transaction_ref) FROM moved
    UNION
    SELECT storefront, order_ref, hash('receipt', stem) FROM moved
    UNION
    SELECT storefront, order_ref, hash('number', order_number) FROM core.orders WHERE order_number IS NOT NULL
)
SELECT storefront, order_ref, token FROM tokens
WHERE token IN (SELECT token FROM tokens GROUP BY token HAVING count(*) > 1)
