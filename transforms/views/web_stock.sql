-- title: Available to web
-- audience: operators, analysts
-- about: What each storefront may sell, how it was worked out, and whether it was written.
-- column: buffer_qty  safety buffer, rounded up
-- column: publish_qty what is written, including what the storefront subtracts itself
SELECT storefront, sku, location_ref, on_hand_qty, allocated_qty, reserved_qty, buffer_qty, buffer_rule, available_qty,
       current_qty, publish_qty, is_changed, hold_reason, as_of_at
FROM out.web_stock
ORDER BY storefront, sku, location_ref
