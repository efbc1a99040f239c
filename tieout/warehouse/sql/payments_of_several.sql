-- The orders of payments that cover several.
SELECT group_ref, storefront, order_ref, order_number, order_count, currency FROM report.payment_orders WHERE order_count > 1 ORDER BY ALL
