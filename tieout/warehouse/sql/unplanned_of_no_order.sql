-- Storefronts that have something unplanned of no order, such as a payout.
SELECT DISTINCT storefront, order_ref FROM ops.unplanned WHERE order_ref IS NULL
