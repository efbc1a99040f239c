-- title: Orders
-- audience: analysts
-- about: One row per order with amounts people can read.
-- column: due_amount what is left to pay after gift cards and store credit
SELECT storefront, order_number, order_ref, store_ref, customer_name, status_code, placed_at, shipped_at, currency,
       report.to_amount(goods_minor, currency) AS goods_amount,
       report.to_amount(discount_minor, currency) AS discount_amount,
       report.to_amount(shipping_minor, currency) AS shipping_amount,
       report.to_amount(fees_minor, currency) AS fees_amount,
       report.to_amount(gift_card_minor, currency) AS gift_card_amount,
       report.to_amount(tax_minor, currency) AS tax_amount,
       report.to_amount(rounding_minor, currency) AS rounding_amount,
       report.to_amount(total_minor, currency) AS total_amount,
       report.to_amount(due_minor, currency) AS due_amount, is_test, problem
FROM core.orders
ORDER BY placed_at, order_number
